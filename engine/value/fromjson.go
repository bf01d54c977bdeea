package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
)

// FromJSON reads one JSON document: whole numbers stay whole, objects become a
// *Map with their keys in order. A key that stands twice is an error.
func FromJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := fromTokens(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func fromTokens(dec *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errDeep
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '[' {
			return listFromTokens(dec, depth)
		}
		return mapFromTokens(dec, depth)
	case json.Number:
		return fromNumber(tok)
	}
	return tok, nil
}

func listFromTokens(dec *json.Decoder, depth int) (any, error) {
	l := []any{}
	for dec.More() {
		v, err := fromTokens(dec, depth+1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	_, err := dec.Token()
	return l, err
}

func mapFromTokens(dec *json.Decoder, depth int) (any, error) {
	m := &Map{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := fromTokens(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if _, twice := m.Get(key.(string)); twice {
			return nil, fmt.Errorf("key %q stands twice", key)
		}
		m.Pairs = append(m.Pairs, Pair{key, v})
	}
	_, err := dec.Token()
	return m, err
}

func fromNumber(n json.Number) (any, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i, nil
	}
	if x, ok := new(big.Int).SetString(n.String(), 10); ok {
		return x, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", n)
	}
	return f, nil
}

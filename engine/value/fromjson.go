package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
)

// FromJSON reads one JSON document: whole numbers stay whole, objects become a
// *Map with their keys in order. A key that stands twice is an error.
func FromJSON(b []byte) (any, error) { return fromJSON(b, MaxDepth) }

// fromJSON is FromJSON of a document that is nested at most deepest deep.
func fromJSON(b []byte, deepest int) (any, error) {
	r := jsonReader{json.NewDecoder(bytes.NewReader(b)), deepest}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

// jsonReader makes values of tokens.
type jsonReader struct {
	dec     *json.Decoder
	deepest int
}

func (r jsonReader) value(depth int) (any, error) {
	if depth > r.deepest {
		return nil, errDeep
	}
	tok, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '[' {
			return r.list(depth)
		}
		return r.object(depth)
	case json.Number:
		return fromNumber(tok)
	}
	return tok, nil
}

func (r jsonReader) list(depth int) (any, error) {
	l := []any{}
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	_, err := r.dec.Token()
	return l, err
}

func (r jsonReader) object(depth int) (any, error) {
	m := &Map{}
	var seen keySet
	for r.dec.More() {
		tok, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, _ := tok.(string)
		if !seen.add(key) {
			return nil, fmt.Errorf("key %q stands twice", key)
		}
		m.Pairs = append(m.Pairs, Pair{key, v})
	}
	_, err := r.dec.Token()
	return m, err
}

// keySet is the keys of an object so far. To look through a few costs less than
// a Go map; to look through many would cost their number squared.
type keySet struct {
	few  []string
	many map[string]struct{}
}

// add reports whether key is new.
func (s *keySet) add(key string) bool {
	const few = 8
	if s.many == nil {
		if slices.Contains(s.few, key) {
			return false
		}
		if s.few = append(s.few, key); len(s.few) > few {
			s.many = make(map[string]struct{}, 4*few)
			for _, k := range s.few {
				s.many[k] = struct{}{}
			}
		}
		return true
	}
	if _, twice := s.many[key]; twice {
		return false
	}
	s.many[key] = struct{}{}
	return true
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

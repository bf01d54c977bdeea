package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
)

// MarshalJSON writes the value that r holds as JSON.
func (r Raw) MarshalJSON() ([]byte, error) {
	v, err := Decode(r)
	if err != nil {
		return nil, err
	}
	return AppendJSON(nil, v)
}

// UnmarshalJSON encodes a JSON document, as FromJSON reads it.
func (r *Raw) UnmarshalJSON(b []byte) error {
	v, err := FromJSON(b)
	if err != nil {
		return err
	}
	*r, err = Encode(v)
	return err
}

// AppendJSON appends v as JSON: keys in their order, bytes in base64, NaN and
// the infinities as strings, tuples and sets as arrays, keys that are not
// strings as the text of their JSON.
func AppendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case Raw:
		in, err := Decode(v)
		if err != nil {
			return nil, err
		}
		return AppendJSON(b, in)
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case *big.Int:
		return v.Append(b, 10), nil
	case float64:
		return appendFloatJSON(b, v)
	case string:
		return appendText(b, v)
	case []byte:
		return appendText(b, base64.StdEncoding.EncodeToString(v))
	case []any:
		return appendListJSON(b, v)
	case Tuple:
		return appendListJSON(b, v)
	case Set:
		return appendListJSON(b, v)
	case *Map:
		return appendMapJSON(b, v)
	case *Struct:
		return appendMapJSON(b, &v.Map)
	}
	return nil, fmt.Errorf("a %T cannot be shown as JSON", v)
}

func appendFloatJSON(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(b, strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	enc, err := json.Marshal(f)
	if err == nil && !bytes.ContainsAny(enc, ".e") {
		enc = append(enc, ".0"...) // a float stays a float when it is read back
	}
	return append(b, enc...), err
}

func appendText(b []byte, s string) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...), err
}

func appendListJSON(b []byte, l []any) ([]byte, error) {
	b = append(b, '[')
	for i, e := range l {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = AppendJSON(b, e); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMapJSON(b []byte, m *Map) ([]byte, error) {
	if m == nil {
		m = &Map{}
	}
	b = append(b, '{')
	for i, p := range m.Pairs {
		if i > 0 {
			b = append(b, ',')
		}
		key, ok := p.Key.(string)
		if !ok {
			text, err := AppendJSON(nil, p.Key)
			if err != nil {
				return nil, err
			}
			key = string(text)
		}
		var err error
		if b, err = appendText(b, key); err != nil {
			return nil, err
		}
		if b, err = AppendJSON(append(b, ':'), p.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

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

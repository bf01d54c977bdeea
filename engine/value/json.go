package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
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
// strings as the text of their JSON. The error is a *LimitError where the text
// would be longer than that of any value that can be kept.
func AppendJSON(b []byte, v any) ([]byte, error) {
	w := jsonWriter{b: b, most: len(b) + maxJSON}
	if err := w.value(v, 0); err != nil {
		return nil, err
	}
	return w.b, nil
}

// Short returns the beginning of v's JSON, at most n bytes and an ellipsis; no
// more than that is made.
func Short(v any, n int) string {
	w := jsonWriter{most: n}
	err := w.value(v, 0)
	switch {
	case len(w.b) > n, errors.As(err, new(*LimitError)):
		return strings.ToValidUTF8(string(w.b[:min(len(w.b), n)]), "") + "…"
	case err != nil:
		return "?"
	}
	return string(w.b)
}

// jsonWriter writes JSON until it has most bytes, or has seen maxJSONItems.
type jsonWriter struct {
	b     []byte
	most  int
	items int
}

func (w *jsonWriter) value(v any, depth int) error {
	if w.items++; len(w.b) > w.most || w.items > maxJSONItems {
		return errJSON
	}
	if err := Deep(depth); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case Raw:
		in, err := Decode(v)
		if err != nil {
			return err
		}
		return w.value(in, depth)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case int64:
		w.b = strconv.AppendInt(w.b, v, 10)
	case int:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case *big.Int:
		w.b = v.Append(w.b, 10)
	case float64:
		return w.float(v)
	case string:
		return w.text(v)
	case Secret:
		return w.text(v.String())
	case []byte:
		return w.text(base64.StdEncoding.EncodeToString(v[:min(len(v), w.left())]))
	case []any:
		return w.list(v, depth)
	case Tuple:
		return w.list(v, depth)
	case Set:
		return w.list(v, depth)
	case *Map:
		return w.object(v, depth)
	case *Struct:
		return w.object(&v.Map, depth)
	default:
		return fmt.Errorf("a %T cannot be shown as JSON", v)
	}
	return nil
}

// left is how much of a text is worth writing: one byte more is too much.
func (w *jsonWriter) left() int { return max(w.most-len(w.b), 0) + 1 }

func (w *jsonWriter) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.b = strconv.AppendQuote(w.b, strconv.FormatFloat(f, 'g', -1, 64))
		return nil
	}
	enc, err := json.Marshal(f)
	if err == nil && !bytes.ContainsAny(enc, ".e") {
		enc = append(enc, ".0"...) // a float stays a float when it is read back
	}
	w.b = append(w.b, enc...)
	return err
}

func (w *jsonWriter) text(s string) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s[:min(len(s), w.left())]); err != nil {
		return err
	}
	w.b = append(w.b, bytes.TrimRight(buf.Bytes(), "\n")...)
	if len(w.b) > w.most {
		return errJSON
	}
	return nil
}

func (w *jsonWriter) list(l []any, depth int) error {
	w.b = append(w.b, '[')
	for i, e := range l {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.value(e, depth+1); err != nil {
			return err
		}
	}
	w.b = append(w.b, ']')
	return nil
}

func (w *jsonWriter) object(m *Map, depth int) error {
	if m == nil {
		m = &Map{}
	}
	w.b = append(w.b, '{')
	for i, p := range m.Pairs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		key, ok := p.Key.(string)
		if !ok {
			in := jsonWriter{most: w.left()}
			if err := in.value(p.Key, depth+1); err != nil {
				return err
			}
			key = string(in.b)
		}
		if err := w.text(key); err != nil {
			return err
		}
		w.b = append(w.b, ':')
		if err := w.value(p.Value, depth+1); err != nil {
			return err
		}
	}
	w.b = append(w.b, '}')
	return nil
}

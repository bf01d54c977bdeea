package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends v as JSON: keys in their order, bytes in base64, NaN and
// the infinities as strings, tuples and sets as arrays, keys that are not
// strings as the text of their JSON. Two keys of one text are an error, and so
// is a text that is not UTF-8; a *LimitError, JSON that is longer than that of
// any value that can be kept.
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
	w := jsonWriter{most: n, marks: true}
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
	marks bool // what JSON has no form for is marked, and is no error
}

func (w *jsonWriter) value(v any, depth int) error {
	if w.items++; len(w.b) > w.most || w.items > maxJSONItems {
		return errJSON
	}
	if depth > deepestShown {
		return errDeep
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
	switch {
	case utf8.ValidString(s):
		return w.quote(s)
	case w.marks:
		return w.notText(s)
	}
	return errNotText(s)
}

func errNotText(s string) error {
	return fmt.Errorf("JSON has no form for %.60q, which is not UTF-8", s)
}

// quote writes a JSON string.
func (w *jsonWriter) quote(s string) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s[:min(len(s), w.left())]); err != nil { // what is cut within a letter is too long anyway
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
	keys, err := w.keys(m, depth)
	if err != nil {
		return err
	}
	if len(keys) < m.Len() {
		return w.pairs(m, depth)
	}
	w.b = append(w.b, '{')
	for i, p := range m.Pairs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.quote(keys[i]); err != nil {
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

// keys returns the names that an object has for the keys of m; none where they
// would not tell two keys apart, or be taken for a mark, and marks are allowed.
func (w *jsonWriter) keys(m *Map, depth int) ([]string, error) {
	names := make([]string, 0, len(m.Pairs))
	var seen keySet
	mixed := slices.ContainsFunc(m.Pairs, func(p Pair) bool { _, ok := p.Key.(string); return !ok }) // strings are not alike in a dict
	for _, p := range m.Pairs {
		name, ok := p.Key.(string)
		if !ok {
			in := jsonWriter{most: w.left(), marks: w.marks}
			if err := in.value(p.Key, depth+1); err != nil {
				return nil, err
			}
			name = string(in.b)
		}
		alike, text := mixed && !seen.add(name), utf8.ValidString(name)
		switch {
		case w.marks && (alike || isMark(name) || !text):
			return nil, nil
		case w.marks:
		case !text:
			return nil, errNotText(name)
		case alike:
			return nil, fmt.Errorf("two keys of a dict are %.60q in JSON, one is %s", name, Short(p.Key, 60))
		}
		names = append(names, name)
	}
	return names, nil
}

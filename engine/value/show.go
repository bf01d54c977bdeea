package value

import (
	"encoding/base64"
	"fmt"
)

// A value is shown as JSON. What JSON has no form for is marked, as an object with
// one of these keys. Nothing of it is lost, and it never keeps what stands beside
// it from being shown.
const (
	markMap        = "$map"        // [key, value]…: a dict whose keys would be alike in JSON, or look like a mark
	markText       = "$text"       // base64 of a text that is not UTF-8
	markUnreadable = "$unreadable" // why a value cannot be shown
	markCBOR       = "$cbor"       // base64 of that value, encoded
)

// isMark reports whether an object with this key could be taken for another value.
func isMark(key string) bool { return key == markMap || key == markText }

// deepestShown bounds what is shown: a mark takes three levels in place of one.
const deepestShown = 4 * (MaxDepth + wrapping)

// MarshalJSON writes the value that r holds as JSON, as AppendJSON does, with
// marks for what JSON has no form for. It never fails: of a value that cannot be
// shown it writes why, and the value as it is encoded.
func (r Raw) MarshalJSON() ([]byte, error) {
	v, err := decode(r, deepestShown)
	if err == nil {
		var b []byte
		if b, err = Shown(v); err == nil {
			return b, nil
		}
	}
	said := NewMap(markUnreadable, err.Error())
	if len(r) <= 2*MaxBytes { // what can be kept, with what may be around it
		said.Set(markCBOR, []byte(r))
	}
	return AppendJSON(nil, said)
}

// Shown returns v as JSON, with marks for what JSON has no form for. The error is
// a *LimitError, or about a type that is no value.
func Shown(v any) ([]byte, error) {
	w := jsonWriter{most: maxJSON, marks: true}
	err := w.value(v, 0)
	return w.b, err
}

// UnmarshalJSON encodes what MarshalJSON has written, for who only shows it: of
// the bounds of a value none is kept. Who keeps it has to Check it.
func (r *Raw) UnmarshalJSON(b []byte) error {
	v, err := fromJSON(b, deepestShown)
	if err != nil {
		return err
	}
	*r, err = appendValue(nil, unmark(v), 0, &Budget{free: true})
	return err
}

// Unmarked encodes a JSON document of somebody who knows no marks: a key that
// looks like one is a key. Of the bounds of a value none is kept.
func Unmarked(b []byte) (Raw, error) {
	v, err := fromJSON(b, deepestShown)
	if err != nil {
		return nil, err
	}
	return appendValue(nil, v, 0, &Budget{free: true})
}

// unmark puts the value that is meant in the place of a mark.
func unmark(v any) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = unmark(e)
		}
	case *Map:
		if v.Len() == 1 {
			if meant, ok := meantBy(v.Pairs[0]); ok {
				return meant
			}
		}
		for i := range v.Pairs {
			v.Pairs[i].Value = unmark(v.Pairs[i].Value)
		}
	}
	return v
}

// meantBy returns what an object of one pair stands for, if it is a mark.
func meantBy(p Pair) (any, bool) {
	switch p.Key {
	case markText:
		s, _ := p.Value.(string)
		text, err := base64.StdEncoding.DecodeString(s)
		return string(text), err == nil && len(text) > 0
	case markMap:
		l, ok := p.Value.([]any)
		m := &Map{Pairs: make([]Pair, len(l))}
		for i, e := range l {
			pair, isPair := e.([]any)
			if !isPair || len(pair) != 2 {
				return nil, false
			}
			m.Pairs[i] = Pair{unmark(pair[0]), unmark(pair[1])}
		}
		return m, ok
	}
	return nil, false
}

// notText writes a text that JSON cannot have.
func (w *jsonWriter) notText(s string) error {
	s = s[:min(len(s), w.left())]
	w.b = fmt.Appendf(w.b, `{"%s":"%s"}`, markText, base64.StdEncoding.EncodeToString([]byte(s)))
	if len(w.b) > w.most {
		return errJSON
	}
	return nil
}

// pairs writes a dict that no JSON object can be.
func (w *jsonWriter) pairs(m *Map, depth int) error {
	w.b = fmt.Appendf(w.b, `{"%s":[`, markMap)
	for i, p := range m.Pairs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.list([]any{p.Key, p.Value}, depth); err != nil {
			return err
		}
	}
	w.b = append(w.b, "]}"...)
	return nil
}

package script

import (
	"go.starlark.net/starlark"
)

// chargeText counts the text that is about to be made of a value, n bytes of
// text apart. A list that stands many times in another has its text as many
// times.
func chargeText(t *starlark.Thread, n int, vs ...starlark.Value) error {
	b := budgetOf(t)
	w := writer{left: b.maxMemory - int64(n)}
	for _, v := range vs {
		w.value(v, 0)
	}
	if w.left < 0 {
		return b.exceeded("a single text is more than the %d bytes that a run may hold", b.maxMemory)
	}
	return b.charge(t, int(b.maxMemory-w.left))
}

// writer adds up how long a value's text is, until nothing is left.
type writer struct{ left int64 }

func (w *writer) value(v starlark.Value, depth int) {
	w.left -= 2
	if w.left < 0 || depth > 1000 {
		w.left = -1 // deeper than what a stack should bear
		return
	}
	switch v := v.(type) {
	case starlark.String:
		w.left -= int64(len(v))
	case starlark.Bytes:
		w.left -= 4 * int64(len(v))
	case starlark.Int:
		w.left -= int64(bitLen(v)) / 3
	case *starlark.Dict:
		for k, e := range v.Entries() {
			w.value(k, depth+1)
			w.value(e, depth+1)
			if w.left < 0 {
				return
			}
		}
	case *starlark.Set:
		for e := range v.Elements() {
			if w.value(e, depth+1); w.left < 0 {
				return
			}
		}
	case starlark.Indexable: // lists, tuples
		if _, lazy := v.(interface{ Elements() }); !lazy {
			w.elements(v, depth)
		}
	case starlark.HasAttrs:
		w.attrs(v, depth)
	default:
		w.left -= 30
	}
}

func (w *writer) elements(v starlark.Indexable, depth int) {
	switch v.(type) {
	case *starlark.List, starlark.Tuple:
		for i := range v.Len() {
			if w.value(v.Index(i), depth+1); w.left < 0 {
				return
			}
		}
	default: // a range, the bytes of a string: their text is that of their origin
		w.left -= int64(v.Len())
	}
}

func (w *writer) attrs(v starlark.HasAttrs, depth int) {
	if v.Type() != "struct" {
		w.left -= 30
		return
	}
	for _, name := range v.AttrNames() {
		w.left -= int64(len(name))
		a, err := v.Attr(name)
		if err != nil || a == nil {
			continue
		}
		if w.value(a, depth+1); w.left < 0 {
			return
		}
	}
}

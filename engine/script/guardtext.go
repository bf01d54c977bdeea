package script

import (
	"slices"

	"go.starlark.net/starlark"
)

// maxNesting bounds how deeply a value that is shown as text may be nested.
const maxNesting = 1000

// chargeText counts the text that is about to be made of values, and n bytes of
// other text. A list that stands many times in another has its text as many
// times.
func chargeText(t *starlark.Thread, n int, vs ...starlark.Value) error {
	b := budgetOf(t)
	w := writer{left: b.maxMemory - int64(n)}
	for _, v := range vs {
		w.value(v)
	}
	if w.left < 0 {
		return b.textTooLong()
	}
	return b.charge(t, int(b.maxMemory-w.left))
}

// writer subtracts how long a value's text is, until nothing is left.
type writer struct {
	left int64
	path []starlark.Value // the lists and dicts that it is in
}

func (w *writer) value(v starlark.Value) {
	w.left -= 2
	switch v := v.(type) {
	case starlark.String:
		w.left -= int64(len(v))
	case starlark.Bytes:
		w.left -= 4 * int64(len(v))
	case starlark.Int:
		w.left -= int64(bitLen(v)) / 3
	case *starlark.List:
		if !slices.Contains(w.path, starlark.Value(v)) { // else its text is "[...]"
			w.within(v, v.Len(), v.Index)
		}
	case starlark.Tuple:
		w.within(starlark.None, v.Len(), v.Index)
	case *starlark.Dict:
		if !slices.Contains(w.path, starlark.Value(v)) {
			items := v.Items()
			w.within(v, 2*len(items), func(i int) starlark.Value { return items[i/2][i%2] })
		}
	case *starlark.Set:
		w.within(starlark.None, v.Len(), elementAt(v))
	default:
		w.other(v)
	}
}

// fits reports whether a value's text is no longer than what is left.
func (w *writer) fits(v starlark.Value) bool {
	w.value(v)
	return w.left >= 0
}

func (w *writer) within(v starlark.Value, n int, at func(int) starlark.Value) {
	if len(w.path) == maxNesting {
		w.left = -1
		return
	}
	w.path = append(w.path, v)
	for i := 0; i < n && w.left >= 0; i++ {
		w.value(at(i))
	}
	w.path = w.path[:len(w.path)-1]
}

func (w *writer) other(v starlark.Value) {
	switch v := v.(type) {
	case starlark.HasAttrs:
		names := v.AttrNames()
		if v.Type() != "struct" {
			break
		}
		w.within(starlark.None, len(names), func(i int) starlark.Value {
			w.left -= int64(len(names[i]))
			a, err := v.Attr(names[i])
			if err != nil || a == nil {
				return starlark.None
			}
			return a
		})
		return
	case starlark.Sequence: // a range, the bytes of a string
		if v.Type() != "range" {
			w.left -= int64(v.Len())
		}
	}
	w.left -= 40
}

func elementAt(s *starlark.Set) func(int) starlark.Value {
	all := slices.Collect(s.Elements())
	return func(i int) starlark.Value { return all[i] }
}

package script

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
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
	if err := b.work(t, uint64(w.parts)/elementsPerStep); err != nil {
		return err
	}
	return b.charge(t, int(b.maxMemory-w.left))
}

// maxKey bounds the text of a tuple or struct that is a key, in bytes: Starlark
// hashes what stands in it many times as many times, and shows it in messages.
const maxKey = 1 << 20

// writer subtracts how long a value's text is, until nothing is left.
type writer struct {
	left  int64
	parts int              // how many values it has gone through
	path  []starlark.Value // the lists and dicts that it is in, since the last struct
	depth int
}

func (w *writer) value(v starlark.Value) {
	w.left -= 2
	w.parts++
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
	if w.depth == maxNesting {
		w.left = -1
		return
	}
	w.depth++
	w.path = append(w.path, v)
	for i := 0; i < n && w.left >= 0; i++ {
		w.value(at(i))
	}
	w.path = w.path[:len(w.path)-1]
	w.depth--
}

func (w *writer) other(v starlark.Value) {
	w.left -= 40
	if s, ok := v.(*starlarkstruct.Struct); ok {
		// Its text does not know in which lists it is: one that is in itself has
		// no end, but for the bound on depth.
		outer := w.path
		w.path = nil
		w.within(starlark.None, s.Len(), func(i int) starlark.Value {
			name, e := s.AttrAt(i)
			w.left -= int64(len(name))
			return e
		})
		w.path = outer
		return
	}
	if text, ok := viewed(v); ok {
		w.left -= int64(len(text))
	}
}

// shortText returns v as text for a message, or its type where that is long.
func shortText(v starlark.Value) string {
	if s, ok := starlark.AsString(v); ok {
		return fmt.Sprintf("%.40q", s)
	}
	if w := (writer{left: 60}); w.fits(v) {
		return v.String()
	}
	return v.Type()
}

func elementAt(s *starlark.Set) func(int) starlark.Value {
	all := slices.Collect(s.Elements())
	return func(i int) starlark.Value { return all[i] }
}

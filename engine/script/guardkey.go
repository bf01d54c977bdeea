package script

import (
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// chargeKey counts the hashing of a key.
func chargeKey(t *starlark.Thread, k starlark.Value) error {
	w := walkerOf(t)
	if err := w.key(k); err != nil {
		return err
	}
	return w.settle()
}

// key counts the hashing of a key, and the comparison with an equal one.
func (w *walker) key(k starlark.Value) error {
	switch k := k.(type) {
	case starlark.String:
		return w.pay(len(k) * elementsPerStep / bytesPerStep)
	case starlark.Bytes:
		return w.pay(len(k) * elementsPerStep / bytesPerStep)
	case starlark.Tuple, *starlarkstruct.Struct:
		text := writer{left: maxKey}
		if !text.fits(k) {
			return w.budget.exceeded("a key that is a %s would have more than %d bytes as text", k.Type(), maxKey)
		}
		return w.pay(text.parts + int(maxKey-text.left)*elementsPerStep/bytesPerStep)
	}
	return nil
}

// manyKeys is from how many keys on it is looked at whether they share hashes.
const manyKeys = 64

// keys counts the hashing of the elements of an iterable, as for a table that is
// made of them. Keys that share a hash are compared with each other: the first
// of n with none, the last with all.
func (w *walker) keys(v starlark.Iterable) error {
	return w.keysOf(v, func(e starlark.Value) starlark.Value { return e })
}

func (w *walker) keysOf(v starlark.Iterable, pick func(starlark.Value) starlark.Value) error {
	n := starlark.Len(v)
	if _, isText := viewed(v); isText || n < 0 {
		return nil // short texts and bytes
	}
	var same map[uint32]int
	if n >= manyKeys {
		same = make(map[uint32]int, n)
	}
	for e := range starlark.Elements(v) {
		k := pick(e)
		if k == nil {
			continue
		}
		if err := w.key(k); err != nil {
			return err
		}
		if same == nil {
			continue
		}
		h, err := k.Hash()
		if err != nil {
			break // Starlark says so, at this one
		}
		before := same[h]
		same[h]++
		if err := w.pay(1 + before); err != nil {
			return err
		}
	}
	return w.settle()
}

// chargeKeys counts the hashing of what is put into a set, or of the keys of
// what is put into a dict.
func chargeKeys(t *starlark.Thread, v starlark.Value, pairs bool) error {
	it, ok := v.(starlark.Iterable)
	if !ok {
		return nil
	}
	w := walkerOf(t)
	if _, isDict := v.(*starlark.Dict); isDict || !pairs {
		return w.keys(it)
	}
	return w.keysOf(it, func(e starlark.Value) starlark.Value {
		if p, ok := e.(starlark.Indexable); ok && p.Len() == 2 {
			return p.Index(0)
		}
		return nil
	})
}

// chargeTables counts an operation on dicts or sets: x | y and the like.
func chargeTables(t *starlark.Thread, vs ...starlark.Value) error {
	for _, v := range vs {
		switch v.(type) {
		case *starlark.Dict, *starlark.Set:
			if err := chargeKeys(t, v, false); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// search is strings.Index, and counts what it has gone through.
func search(t *starlark.Thread, s, sub string) (int, error) {
	i := strings.Index(s, sub)
	n := len(s)
	if i >= 0 {
		n = i + len(sub)
	}
	return i, budgetOf(t).charge(t, n)
}

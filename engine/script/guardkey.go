package script

import (
	"strings"
	"weak"

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
const manyKeys = 256

// keys counts the hashing of the elements of an iterable, as for a table that is
// made of them.
func (w *walker) keys(v starlark.Iterable) error {
	return w.keysOf(v, func(e starlark.Value) starlark.Value { return e })
}

func (w *walker) keysOf(v starlark.Iterable, pick func(starlark.Value) starlark.Value) error {
	n := starlark.Len(v)
	if _, isText := viewed(v); isText || n < 0 {
		return nil // short texts and bytes
	}
	c := crowd{walker: w, many: n >= manyKeys}
	for e := range starlark.Elements(v) {
		k := pick(e)
		if k == nil {
			continue
		}
		if over, err := c.add(k); over || err != nil {
			return err
		}
	}
	return w.settle()
}

// crowd finds keys that share a hash: each of them is compared with those before
// it, in one go where a table is made of them, or grows.
type crowd struct {
	*walker
	many  bool
	first map[uint32]starlark.Value   // of each hash
	more  map[uint32][]starlark.Value // further ones, up to maxTwins
	twins map[uint32]int              // how many there are beyond
}

// maxTwins is how many keys of one hash are told from each other.
const maxTwins = 8

// add counts one more key. over says that it is none: Starlark says so, and goes
// no further.
func (c *crowd) add(k starlark.Value) (over bool, err error) {
	if err := c.key(k); err != nil || !c.many {
		return false, err
	}
	h, err := k.Hash()
	if err != nil {
		return true, nil
	}
	if c.first == nil {
		c.first, c.more, c.twins = make(map[uint32]starlark.Value), make(map[uint32][]starlark.Value), make(map[uint32]int)
	}
	other, taken := c.first[h]
	if !taken {
		c.first[h] = k
		return false, c.pay(1)
	}
	for _, other := range append([]starlark.Value{other}, c.more[h]...) {
		if same, err := starlark.Equal(other, k); err != nil || same { // as long as the key is, which is counted
			return false, c.pay(1)
		}
	}
	if len(c.more[h]) < maxTwins { // as may be by chance, which is another in each process
		c.more[h] = append(c.more[h], k)
		return false, c.pay(1)
	}
	c.twins[h]++
	return false, c.pay(elementsPerStep * (maxTwins + c.twins[h]))
}

// chargeGrown counts the keys of a table that has grown to twice of what it had
// when they were counted last: what is put into it one by one may share hashes,
// too.
func chargeGrown(t *starlark.Thread, table starlark.Value) error {
	var (
		id any
		it starlark.Iterable
	)
	switch v := table.(type) {
	case *starlark.Dict:
		if v.Len() < manyKeys {
			return nil
		}
		id, it = weak.Make(v), v
	case *starlark.Set:
		if v.Len() < manyKeys {
			return nil
		}
		id, it = weak.Make(v), v
	default:
		return nil
	}
	b, n := budgetOf(t), starlark.Len(table)
	if n < 2*b.tables[id] {
		return nil
	}
	if b.tables == nil || len(b.tables) == maxTables {
		b.tables = make(map[any]int)
	}
	b.tables[id] = n
	w := walkerOf(t)
	return w.keys(it)
}

// chargeEntries counts the keys of a dict that is being made, of which entries
// has the keys and values by turns, and one key more, as often as they have
// doubled.
func chargeEntries(t *starlark.Thread, entries []starlark.Value) error {
	n := len(entries)/2 + 1
	if n < manyKeys || n&(n-1) != 0 {
		return nil
	}
	w := walkerOf(t)
	c := crowd{walker: &w, many: true}
	for i := 0; i < len(entries); i += 2 {
		if over, err := c.add(entries[i]); over || err != nil {
			return err
		}
	}
	return w.settle()
}

// maxTables bounds of how many tables it is remembered how large they were.
const maxTables = 1024

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

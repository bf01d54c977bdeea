package journal

import (
	"bytes"

	"github.com/tidwall/btree"
)

// overlay is what the log holds and the store does not have yet, in the order
// of keys: entries, removals of single keys, and ranges of keys of which
// nothing below the overlay is to be seen. It has no lock of its own.
type overlay struct {
	entries *btree.BTreeG[overlaid]
	ranges  *btree.BTreeG[span] // do not overlap
	hint    btree.PathHint
	bytes   int // what it takes of memory, about
}

// overlaid is an entry, or, with a nil value, a key that was removed. It shares
// memory with the frame that it came in.
type overlaid struct{ key, value []byte }

// overlaidBytes is what an entry takes beside its key and value.
const overlaidBytes = 96

func newOverlay() *overlay {
	options := btree.Options{NoLocks: true, Degree: 32}
	return &overlay{
		entries: btree.NewBTreeGOptions(func(a, b overlaid) bool { return bytes.Compare(a.key, b.key) < 0 }, options),
		ranges:  btree.NewBTreeGOptions(func(a, b span) bool { return bytes.Compare(a.from, b.from) < 0 }, options),
	}
}

// empty reports whether o changes nothing of what is below it.
func (o *overlay) empty() bool { return o.entries.Len() == 0 && o.ranges.Len() == 0 }

// apply carries out one operation, whose memory o keeps.
func (o *overlay) apply(p op) {
	switch p.kind {
	case opRemoveRange:
		o.removeRange(p.key, p.value)
		return
	case opRemove:
		p.value = nil
	}
	old, had := o.entries.SetHint(overlaid{p.key, p.value}, &o.hint)
	o.bytes += len(p.value)
	if had {
		o.bytes -= len(old.value)
	} else {
		o.bytes += len(p.key) + overlaidBytes
	}
}

func (o *overlay) removeRange(from, to []byte) {
	var gone [16]overlaid
	for {
		some := gone[:0]
		o.entries.AscendHint(overlaid{key: from}, func(e overlaid) bool {
			if bytes.Compare(e.key, to) >= 0 || len(some) == cap(some) {
				return false
			}
			some = append(some, e)
			return true
		}, &o.hint)
		for _, e := range some {
			o.entries.DeleteHint(e, &o.hint)
			o.bytes -= len(e.key) + len(e.value) + overlaidBytes
		}
		if len(some) < cap(some) {
			break
		}
	}
	o.hide(span{from, to})
}

// hide adds a range, and makes one of those that touch it.
func (o *overlay) hide(s span) {
	if before, ok := o.rangeAt(s.from); ok && bytes.Compare(before.to, s.from) >= 0 {
		s.from = before.from
		if bytes.Compare(before.to, s.to) > 0 {
			s.to = before.to
		}
	}
	for {
		var next span
		found := false
		o.ranges.Ascend(s, func(r span) bool {
			next, found = r, bytes.Compare(r.from, s.to) <= 0
			return false
		})
		if !found {
			break
		}
		o.ranges.Delete(next)
		if bytes.Compare(next.to, s.to) > 0 {
			s.to = next.to
		}
	}
	o.ranges.Set(s)
}

// rangeAt returns the range with the highest beginning that is not above key.
func (o *overlay) rangeAt(key []byte) (s span, ok bool) {
	o.ranges.Descend(span{from: key}, func(r span) bool {
		s, ok = r, true
		return false
	})
	return s, ok
}

// hides reports whether an entry below o with this key is not to be seen,
// leaving aside the entries of o.
func (o *overlay) hides(key []byte) bool {
	if o.ranges.Len() == 0 {
		return false
	}
	s, ok := o.rangeAt(key)
	return ok && bytes.Compare(key, s.to) < 0
}

// get returns what o says of key: known is false if it says nothing.
func (o *overlay) get(key []byte) (value []byte, known bool) {
	if e, ok := o.entries.Get(overlaid{key: key}); ok {
		return e.value, true
	}
	return nil, o.hides(key)
}

// operations returns what a store has to do to get what o holds, in order:
// ranges first, for the entries came after them.
func (o *overlay) operations() []op {
	ops := make([]op, 0, o.ranges.Len()+o.entries.Len())
	o.ranges.Scan(func(s span) bool {
		ops = append(ops, op{opRemoveRange, s.from, s.to})
		return true
	})
	o.entries.Scan(func(e overlaid) bool {
		kind := opPut
		if e.value == nil {
			kind = opRemove
		}
		ops = append(ops, op{kind, e.key, e.value})
		return true
	})
	return ops
}

// copied returns what o holds now; later changes of o do not show in it. The
// caller keeps others from o meanwhile.
func (o *overlay) copied() *overlay {
	return &overlay{entries: o.entries.Copy(), ranges: o.ranges.Copy()}
}

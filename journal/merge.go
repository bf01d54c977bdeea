package journal

import (
	"bytes"
	"sort"

	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"
)

// view is what a scan sees of an overlay: its entries in a range of keys, and
// the ranges of which nothing below is to be seen, both in order.
type view struct {
	entries []overlaid
	ranges  []span
	more    *btree.IterG[overlaid] // not nil: entries go on there
	rest    *overlay               // not nil: ranges are asked there
	to      []byte
}

// directScan is how many entries of an overlay a scan copies under the lock.
// For more it copies the overlay, which is done at once, and makes the commits
// that follow copy what they change.
const directScan = 256

// view returns what o has from <= key < to. The caller keeps others from o;
// unless it is sealed, they may change it later.
func (o *overlay) view(from, to []byte, sealed bool) view {
	v := view{to: to}
	o.entries.Ascend(overlaid{key: from}, func(e overlaid) bool {
		if to != nil && bytes.Compare(e.key, to) >= 0 {
			return false
		}
		v.entries = append(v.entries, e)
		return len(v.entries) <= directScan
	})
	if s, ok := o.rangeAt(from); ok {
		v.ranges = append(v.ranges, s)
	}
	o.ranges.Ascend(span{from: from}, func(r span) bool {
		if to != nil && bytes.Compare(r.from, to) >= 0 {
			return false
		}
		v.ranges = append(v.ranges, r)
		return len(v.ranges) <= directScan
	})
	if len(v.entries) <= directScan && len(v.ranges) <= directScan {
		return v
	}
	v = view{rest: o, to: to}
	if !sealed {
		v.rest = o.copied()
	}
	more := v.rest.entries.Iter()
	v.more = &more
	if !more.Seek(overlaid{key: from}) {
		v.more = nil
	} else {
		v.entries = []overlaid{more.Item()}
	}
	return v
}

// peek returns the next entry.
func (v *view) peek() (e overlaid, ok bool) {
	if len(v.entries) == 0 {
		return overlaid{}, false
	}
	e = v.entries[0]
	return e, v.to == nil || bytes.Compare(e.key, v.to) < 0
}

func (v *view) next() {
	switch {
	case v.more == nil:
		v.entries = v.entries[1:]
	case v.more.Next():
		v.entries[0] = v.more.Item()
	default:
		v.more.Release()
		v.more, v.entries = nil, nil
	}
}

// hides returns the end of the range in which nothing below is to be seen, nil
// if key lies in none. It is asked of the file's keys and of the other
// overlay's, one ahead of the other: so it may not forget ranges that it passed.
func (v *view) hides(key []byte) []byte {
	var s span
	if v.rest != nil {
		s, _ = v.rest.rangeAt(key)
	} else {
		above := sort.Search(len(v.ranges), func(i int) bool { return bytes.Compare(v.ranges[i].from, key) > 0 })
		if above > 0 {
			s = v.ranges[above-1]
		}
	}
	if bytes.Compare(key, s.to) < 0 {
		return s.to
	}
	return nil
}

// release gives up what is left.
func (v *view) release() {
	if v.more != nil {
		v.more.Release()
		v.more = nil
	}
}

// merge calls f with what is to be seen of two overlays, the newer first, and
// the file below them, until it returns false.
func merge(upper, lower *view, c *bbolt.Cursor, from, to []byte, f func(key, value []byte) bool) {
	defer upper.release()
	defer lower.release()
	inRange := func(k []byte) bool { return k != nil && (to == nil || bytes.Compare(k, to) < 0) }
	k, v := c.Seek(from)
	for {
		// What is hidden below.
		for inRange(k) {
			if string(k) == keySum { // the file's own
				k, v = c.Next()
				continue
			}
			end := upper.hides(k)
			if end == nil {
				end = lower.hides(k)
			}
			if end == nil {
				break
			}
			k, v = c.Seek(end)
		}
		low, haveLow := lower.peek()
		for haveLow && upper.hides(low.key) != nil {
			lower.next()
			low, haveLow = lower.peek()
		}
		high, haveHigh := upper.peek()
		below := inRange(k)
		if !haveHigh && !haveLow && !below {
			return
		}
		// The smallest key; of equal ones that of the newest.
		var e overlaid
		switch {
		case haveHigh && (!haveLow || bytes.Compare(high.key, low.key) <= 0) && (!below || bytes.Compare(high.key, k) <= 0):
			e = high
		case haveLow && (!below || bytes.Compare(low.key, k) <= 0):
			e = low
		default:
			e = overlaid{k, v}
		}
		if e.value != nil && !f(e.key, e.value) {
			return
		}
		if haveHigh && bytes.Equal(high.key, e.key) {
			upper.next()
		}
		if haveLow && bytes.Equal(low.key, e.key) {
			lower.next()
		}
		if below && bytes.Equal(k, e.key) {
			k, v = c.Next()
		}
	}
}

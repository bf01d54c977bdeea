package engine

import (
	"bytes"
	"hash/maphash"

	"holdfast/journal"
)

// Bounds of what a run knows of its own record, so that a thousand runs do not
// take much memory: how many calls, and how many bytes of all of them.
const (
	maxKnown   = 32
	knownBytes = 16 << 10
)

var knownSeed = maphash.MakeSeed()

// known is the calls that a run has made last, with the places at which its
// record holds them in full. A replay builds it anew.
type known struct {
	list  []knownCall
	sums  [maxKnown]uint64 // of the keys, side by side: most are looked at in vain
	used  [maxKnown]uint64 // the clock when each was looked for last
	sum   uint64           // of the key that find was asked for last
	clock uint64
	size  int // bytes of keys and outcomes
}

// knownCall is one call, and what came of it.
type knownCall struct {
	kind   journal.Kind // kindDone or kindReceived
	place  uint32       // of the record that holds the call in full
	gaveAt uint32       // of the kindDone that holds the outcome in full
	key    []byte       // draft.key
	out    []byte       // draft.outcome; empty: none is known
}

// nothing is the outcome of a step without error and result. It is as short as
// its place would be.
var nothing = []byte{0xf6, 0xf6}

// gave reports whether an outcome is the one that is known.
func (c *knownCall) gave(out []byte) bool { return len(c.out) > 0 && bytes.Equal(c.out, out) }

func (c *knownCall) size() int { return cap(c.key) + cap(c.out) }

// find returns the index of a call, negative if it is not known.
func (k *known) find(kind journal.Kind, key []byte) int {
	k.sum = maphash.Bytes(knownSeed, key)
	k.clock++
	for i, sum := range k.sums[:len(k.list)] {
		if sum != k.sum {
			continue
		}
		if c := &k.list[i]; c.kind == ofCall(kind) && bytes.Equal(c.key, key) {
			k.used[i] = k.clock
			return i
		}
	}
	return -1
}

// ofCall is one kind for a step's beginning and its end.
func ofCall(kind journal.Kind) journal.Kind {
	if kind == kindBegun {
		return kindDone
	}
	return kind
}

// put says at which place the record holds a call in full, and returns its
// index. i is what find has returned for it just now: a call that it did not
// know takes the room of the one that was used longest ago. One that is too
// long stays unknown.
func (k *known) put(i int, kind journal.Kind, key []byte, place uint32) int {
	if i >= 0 {
		k.list[i].place = place
		return i
	}
	if len(key) > knownBytes/4 {
		return -1
	}
	if i = len(k.list); i < maxKnown {
		k.list = append(k.list, knownCall{})
	} else {
		i = k.oldest(-1)
	}
	c := &k.list[i]
	k.size -= c.size()
	*c = knownCall{kind: ofCall(kind), place: place, key: append(c.key[:0], key...), out: c.out[:0]}
	k.size += c.size()
	k.sums[i], k.used[i] = k.sum, k.clock
	return k.fit(i)
}

// came says at which place the record holds an outcome of call i in full.
func (k *known) came(i int, out []byte, place uint32) {
	if bytes.Equal(out, nothing) || len(out) > knownBytes/4 {
		return
	}
	c := &k.list[i]
	k.size -= c.size()
	c.out, c.gaveAt = append(c.out[:0], out...), place
	k.size += c.size()
	k.fit(i)
}

// oldest returns the index of the call that was used longest ago, but for one.
func (k *known) oldest(but int) int {
	oldest := -1
	for i, used := range k.used[:len(k.list)] {
		if i != but && (oldest < 0 || used < k.used[oldest]) {
			oldest = i
		}
	}
	return oldest
}

// fit forgets calls, but not call i, until the rest are within the bound. It
// returns the index of i, which may have moved.
func (k *known) fit(i int) int {
	for k.size > knownBytes && len(k.list) > 1 {
		gone, last := k.oldest(i), len(k.list)-1
		k.size -= k.list[gone].size()
		k.list[gone], k.sums[gone], k.used[gone] = k.list[last], k.sums[last], k.used[last]
		k.list[last] = knownCall{}
		k.list = k.list[:last]
		if i == last {
			i = gone
		}
	}
	return i
}

// hearCall takes up, while the record is replayed, a call that it answers, and
// returns the call's index.
func (r *Run) hearCall(kind journal.Kind, o *opened) int {
	d := &r.draft
	d.b = d.b[:0]
	for _, f := range o.fs[:asked(kind)] {
		d.b = append(d.b, f...)
	}
	return r.known.put(r.known.find(kind, d.b), kind, d.b, o.call)
}

// hearOutcome takes up what came of call i.
func (r *Run) hearOutcome(i int, o *opened) {
	if i >= 0 && len(o.fs[2])+len(o.fs[3]) <= knownBytes/4 { // else came would not keep it, and the draft would stay that large
		d := &r.draft
		d.b = append(append(d.b[:0], o.fs[2]...), o.fs[3]...)
		r.known.came(i, d.b, o.gaveAt)
	}
}

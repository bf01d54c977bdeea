package engine

import (
	"holdfast/engine/value"
	"holdfast/journal"
)

// What a reader takes for the fields that a record ends without: each is one byte.
var (
	begunStands    = []byte{0xf6, 0xf6, 0xf4, 0x01, 0xf6} // nil, nil, false, 1, nil
	doneStands     = []byte{0xf6, 0xf6, 0xf6, 0xf6, 0x01, 0xf4, 0x00}
	receivedStands = []byte{0xf6, 0xf6, 0xf6, 0xf6, 0xf6, 0xf6}
)

// standing returns what stands for the fields of a kind; nil of a kind that has
// them all.
func standing(kind journal.Kind) []byte {
	switch kind {
	case kindBegun:
		return begunStands
	case kindDone:
		return doneStands
	case kindReceived:
		return receivedStands
	}
	return nil
}

// asked is how many fields of a kind say what was called, and with what.
func asked(kind journal.Kind) int {
	if kind == kindReceived {
		return 3
	}
	return 2
}

// inFull, in the place of an earlier record's place, says that a record itself
// holds something.
const inFull = -1

// draft is a record on its way into the journal, all that it says in full, so
// that it can be compared with others.
type draft struct {
	kind   journal.Kind
	n      int    // how many fields there are
	at     [8]int // where in b each begins, and where the last ends
	used   int    // how many are written: those behind are as standing says
	b      []byte
	behind bool // the kindBegun of the same place holds the call

	// What stands instead, by shorten.
	known int   // the call's index among the known ones; negative: it is none
	call  int64 // place of the record that holds the call, or inFull
	came  int64 // place of the record that holds the outcome, or inFull
}

// set makes d the draft of a record of kind with all its fields.
func (d *draft) set(kind journal.Kind, vs ...any) {
	d.kind, d.n, d.used, d.behind = kind, len(vs), 0, false
	std := standing(kind)
	d.b = append(d.b[:0], 0)
	for i, v := range vs {
		d.at[i] = len(d.b)
		d.b = field(d.b, v)
		if len(d.b) != d.at[i]+1 || d.b[d.at[i]] != std[i] {
			d.used = i + 1
		}
	}
	d.at[d.n] = len(d.b)
	d.b[0] = value.MajorArray<<5 | byte(d.used)
}

// full is the record's data, with nothing left to other records.
func (d *draft) full() []byte { return d.b[:d.at[d.used]] }

// key is what was called, and with what.
func (d *draft) key() []byte { return d.b[d.at[0]:d.at[asked(d.kind)]] }

// outcome is what came of the step of a kindDone: its error and its result.
func (d *draft) outcome() []byte { return d.b[d.at[2]:d.at[4]] }

// data appends the record's data to b, with what other records hold left to them.
func (d *draft) data(b []byte) []byte {
	std, used, end := standing(d.kind), 0, 1
	b = append(b, 0)
	for i := range d.n {
		at := len(b)
		switch {
		case i == 0 && d.call != inFull:
			b = value.AppendHead(b, value.MajorUint, uint64(d.call))
		case i == 1 && d.came != inFull:
			b = value.AppendHead(b, value.MajorUint, uint64(d.came))
		case i < asked(d.kind) && (d.call != inFull || d.behind), (i == 2 || i == 3) && d.came != inFull:
			b = value.AppendNil(b)
		default:
			b = append(b, d.b[d.at[i]:d.at[i+1]]...)
		}
		if len(b) != at+1 || b[at] != std[i] {
			used, end = i+1, len(b)
		}
	}
	b[0] = value.MajorArray<<5 | byte(used)
	return b[:end]
}

// shorten returns the data of the draft for a place: in the program's lane with
// the places of earlier records for what those hold in full. It is valid until
// the next draft.
func (r *Run) shorten(d *draft, seq uint32) []byte {
	d.known, d.call, d.came = -1, inFull, inFull
	if seq < laneNotes {
		d.known = r.known.find(d.kind, d.key())
	}
	if d.known >= 0 {
		k := &r.known.list[d.known]
		if !d.behind && k.place != seq { // an intent is written again at its own place
			d.call = int64(k.place)
		}
		if d.kind == kindDone && k.gave(d.outcome()) {
			d.came = int64(k.outcomeAt)
		}
	}
	if d.call == inFull && d.came == inFull && !d.behind {
		return d.full()
	}
	r.encoded = d.data(r.encoded[:0])
	return r.encoded
}

// remember takes up what the draft's record, now in the journal at a place,
// holds in full: later records may refer to it.
func (r *Run) remember(d *draft, seq uint32) {
	if seq >= laneNotes {
		return
	}
	if d.call == inFull && !d.behind {
		d.known = r.known.put(d.known, d.kind, d.key(), seq)
	}
	if d.known >= 0 && d.kind == kindDone && d.came == inFull {
		r.known.came(d.known, d.outcome(), seq)
	}
}

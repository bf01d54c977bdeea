package record

import (
	"holdfast/engine/value"
	"holdfast/journal"
)

// What a reader takes for the fields that a record ends without: each is one byte.
var (
	begunDefaults    = []byte{0xf6, 0xf6, 0xf4, 0x01, 0xf6} // nil, nil, false, 1, nil
	doneDefaults     = []byte{0xf6, 0xf6, 0xf6, 0xf6, 0x01, 0xf4, 0x00}
	receivedDefaults = []byte{0xf6, 0xf6, 0xf6, 0xf6, 0xf6, 0xf6}
)

// defaultsOf returns what stands for the fields of a kind; nil of a kind that
// has them all.
func defaultsOf(kind journal.Kind) []byte {
	switch kind {
	case KindBegun:
		return begunDefaults
	case KindDone:
		return doneDefaults
	case KindReceived:
		return receivedDefaults
	}
	return nil
}

// callFields is how many fields of a kind say what was called, and with what.
func callFields(kind journal.Kind) int {
	if kind == KindReceived {
		return 3
	}
	return 2
}

// inFull, in the place of an earlier record's place, says that a record itself
// holds something.
const inFull = -1

// Writer encodes the records of calls of one branch, one at a time: Begun, Done
// or Received says what the record is to hold, Full and Data encode it, and
// Appended says that it is in the journal, so that later ones may refer to it.
// The zero Writer is ready.
type Writer struct {
	kind   journal.Kind
	n      int    // how many fields there are
	at     [8]int // where in b each begins, and where the last ends
	used   int    // how many are written: those behind are as defaultsOf says
	b      []byte
	behind bool // the Begun of the same place holds the call

	// Of Data.
	place   Place
	index   int   // the call's index among the known ones; negative: it is none
	call    int64 // Seq of the record that holds the call, or inFull
	outcome int64 // Seq of the record that holds the outcome, or inFull
	buf     []byte

	known known
}

// begin makes w the draft of a record of a kind. Its fields follow, each
// appended to w.b and ended by field.
func (w *Writer) begin(kind journal.Kind) {
	w.kind, w.n, w.used, w.behind = kind, 0, 0, false
	w.b = append(w.b[:0], 0)
	w.at[0] = 1
}

// field ends a field: b is w.b with it.
func (w *Writer) field(b []byte) {
	from := w.at[w.n]
	if len(b) != from+1 || b[from] != defaultsOf(w.kind)[w.n] {
		w.used = w.n + 1
	}
	w.n++
	w.b, w.at[w.n] = b, len(b)
}

func (w *Writer) end() { w.b[0] = value.MajorArray<<5 | byte(w.used) }

// Kind returns the kind of the record.
func (w *Writer) Kind() journal.Kind { return w.kind }

// Full returns the record's data with nothing left to other records: what an
// equal one has to be equal to. It is valid until the next record.
func (w *Writer) Full() []byte { return w.b[:w.at[w.used]] }

// callKey is what was called, and with what.
func (w *Writer) callKey() []byte { return w.b[w.at[0]:w.at[callFields(w.kind)]] }

// outcomeKey is what came of the step of a Done: its failure and its result.
func (w *Writer) outcomeKey() []byte { return w.b[w.at[2]:w.at[4]] }

// Data returns the record's data for a place: in the main branch with the
// places of earlier records for what those hold in full. It is valid until the
// next record.
func (w *Writer) Data(at Place) []byte {
	w.place, w.index, w.call, w.outcome = at, -1, inFull, inFull
	if at.Branch == Main {
		w.index = w.known.find(w.kind, w.callKey())
	}
	if w.index >= 0 {
		k := &w.known.list[w.index]
		if !w.behind && k.callAt != at.Seq { // a Begun is written again at its own place
			w.call = int64(k.callAt)
		}
		if w.kind == KindDone && k.hasOutcome(w.outcomeKey()) {
			w.outcome = int64(k.outcomeAt)
		}
	}
	if w.call == inFull && w.outcome == inFull && !w.behind {
		return w.Full()
	}
	w.buf = w.shortened(w.buf[:0])
	return w.buf
}

// shortened appends the record's data to b, with what other records hold left
// to them.
func (w *Writer) shortened(b []byte) []byte {
	defaults, used, end := defaultsOf(w.kind), 0, 1
	b = append(b, 0)
	for i := range w.n {
		at := len(b)
		switch {
		case i == 0 && w.call != inFull:
			b = value.AppendHead(b, value.MajorUint, uint64(w.call))
		case i == 1 && w.outcome != inFull:
			b = value.AppendHead(b, value.MajorUint, uint64(w.outcome))
		case i < callFields(w.kind) && (w.call != inFull || w.behind), (i == 2 || i == 3) && w.outcome != inFull:
			b = value.AppendNil(b)
		default:
			b = append(b, w.b[w.at[i]:w.at[i+1]]...)
		}
		if len(b) != at+1 || b[at] != defaults[i] {
			used, end = i+1, len(b)
		}
	}
	b[0] = value.MajorArray<<5 | byte(used)
	return b[:end]
}

// Appended says that the record is in the journal as Data encoded it last:
// later ones may refer to what it holds in full.
func (w *Writer) Appended() {
	if w.place.Branch != Main {
		return
	}
	if w.call == inFull && !w.behind {
		w.index = w.known.put(w.index, w.kind, w.callKey(), w.place.Seq)
	}
	if w.index >= 0 && w.kind == KindDone && w.outcome == inFull {
		w.known.setOutcome(w.index, w.outcomeKey(), w.place.Seq)
	}
}

// replayed takes up a call that the record answers, as Appended did when it was
// made. w.b holds its key; at is the Seq of the record that has it in full.
func (w *Writer) replayed(kind journal.Kind, at uint32) {
	w.index = w.known.put(w.known.find(kind, w.b), kind, w.b, at)
}

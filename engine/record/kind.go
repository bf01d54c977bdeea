package record

import "holdfast/journal"

// The kinds of record: what the journal keeps as data. The numbers are part of
// the file format. The layout of each is said at its type.
const (
	KindBegun     journal.Kind = 1
	KindDone      journal.Kind = 2
	KindReceived  journal.Kind = 3
	KindValue     journal.Kind = 4
	KindEvent     journal.Kind = 5
	KindStream    journal.Kind = 6
	KindProgress  journal.Kind = 7
	KindNote      journal.Kind = 8
	KindCompleted journal.Kind = 9
)

// OfCall reports whether records of a kind tell of a call: a Begun, a Done or a
// Received. They may leave to earlier records what those hold in full, and end
// with what goes without saying left out.
func OfCall(k journal.Kind) bool { return k == KindBegun || k == KindDone || k == KindReceived }

// Joins reports whether equal records of a kind, one behind the other, are kept
// as one with a count.
func Joins(k journal.Kind) bool { return k == KindDone || k == KindReceived }

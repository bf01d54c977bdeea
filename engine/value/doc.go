// Package value holds what passes between a script, its steps and the record:
// plain values, and their encoding in CBOR (RFC 8949).
//
// The Go types are nil, bool, int64, *big.Int (only outside int64), float64,
// string, []byte, []any, Tuple, Set, *Map, *Struct and Secret. The encoding keeps what
// JSON would lose: whole numbers and floats apart, bytes, the order of keys,
// keys that are not strings, and the difference between a tuple and a list. It
// has one form for each value, so equal bytes mean equal values.
//
// A value is bounded by MaxDepth, MaxItems and MaxBytes while it is encoded; see
// Budget.
package value

// Raw is one encoded value. Encode passes it through unchanged; it marshals to
// JSON as the value that it holds.
type Raw []byte

// Tuple and Set are a script's tuple and set; []any is its list.
type (
	Tuple []any
	Set   []any
)

// Secret is the name of a credential that stands for what it holds, which is
// looked up only where it is sent: no record, and no message, has more than the
// name.
type Secret string

// String shows the secret as a script writes it.
func (s Secret) String() string { return "secret(" + string(s) + ")" }

// CBOR tags of the kinds that CBOR has not: TagSet is registered with IANA,
// TagTuple, TagStruct and TagSecret are Holdfast's own.
const (
	TagPosBig = 2
	TagNegBig = 3
	TagSet    = 258
	TagTuple  = 39000
	TagStruct = 39001
	TagSecret = 39002 // on a text, the name
)

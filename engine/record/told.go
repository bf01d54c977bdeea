package record

import (
	"fmt"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Told is what a program has told the outside: [key, value] of an event,
// [stream, value] of an item of a stream, [message, extra] of a progress line.
type Told struct {
	Kind  journal.Kind // KindEvent, KindStream or KindProgress
	Key   string       // or the stream, or the message
	Value value.Raw    // or extra
}

// Append appends the record's data to b.
func (t *Told) Append(b []byte) []byte { return appendPair(b, t.Key, t.Value) }

// ReadTold reads a Told. An error is one of the record.
func ReadTold(rec *journal.Record) (Told, error) {
	key, v, err := pairOf(rec)
	return Told{rec.Kind, key, v}, err
}

// Value is a value that the engine has made up for the program: [what, value].
type Value struct {
	What  string // "now", "random" or "uuid"
	Value value.Raw
}

// Append appends the record's data to b.
func (v *Value) Append(b []byte) []byte { return appendPair(b, v.What, v.Value) }

// ReadValue reads a Value. An error is one of the record.
func ReadValue(rec *journal.Record) (Value, error) {
	what, v, err := pairOf(rec)
	return Value{what, v}, err
}

func appendPair(b []byte, key string, v value.Raw) []byte {
	b = value.AppendHead(b, value.MajorArray, 2)
	return appendRaw(value.AppendString(b, key), v)
}

func pairOf(rec *journal.Record) (key string, v value.Raw, err error) {
	var room [2]value.Raw
	fs, err := value.Split(rec.Data, room[:0])
	if err == nil && len(fs) < 2 {
		err = fmt.Errorf("%d fields, 2 expected", len(fs))
	}
	if err == nil {
		key, err = fs[0].Text()
	}
	if err != nil {
		return "", nil, unreadable(rec, err)
	}
	return key, fs[1], nil
}

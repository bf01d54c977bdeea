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

	// InBody says that the body of a step told it: no replay asks for it. It is
	// a third field, true, and not there otherwise.
	InBody bool
}

// Append appends the record's data to b.
func (t *Told) Append(b []byte) []byte {
	if !t.InBody {
		return appendPair(b, t.Key, t.Value)
	}
	return fields(b, t.Key, t.Value, true)
}

// ToldInBody reports whether a record is a Told of the body of a step.
func ToldInBody(rec *journal.Record) bool {
	switch rec.Kind {
	case KindEvent, KindStream, KindProgress:
		major, n, _, err := value.ReadHead(rec.Data)
		return err == nil && major == value.MajorArray && n > 2
	}
	return false
}

// ReadTold reads a Told. An error is one of the record.
func ReadTold(rec *journal.Record) (Told, error) {
	key, v, err := pairOf(rec)
	return Told{rec.Kind, key, v, ToldInBody(rec)}, err
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
	var room [3]value.Raw
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

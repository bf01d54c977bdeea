package engine

import (
	"fmt"

	"holdfast/engine/value"
	"holdfast/journal"
)

// The kinds of record, with their layouts: what the journal keeps as data. The
// numbers are part of the file format. Fields are added at the end only. Of the
// first three, fields at the end may be left out (standing), and places of
// earlier records stand for what those hold in full (open).
const (
	kindBegun    journal.Kind = 1 // a step has begun: [name, args, effect, attempt, prepared]; effect is false while none is at work
	kindDone     journal.Kind = 2 // a step has ended: [name, args, error, result, attempts, recovered, took ms]; behind a kindBegun name and args are nil, and took is left out
	kindReceived journal.Kind = 3 // a receive has ended: [call, topic, state, result, fates, messages: [number, uuid]…]
	kindValue    journal.Kind = 4 // now, random, uuid: [what, value]
	kindEvent    journal.Kind = 5 // [key, value]; a third field, true, says of this and of the next two that the body of a step told it, and that no replay asks for it
	kindStream   journal.Kind = 6 // [stream, value]
	kindProgress journal.Kind = 7 // [message, extra]
	kindNote     journal.Kind = 8 // what the engine did by itself: [what, …]; what is started, recovered, held, lost, asked, safe, settled, command, resolved or moot
	kindEnding   journal.Kind = 9 // the program has ended, the safe state is next: [status, state, error, result, begin of the safe state in its lane]
)

// A record's Seq lies in one of three lanes: what the program did, in its
// order; what the engine noted about the run; what was written for its safe state.
const (
	laneNotes uint32 = 1 << 30
	laneSafe  uint32 = 1 << 31
)

// fields appends an array of values to b: of the types that a record is made
// of, none of which can fail to encode.
func fields(b []byte, vs ...any) []byte {
	b = value.AppendHead(b, value.MajorArray, uint64(len(vs)))
	for _, v := range vs {
		b = field(b, v)
	}
	return b
}

// field appends one value.
func field(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return value.AppendNil(b)
	case value.Raw:
		if len(v) == 0 {
			return value.AppendNil(b)
		}
		return append(b, v...)
	case string:
		return value.AppendString(b, v)
	case bool:
		return value.AppendBool(b, v)
	case int:
		return value.AppendInt(b, int64(v))
	case int64:
		return value.AppendInt(b, v)
	case uint32:
		return value.AppendInt(b, int64(v))
	case uint64:
		return value.AppendHead(b, value.MajorUint, v)
	case float64:
		return value.AppendFloat(b, v)
	case []any:
		return fields(b, v...)
	}
	panic("engine: a record has no fields of this type")
}

// split returns the n fields of a record's data.
func split(rec *journal.Record, n int, into []value.Raw) ([]value.Raw, error) {
	fs, err := value.Split(rec.Data, into)
	if err == nil && len(fs) < n {
		err = fmt.Errorf("%d fields, %d expected", len(fs), n)
	}
	if err != nil {
		return nil, unreadable(rec, err)
	}
	return fs, nil
}

func unreadable(rec *journal.Record, err error) error {
	return fmt.Errorf("record %d of kind %d cannot be read: %w", rec.Seq, rec.Kind, err)
}

// errorFields and errorOf carry a StepError through the record.
func errorFields(e *StepError) any {
	if e == nil {
		return nil
	}
	return []any{e.Type, e.Message, e.Step, int64(e.Attempts), e.Unknown, e.Bug}
}

func errorOf(r value.Raw) (*StepError, error) {
	if r.IsNil() {
		return nil, nil
	}
	v, err := value.Decode(r)
	if err != nil {
		return nil, err
	}
	l, ok := v.([]any)
	if !ok || len(l) < 6 {
		return nil, fmt.Errorf("recorded error is %v", v)
	}
	e := &StepError{}
	e.Type, _ = l[0].(string)
	e.Message, _ = l[1].(string)
	e.Step, _ = l[2].(string)
	n, _ := l[3].(int64)
	e.Attempts = int(n)
	e.Unknown, _ = l[4].(bool)
	e.Bug, _ = l[5].(bool)
	return e, nil
}

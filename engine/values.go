package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Now returns the time in seconds since 1970, the same on replay.
func (r *Run) Now() (float64, error) {
	v, err := r.nondeterministic("now", func() any { return float64(time.Now().UnixMicro()) / 1e6 })
	f, _ := v.(float64)
	return f, err
}

// Random returns a number in [0, 1), the same on replay.
func (r *Run) Random() (float64, error) {
	v, err := r.nondeterministic("random", func() any {
		var b [8]byte
		rand.Read(b[:]) // never fails, says its documentation
		return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
	})
	f, _ := v.(float64)
	return f, err
}

// UUID returns a random UUID (RFC 9562, version 4), the same on replay.
func (r *Run) UUID() (string, error) {
	v, err := r.nondeterministic("uuid", func() any {
		var b [16]byte
		rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	})
	s, _ := v.(string)
	return s, err
}

// nondeterministic records a value that the engine makes up.
func (r *Run) nondeterministic(what string, choose func() any) (any, error) {
	l := &r.main
	if l.fatal != nil {
		return nil, l.fatal
	}
	if l.replay.active() {
		return l.replayValue(what)
	}
	v := choose()
	enc, err := value.Encode(v)
	if err != nil {
		return nil, l.setFatal(&recordError{err})
	}
	l.buf = (&record.Value{What: what, Value: enc}).Append(l.buf[:0])
	return v, l.appendRecord(record.KindValue, l.buf, journal.Later)
}

// replayValue answers with a value of the record.
func (l *lane) replayValue(what string) (any, error) {
	rec := l.replay.peek()
	if rec.Kind != record.KindValue {
		return nil, l.mismatch(rec, record.ShowValue(what), nil)
	}
	recorded, err := record.ReadValue(rec)
	if err != nil {
		return nil, l.unreadable(err)
	}
	if recorded.What != what {
		return nil, l.mismatch(rec, record.ShowValue(what), nil)
	}
	v, err := value.Decode(recorded.Value)
	if err != nil {
		return nil, l.unreadable(err)
	}
	l.advanceReplay(rec)
	return v, nil
}

// Progress appends {ts, message, extra} to the stream "log" and sets the event
// "phase.last_message".
func (r *Run) Progress(message string, extra any) error {
	return r.publish(record.KindProgress, message, extra, func(value.Raw) { r.events["phase.last_message"], _ = value.Encode(message) })
}

// SetEvent sets the latest value of a key that is readable from outside.
func (r *Run) SetEvent(key string, v any) error {
	return r.publish(record.KindEvent, key, v, func(enc value.Raw) { r.events[key] = enc })
}

// WriteStream appends a value to a stream that is readable from outside.
func (r *Run) WriteStream(key string, v any) error {
	return r.publish(record.KindStream, key, v, func(value.Raw) {})
}

// publish records what the program tells the outside, and then shows it.
func (r *Run) publish(kind journal.Kind, key string, v any, show func(value.Raw)) error {
	l := &r.main
	if l.fatal != nil {
		return l.fatal
	}
	told := record.Told{Kind: kind, Key: key}
	var err error
	if told.Value, err = encode(v); err == nil {
		err = value.Fits(len(told.Value) + len(key))
	}
	if err != nil {
		return &StepError{Type: errorTypeOf(err, "BadArgument"), Message: fmt.Sprintf("%s: %v", told.Show(), err), Bug: true}
	}
	if l.replay.active() {
		return l.replayTold(&told)
	}
	told.InBody = l.inBody
	l.buf = told.Append(l.buf[:0])
	if l.inBody {
		err = l.appendInBody(kind, l.buf)
	} else {
		err = l.appendRecord(kind, l.buf, journal.Later)
	}
	if err != nil {
		return err
	}
	r.update(func() { show(told.Value) })
	return nil
}

// replayTold finds in the record what the program tells again.
func (l *lane) replayTold(told *record.Told) error {
	rec := l.replay.peek()
	if rec.Kind != told.Kind {
		return l.mismatch(rec, told.Show(), nil)
	}
	recorded, err := record.ReadTold(rec)
	if err != nil {
		return l.unreadable(err)
	}
	if recorded.Key != told.Key || !bytes.Equal(recorded.Value, told.Value) {
		return l.mismatch(rec, told.Show(), nil)
	}
	l.advanceReplay(rec)
	return nil
}

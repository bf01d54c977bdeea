package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Now returns the time in seconds since 1970, the same on replay.
func (r *Run) Now() (float64, error) {
	v, err := r.chosen("now", func() any { return float64(time.Now().UnixMicro()) / 1e6 })
	f, _ := v.(float64)
	return f, err
}

// Random returns a number in [0, 1), the same on replay.
func (r *Run) Random() (float64, error) {
	v, err := r.chosen("random", func() any {
		var b [8]byte
		rand.Read(b[:]) // never fails, says its documentation
		return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
	})
	f, _ := v.(float64)
	return f, err
}

// UUID returns a random UUID (RFC 9562, version 4), the same on replay.
func (r *Run) UUID() (string, error) {
	v, err := r.chosen("uuid", func() any {
		var b [16]byte
		rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	})
	s, _ := v.(string)
	return s, err
}

// chosen records a value that the engine makes up.
func (r *Run) chosen(what string, choose func() any) (any, error) {
	if r.fatal != nil {
		return nil, r.fatal
	}
	if r.replay.active() {
		fs, rec, err := r.expect(kindValue, 2, "rt."+what+"()", nil)
		if err != nil {
			return nil, err
		}
		if !isText(fs[0], what) {
			return nil, r.mismatch(rec, "rt."+what+"()", nil)
		}
		v, err := value.Decode(fs[1])
		if err != nil {
			return nil, r.die(&recordError{err})
		}
		r.taken(rec)
		return v, nil
	}
	v := choose()
	r.buf = fields(r.buf[:0], what, v)
	return v, r.record(kindValue, r.buf, journal.Later)
}

// Progress appends {ts, message, extra} to the stream "log" and sets the event
// "phase.last_message".
func (r *Run) Progress(message string, extra any) error {
	return r.tell(kindProgress, fmt.Sprintf("rt.progress(%.60q, …)", message), message, extra, func() {
		r.events["phase.last_message"], _ = value.Encode(message)
	})
}

// SetEvent sets the latest value of a key that is readable from outside.
func (r *Run) SetEvent(key string, v any) error {
	enc, err := encode(v)
	if err != nil {
		return &StepError{Type: typeOf(err, "BadArgument"), Message: fmt.Sprintf("rt.setEvent(%.60q, …): %v", key, err), Bug: true}
	}
	return r.tell(kindEvent, fmt.Sprintf("rt.setEvent(%.60q, …)", key), key, enc, func() { r.events[key] = enc })
}

// WriteStream appends a value to a stream that is readable from outside.
func (r *Run) WriteStream(key string, v any) error {
	return r.tell(kindStream, fmt.Sprintf("rt.writeStream(%.60q, …)", key), key, v, func() {})
}

// tell records what the program says to the outside.
func (r *Run) tell(kind journal.Kind, asked, key string, v any, show func()) error {
	if r.fatal != nil {
		return r.fatal
	}
	enc, err := encode(v)
	if err == nil {
		err = value.Fits(len(enc) + len(key))
	}
	if err != nil {
		return &StepError{Type: typeOf(err, "BadArgument"), Message: fmt.Sprintf("%s: %v", asked, err), Bug: true}
	}
	if r.replay.active() {
		fs, rec, err := r.expect(kind, 2, asked, nil)
		if err != nil {
			return err
		}
		if !isText(fs[0], key) || !bytes.Equal(fs[1], enc) {
			return r.mismatch(rec, asked, nil)
		}
		r.taken(rec)
		return nil
	}
	if r.inBody {
		r.buf = fields(r.buf[:0], key, value.Raw(enc), true)
		err = r.recordSaid(kind, r.buf)
	} else {
		r.buf = fields(r.buf[:0], key, value.Raw(enc))
		err = r.record(kind, r.buf, journal.Later)
	}
	if err != nil {
		return err
	}
	r.update(show)
	return nil
}

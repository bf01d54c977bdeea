package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// rememberWait is the shortest wait of which a restart must know when it began:
// as much as a restart may repeat anyway (tailFlush).
const rememberWait = time.Minute

// Step calls a step: from the record while there is one, else for real. The
// result has been through the record's encoding. A *StepError is the step's
// failure; a fatal error (IsFatal) has to be returned by the program.
func (r *Run) Step(c Call) (value.Raw, error) {
	if r.fatal != nil {
		return nil, r.fatal
	}
	if c.Name == "" {
		c.Name = c.Step.Name()
	}
	if err := value.Fits(len(c.Args)); err != nil {
		return nil, &StepError{Type: typeLimit, Message: "the arguments: " + err.Error(), Step: c.Name, Bug: true}
	}
	if r.replay.active() {
		return r.replayStep(&c)
	}
	if err := r.boundary(); err != nil {
		return nil, err
	}
	w := &work{run: r, call: &c, seq: r.seq, began: time.Now(), attempt: 1}
	return r.perform(w)
}

// Direct runs a registered step inside the body of another: it is part of that
// step, and has no record of its own.
func (r *Run) Direct(ctx context.Context, s Step, args value.Raw) (value.Raw, error) {
	r.inner++
	a := Args{Run: r.head.id, Seq: r.seq, Inner: r.inner, Attempt: 1, Began: time.Now()}
	var err error
	if a.Values, err = argsMap(args); err != nil {
		return nil, err
	}
	if p, ok := s.(Preparer); ok {
		if a.Prepared, err = p.Prepare(ctx, a); err != nil {
			return nil, named(err, s.Name(), 1)
		}
	}
	res, err := s.Run(ctx, a)
	if err != nil {
		return nil, named(err, s.Name(), 1)
	}
	return value.Encode(res)
}

// replayStep answers a call from the record.
func (r *Run) replayStep(c *Call) (value.Raw, error) {
	rec := r.replay.peek()
	if rec.Kind != kindBegun && rec.Kind != kindDone {
		return nil, r.mismatch(rec, showCall(c.Name, c.Args), c.Where)
	}
	var room [8]value.Raw
	o, err := open(r.replay.recs, rec, room[:0])
	if err != nil {
		return nil, r.die(&recordError{err})
	}
	if !isText(o.fs[0], c.Name) || !bytes.Equal(o.fs[1], c.Args) {
		return nil, r.mismatch(rec, showCall(c.Name, c.Args), c.Where)
	}
	call := r.hearCall(rec.Kind, &o)
	if rec.Kind == kindDone {
		r.hearOutcome(call, &o)
		r.taken(rec)
		return recorded(o.fs)
	}
	begun := *rec
	r.taken(rec)
	if r.replay.active() && r.replay.peek().Seq == begun.Seq {
		done := r.replay.peek()
		if done.Kind != kindDone {
			return nil, r.mismatch(done, "the outcome of "+showCall(c.Name, c.Args), c.Where)
		}
		if o, err = open(r.replay.recs, done, room[:0]); err != nil {
			return nil, r.die(&recordError{err})
		}
		r.hearOutcome(call, &o)
		r.taken(done)
		return recorded(o.fs)
	}
	if r.replay.active() {
		return nil, r.die(&recordError{fmt.Errorf("step %s at place %d has no outcome, and the record goes on", c.Name, begun.Seq)})
	}
	r.seq = begun.Seq // its outcome belongs to the same place
	return r.interrupted(c, &begun, o.fs)
}

// recorded is the answer that a kindDone holds.
func recorded(fs []value.Raw) (value.Raw, error) {
	e, err := errorOf(fs[2])
	if err != nil {
		return nil, &recordError{err}
	}
	if e != nil {
		return nil, e
	}
	return fs[3], nil
}

// isText reports whether r is the encoding of s, without decoding it.
func isText(r value.Raw, s string) bool {
	major, n, rest, err := value.ReadHead(r)
	return err == nil && major == value.MajorText && n == uint64(len(s)) && string(rest) == s
}

func argsMap(args value.Raw) (*value.Map, error) {
	v, err := value.Decode(args)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return &value.Map{}, nil
	}
	m, ok := v.(*value.Map)
	if !ok {
		return nil, fmt.Errorf("arguments are a %T, not a map", v)
	}
	return m, nil
}

// named makes a step's failure out of any error but a fatal one.
func named(err error, step string, attempt int) error {
	if IsFatal(err) {
		return err
	}
	out := &StepError{Type: "Error", Message: err.Error()}
	var se *StepError
	var re *RunError
	switch {
	case errors.As(err, &se):
		*out = *se
		if se.Step != "" && se.Step != step {
			out.Message = se.Step + ": " + se.Message
		}
	case errors.As(err, &re):
		out.Type, out.Message, out.Bug = re.Type, re.Message, re.Type != "Fail"
	case errors.Is(err, context.DeadlineExceeded):
		out.Type = "Timeout"
	}
	out.Step, out.Attempts = step, attempt
	return out
}

// begin records that the attempt has begun; an effect waits until that is on
// disk. Without effect it records that nothing outside is at work: a wait, or
// an attempt that is still to begin.
func (w *work) begin(effect bool) error {
	r := w.run
	if !effect {
		w.prepared = nil
	}
	prepared, err := value.Encode(w.prepared)
	if err != nil {
		return &StepError{Type: typeOf(err, "BadResult"), Message: "what it prepared cannot be kept: " + err.Error(), Bug: true}
	}
	d := &r.draft
	d.set(kindBegun, w.call.Name, w.call.Args, effect, w.attempt, prepared)
	r.recs[0] = journal.Record{Seq: w.seq, Kind: kindBegun, Time: w.began, Data: r.shorten(d, w.seq)}
	r.tail.live = false
	c := journal.Change{Records: r.recs[:1], Again: w.begun, Essential: w.seq&laneSafe != 0}
	switch {
	case effect:
		// Without waiting for room: what was prepared would grow old meanwhile.
		if err = r.commitNow(c); err != nil && !errors.Is(err, journal.ErrNoRoom) {
			err = r.die(&recordError{err})
		}
	case w.effect:
		err = r.append(c, journal.Soon)
	default:
		err = r.append(c, journal.Later)
	}
	if err == nil {
		r.remember(d, w.seq)
		w.begun, w.open = true, effect
	}
	return err
}

// tookMillis is how long a step without a kindBegun took; 0 for a short one,
// so that equal answers of a poll stay equal.
func (w *work) tookMillis() int64 {
	const short = 10 * time.Millisecond
	d := time.Since(w.began)
	if d < short {
		return 0
	}
	return d.Milliseconds()
}

// finish records a step's outcome and returns it as a replay would.
func (w *work) finish(res any, failure *StepError, recovered bool, u journal.Urgency) (value.Raw, error) {
	r := w.run
	enc, err := encode(res)
	if err != nil {
		failure = &StepError{Type: typeOf(err, "BadResult"), Message: "its result: " + err.Error(), Step: w.call.Name, Attempts: w.attempt, Bug: true}
	}
	if failure != nil {
		enc = nil
		failure.Message = short(failure.Message)
	}
	d := &r.draft
	var recovery any = recovered
	if w.saidBy != "" && failure == nil {
		recovery = w.saidBy // a human's word, which is not what was read back
	}
	if !w.begun && w.with.Taken == nil {
		d.set(kindDone, w.call.Name, w.call.Args, errorFields(failure), enc, w.attempt, recovery, w.tookMillis())
		err = r.recordJoining(d)
	} else {
		d.set(kindDone, w.call.Name, w.call.Args, errorFields(failure), enc, w.attempt, recovery, 0)
		d.behind = true
		err = w.complete(d, u)
	}
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	return enc, nil
}

// complete records the outcome of a step that has a kindBegun, as one with what
// goes to disk with it.
func (w *work) complete(d *draft, u journal.Urgency) error {
	r := w.run
	r.seq = w.seq
	r.recs[0] = journal.Record{Seq: w.seq, Kind: kindDone, Time: time.Now(), Data: r.shorten(d, w.seq)}
	var err error
	if w.with.Taken != nil {
		w.with.Records, w.with.Essential = append(w.with.Records, r.recs[0]), true
		r.tail.live = false
		r.next(r.seq)
		err = r.commit(w.with)
	} else {
		err = r.advance(journal.Change{Records: r.recs[:1], Essential: w.effect}, u)
	}
	if err == nil {
		r.remember(d, w.seq)
	}
	return err
}

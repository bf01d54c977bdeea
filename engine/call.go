package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// rememberWait is the shortest wait of which a restart must know when it began:
// as much as a restart may repeat anyway (tailFlush).
const rememberWait = time.Minute

// Step calls a step: from the record while there is one, else for real. The
// result has been through the record's encoding. A *StepError is the step's
// failure; a fatal error (IsFatal) has to be returned by the program.
func (r *Run) Step(c Call) (value.Raw, error) { return r.main.step(&c) }

func (l *lane) step(c *Call) (value.Raw, error) {
	if l.fatal != nil {
		return nil, l.fatal
	}
	if c.Name == "" {
		c.Name = c.Step.Name()
	}
	if err := value.Fits(len(c.Args)); err != nil {
		return nil, &StepError{Type: typeLimit, Message: "the arguments: " + err.Error(), Step: c.Name, Bug: true}
	}
	recorded, err := l.recordedArgs(c)
	if err != nil {
		return nil, &StepError{Type: "BadArgument", Message: "the arguments: " + err.Error(), Step: c.Name, Bug: true}
	}
	if l.replay.active() {
		return l.replayStep(c, recorded)
	}
	if err := l.boundary(); err != nil {
		return nil, err
	}
	return l.perform(&work{lane: l, call: c, recorded: recorded, place: l.next, began: time.Now(), attempt: 1})
}

// recordedArgs returns the arguments of a call as they stand in the record:
// those of a registered step without what they would be if they were not given.
// They are valid until the next call.
func (l *lane) recordedArgs(c *Call) (value.Raw, error) {
	if c.Step == nil {
		return c.Args, nil
	}
	defaults, err := l.run.eng.defaultsOf(c.Step)
	if err != nil {
		return nil, err
	}
	return record.WithoutDefaults(&l.args, c.Args, defaults)
}

// Direct runs a registered step inside the body of another: it is part of that
// step, and has no record of its own.
func (r *Run) Direct(ctx context.Context, s Step, args value.Raw) (value.Raw, error) {
	l := &r.main
	l.inner++
	a := Args{Key: r.key(l.next), Attempt: 1, Began: time.Now()}
	a.Key.Inner = l.inner
	var err error
	if a.Values, err = argsMap(args); err != nil {
		return nil, err
	}
	if p, ok := s.(Preparer); ok {
		if a.Prepared, err = p.Prepare(ctx, a); err != nil {
			return nil, stepFailure(err, s.Name(), 1)
		}
	}
	res, err := s.Run(ctx, a)
	if err != nil {
		return nil, stepFailure(err, s.Name(), 1)
	}
	return value.Encode(res)
}

// key names a step of the run.
func (r *Run) key(at record.Place) record.Key {
	return record.Key{Box: r.head.box, Run: r.head.id, Place: at}
}

// replayStep answers a call from the record.
func (l *lane) replayStep(c *Call, args value.Raw) (value.Raw, error) {
	rec := l.replay.peek()
	switch rec.Kind {
	case record.KindDone:
		done, err := l.replay.Done(rec)
		if err != nil {
			return nil, l.unreadable(err)
		}
		if !sameCall(done.Name, done.Args, c, args) {
			return nil, l.mismatch(rec, record.ShowCall(c.Name, args), c.Where)
		}
		return l.replayDone(rec, &done)
	case record.KindBegun:
		begun, err := l.replay.Begun(rec)
		if err != nil {
			return nil, l.unreadable(err)
		}
		if !sameCall(begun.Name, begun.Args, c, args) {
			return nil, l.mismatch(rec, record.ShowCall(c.Name, args), c.Where)
		}
		return l.replayBegun(c, args, *rec, &begun)
	}
	return nil, l.mismatch(rec, record.ShowCall(c.Name, args), c.Where)
}

func sameCall(name string, recorded value.Raw, c *Call, args value.Raw) bool {
	return name == c.Name && (bytes.Equal(recorded, args) || recorded.IsNil() && args.IsNil())
}

// replayDone answers a call with the outcome that the record has.
func (l *lane) replayDone(rec *journal.Record, done *record.Done) (value.Raw, error) {
	l.writer.ReplayedDone(done)
	l.advanceReplay(rec)
	return recordedOutcome(done)
}

// replayBegun goes on behind the beginning of a step, with its outcome if the
// record has it.
func (l *lane) replayBegun(c *Call, args value.Raw, rec journal.Record, begun *record.Begun) (value.Raw, error) {
	l.writer.ReplayedBegun(begun)
	l.advanceReplay(&rec)
	if !l.replay.active() {
		l.next = record.PlaceOf(rec.Seq) // its outcome belongs to the same place
		return l.interrupted(c, args, rec.Time, begun)
	}
	next := l.replay.peek()
	switch {
	case next.Seq != rec.Seq:
		return nil, l.unreadable(fmt.Errorf("step %s at place %d has no outcome, and the record goes on", c.Name, rec.Seq))
	case next.Kind != record.KindDone:
		return nil, l.mismatch(next, "the outcome of "+record.ShowCall(c.Name, args), c.Where)
	}
	done, err := l.replay.Done(next)
	if err != nil {
		return nil, l.unreadable(err)
	}
	return l.replayDone(next, &done)
}

// recordedOutcome is the answer that a record holds.
func recordedOutcome(d *record.Done) (value.Raw, error) {
	if d.Failure != nil {
		return nil, stepError(d.Failure)
	}
	return d.Result, nil
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

// stepFailure makes a step's failure out of any error but a fatal one.
func stepFailure(err error, step string, attempt int) error {
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

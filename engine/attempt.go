package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/scheduler"
	"holdfast/engine/value"
	"holdfast/journal"
)

// work is one step on its way: where it stands in the record, and which
// attempt it is at.
type work struct {
	lane     *lane
	call     *Call
	recorded value.Raw // the call's arguments as in the record
	place    record.Place
	began    time.Time
	attempt  int
	prepared any
	args     Args
	effect   bool

	intentRecorded bool           // a Begun is in the record
	inFlight       bool           // it says that an effect has begun, and what became of that is not known
	alongside      journal.Change // goes to disk as one with the outcome
	saidBy         string         // who says that it was done: no evidence does
}

// errTimeout is the cause of an attempt's time limit.
var errTimeout = Errorf("Timeout", "the attempt took longer than its time limit")

// perform makes the attempts of a live step, and records its outcome.
func (l *lane) perform(w *work) (value.Raw, error) {
	if err := w.bind(); err != nil {
		return nil, err
	}
	l.run.setStep(w.call.Name)
	defer l.run.setStep("")
	for {
		l.run.setWaits(waits{step: w.call.Step, args: w.args})
		res, err := w.try()
		if err == nil {
			return w.recordOutcome(res, nil, false, w.urgency())
		}
		if l.ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = context.Cause(l.ctx) // a library's word for it; a shutdown must not become the step's failure
		}
		if IsFatal(err) {
			return nil, w.abandon(err)
		}
		var failure *StepError
		errors.As(stepFailure(err, w.call.Name, w.attempt), &failure)
		w.inFlight = w.inFlight && failure.Unknown
		if failure.Unknown {
			done, out, err := w.resolveUnknown(failure)
			if done {
				return out, err
			}
		} else if failure.Bug || w.attempt >= w.call.Options.MaxAttempts {
			return w.recordOutcome(nil, failure, false, w.urgency())
		}
		if err := w.pause(); err != nil {
			return nil, w.abandon(err)
		}
	}
}

// bind decodes the arguments and asks the step what it is.
func (w *work) bind() error {
	w.effect = w.call.Body != nil
	if w.call.Step == nil {
		return nil
	}
	values, err := argsMap(w.call.Args)
	if err != nil {
		return w.lane.setFatal(&recordError{err})
	}
	w.args = Args{Key: w.lane.run.key(w.place), Began: w.began, Values: values}
	if e, ok := w.call.Step.(Effector); ok {
		w.effect = e.Effect(w.args)
	}
	return nil
}

// try makes one attempt. Where the disk is full it begins when there is room,
// with what is so then.
func (w *work) try() (any, error) {
	for {
		res, err := w.tryNow()
		switch {
		case errors.Is(err, errCalled):
			err = w.lane.boundary()
		case !errors.Is(err, journal.ErrNoRoom):
			return res, err
		case w.lane.isSafe():
			err = w.lane.awaitReserve()
		default:
			err = w.lane.awaitRoom()
		}
		if err != nil {
			return nil, err
		}
	}
}

// errCalled says that a command of an operator has come while an attempt was
// prepared: it is taken first, and the attempt prepared anew if it still is to be.
var errCalled = errors.New("a command is to be taken first")

// tryNow makes one attempt: what it prepares, its intent on disk, the work. The
// error is journal.ErrNoRoom when the intent could not be recorded for want of
// room, and errCalled when a command goes first; nothing has been done then.
func (w *work) tryNow() (res any, err error) {
	ctx := w.lane.ctx
	if w.call.Options.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, w.call.Options.Timeout, errTimeout)
		defer stop()
	}
	w.args.Attempt, w.args.Prepared = w.attempt, nil
	if p, ok := w.call.Step.(Preparer); ok {
		if w.prepared, err = w.guard(func() (any, error) { return p.Prepare(ctx, w.args) }); err != nil {
			return nil, err
		}
		w.args.Prepared = w.prepared
	}
	if w.effect {
		if err := w.recordAttempt(true); err != nil {
			return nil, err
		}
		if w.lane.ctx.Err() != nil { // it came while the intent went to disk, and nothing has begun
			if err := w.recordAttempt(false); err != nil {
				return nil, err
			}
			return nil, context.Cause(w.lane.ctx)
		}
		if !w.lane.isSafe() && w.lane.run.called() {
			if err := w.recordAttempt(false); err != nil {
				return nil, err
			}
			return nil, errCalled
		}
	} else if wt, ok := w.call.Step.(Waiter); ok && wt.Waits(w.args) >= rememberWait {
		if !w.intentRecorded {
			if err := w.recordAttempt(false); err != nil {
				return nil, err
			}
		}
		w.lane.run.seat.Park(scheduler.Parked)
		defer w.lane.run.seat.Resume()
	}
	return w.guard(func() (any, error) {
		if w.call.Body != nil {
			w.lane.inner, w.lane.inBody = 0, true
			defer func() { w.lane.inBody = false }()
			return w.call.Body(ctx)
		}
		return w.call.Step.Run(ctx, w.args)
	})
}

// guard runs code of the step. A panic fails the step, and no more.
func (w *work) guard(code func() (any, error)) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, &StepError{Type: "Panic", Message: panicText(p), Bug: true, Unknown: w.inFlight}
			w.lane.run.eng.cfg.Log.Error("step panicked", "run", w.lane.run.head.id, "step", w.call.Name, "panic", p)
		}
	}()
	return code()
}

// urgency says how soon an outcome should be on disk: an effect's soon, so
// that few are in doubt; what can be asked again, when it suits.
func (w *work) urgency() journal.Urgency {
	if w.effect {
		return journal.Soon
	}
	return journal.Later
}

// abandon ends a step that a fatal error has cut short. Its intent, if any,
// stays in the record without an outcome: the next start asks for evidence.
func (w *work) abandon(err error) error {
	var end *termination
	if errors.As(err, &end) && w.intentRecorded {
		failure := &StepError{Type: end.kind, Message: end.why, Step: w.call.Name, Attempts: w.attempt, Unknown: w.inFlight}
		if _, err := w.recordOutcome(nil, failure, false, journal.Later); err != nil && !errors.As(err, new(*StepError)) {
			return err
		}
	}
	return w.lane.setFatal(err)
}

// pause waits between two attempts. Where that may be long, or an effect may
// seem to be at work, the record says meanwhile that none is, and which attempt
// is next. Commands that the engine handles are obeyed here: no attempt begins
// on a run that is to be held.
func (w *work) pause() error {
	wait := w.call.Options.pause(w.attempt)
	w.attempt++
	if w.intentRecorded || wait >= rememberWait {
		if err := w.recordAttempt(false); err != nil {
			return err
		}
	}
	w.lane.run.setWaits(waits{what: fmt.Sprintf("attempt %d", w.attempt), until: time.Now().Add(wait)})
	t := time.NewTimer(wait)
	defer t.Stop()
	for over := false; ; {
		if err := w.lane.boundary(); err != nil {
			return err
		}
		if over {
			return nil
		}
		select {
		case <-t.C:
			over = true
		case <-w.lane.run.wake:
		case <-w.lane.ctx.Done():
		}
	}
}

// pause is how long to wait after a failed attempt.
func (o *StepOptions) pause(attempt int) time.Duration {
	most := o.MaxInterval
	if most <= 0 {
		most = time.Hour
	}
	return time.Duration(math.Min(float64(o.Interval)*math.Pow(max(1, o.Backoff), float64(attempt-1)), float64(most)))
}

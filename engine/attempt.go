package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// work is one step on its way: where it stands in the record, and which
// attempt it is at.
type work struct {
	run      *Run
	call     *Call
	seq      uint32
	began    time.Time
	attempt  int
	prepared any
	begun    bool // a kindBegun is in the record
	open     bool // it says that an effect has begun, and what became of that is not known
	args     Args
	effect   bool
	with     journal.Change // goes to disk as one with the outcome
	saidBy   string         // who says that it was done: no evidence does
}

// errTimeout is the cause of an attempt's time limit.
var errTimeout = Errorf("Timeout", "the attempt took longer than its time limit")

// perform makes the attempts of a live step, and records its outcome.
func (r *Run) perform(w *work) (value.Raw, error) {
	if err := w.bind(); err != nil {
		return nil, err
	}
	r.setStep(w.call.Name)
	defer r.setStep("")
	for {
		r.setWaits(waits{step: w.call.Step, args: w.args})
		res, err := w.try()
		if err == nil {
			return w.finish(res, nil, false, w.urgency())
		}
		if r.ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = context.Cause(r.ctx) // a library's word for it; a shutdown must not become the step's failure
		}
		if IsFatal(err) {
			return nil, w.broken(err)
		}
		var failure *StepError
		errors.As(named(err, w.call.Name, w.attempt), &failure)
		w.open = w.open && failure.Unknown
		if failure.Unknown {
			done, out, err := w.evidence(failure)
			if done {
				return out, err
			}
		} else if failure.Bug || w.attempt >= w.call.Options.MaxAttempts {
			return w.finish(nil, failure, false, w.urgency())
		}
		if err := w.pause(); err != nil {
			return nil, w.broken(err)
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
		return w.run.die(&recordError{err})
	}
	w.args = Args{Run: w.run.head.id, Seq: w.seq, Began: w.began, Values: values}
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
			err = w.run.boundary()
		case !errors.Is(err, journal.ErrNoRoom):
			return res, err
		case w.seq&laneSafe != 0:
			err = w.run.awaitReserve()
		default:
			err = w.run.awaitRoom()
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
	ctx := w.run.ctx
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
		if err := w.begin(true); err != nil {
			return nil, err
		}
		if w.run.ctx.Err() != nil { // it came while the intent went to disk, and nothing has begun
			if err := w.begin(false); err != nil {
				return nil, err
			}
			return nil, context.Cause(w.run.ctx)
		}
		if w.seq&laneSafe == 0 && w.run.called() {
			if err := w.begin(false); err != nil {
				return nil, err
			}
			return nil, errCalled
		}
	} else if wt, ok := w.call.Step.(Waiter); ok && !w.begun && wt.Waits(w.args) >= rememberWait {
		if err := w.begin(false); err != nil {
			return nil, err
		}
	}
	return w.guard(func() (any, error) {
		if w.call.Body != nil {
			w.run.inner, w.run.inBody = 0, true
			defer func() { w.run.inBody = false }()
			return w.call.Body(ctx)
		}
		return w.call.Step.Run(ctx, w.args)
	})
}

// guard runs code of the step. A panic fails the step, and no more.
func (w *work) guard(code func() (any, error)) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, &StepError{Type: "Panic", Message: panicText(p), Bug: true, Unknown: w.open}
			w.run.eng.cfg.Log.Error("step panicked", "run", w.run.head.id, "step", w.call.Name, "panic", p)
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

// broken ends a step that a fatal error has cut short. Its intent, if any,
// stays in the record without an outcome: the next start asks for evidence.
func (w *work) broken(err error) error {
	var end *ending
	if errors.As(err, &end) && w.begun {
		failure := &StepError{Type: end.kind, Message: end.why, Step: w.call.Name, Attempts: w.attempt, Unknown: w.open}
		if _, err := w.finish(nil, failure, false, journal.Later); err != nil && !errors.As(err, new(*StepError)) {
			return err
		}
	}
	return w.run.die(err)
}

// pause waits between two attempts. Where that may be long, or an effect may
// seem to be at work, the record says meanwhile that none is, and which attempt
// is next. Commands that the engine handles are obeyed here: no attempt begins
// on a run that is to be held.
func (w *work) pause() error {
	wait := w.call.Options.pause(w.attempt)
	w.attempt++
	if w.begun || wait >= rememberWait {
		if err := w.begin(false); err != nil {
			return err
		}
	}
	w.run.setWaits(waits{what: fmt.Sprintf("attempt %d", w.attempt), until: time.Now().Add(wait)})
	t := time.NewTimer(wait)
	defer t.Stop()
	for over := false; ; {
		switch {
		case w.seq&laneSafe == 0:
			if err := w.run.boundary(); err != nil {
				return err
			}
		case w.run.ctx.Err() != nil: // a safe state is not for an operator to hold
			return context.Cause(w.run.ctx)
		}
		if over {
			return nil
		}
		select {
		case <-t.C:
			over = true
		case <-w.run.wake:
		case <-w.run.ctx.Done():
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

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// interrupted goes on with a step that had begun, and of which the record has
// no outcome, when the process ended.
func (l *lane) interrupted(c *Call, args value.Raw, began time.Time, begun *record.Begun) (value.Raw, error) {
	prepared, err := value.Decode(begun.Prepared)
	if err != nil {
		return nil, l.unreadable(fmt.Errorf("what step %s at place %s has prepared cannot be read: %w", c.Name, l.next, err))
	}
	w := &work{lane: l, call: c, recorded: args, place: l.next, began: began, attempt: begun.Attempt, prepared: prepared,
		intentRecorded: true, inFlight: begun.Effect}
	if l.ctx.Err() != nil {
		return nil, w.abandon(context.Cause(l.ctx))
	}
	if !w.inFlight {
		return w.attemptAgain() // a wait goes on with what is left of its time, a pause between attempts is over
	}
	if err := w.bind(); err != nil {
		return nil, err
	}
	r := l.run
	askedBefore := r.asked != nil && r.asked.place == w.place.Seq // before the restart, and not answered
	if c.Options.OnInterrupted == FailInterrupted && !askedBefore {
		if err := r.dropStaleAnswer(); err != nil {
			return nil, err
		}
		return w.recordOutcome(nil, &StepError{Type: "Interrupted", Message: cutShort, Step: c.Name, Attempts: w.attempt}, true, journal.Soon)
	}
	rec, ok := c.Step.(Recoverer)
	if !ok {
		switch {
		case askedBefore:
			return w.askOperator(r.asked.doubt, nil)
		case c.Options.OnInterrupted == HoldInterrupted:
			return w.askOperator(Doubt{Why: heldByOption}, nil)
		}
		return w.attemptAgain()
	}
	l.run.setStep(c.Name)
	defer l.run.setStep("")
	found, err := w.recover(rec)
	if err != nil {
		return nil, w.abandon(err)
	}
	if c.Options.OnInterrupted == HoldInterrupted && !askedBefore {
		return w.askOperator(found.onHold(), found.Result)
	}
	if found.Verdict == InDoubt {
		return w.askOperator(found.Doubt, found.Result)
	}
	if err := l.run.dropStaleAnswer(); err != nil {
		return nil, err
	}
	switch found.Verdict {
	case Done:
		return w.recordOutcome(found.Result, nil, true, journal.Soon)
	case Failed:
		return w.recordOutcome(nil, w.failure(found.Err), true, journal.Soon)
	}
	w.inFlight = false
	return w.attemptAgain()
}

// attemptAgain makes a further attempt, unless the run is to be held or to end first.
func (w *work) attemptAgain() (value.Raw, error) {
	if err := w.lane.boundary(); err != nil {
		return nil, w.abandon(err)
	}
	return w.lane.perform(w)
}

// resolveUnknown decides what an attempt of unknown outcome means for the next one.
// It reports whether the step is over.
func (w *work) resolveUnknown(failure *StepError) (over bool, out value.Raw, err error) {
	rec, tells := w.call.Step.(Recoverer)
	more, asks := w.attempt < w.call.Options.MaxAttempts, w.asks(failure)
	switch {
	case !tells && asks:
		out, err = w.askLive(*failure.Doubt, nil)
		return true, out, err
	case !tells || !more && !asks:
		out, err = w.recordOutcome(nil, failure, false, journal.Soon)
		return true, out, err
	}
	found, err := w.recover(rec)
	if err != nil {
		return true, nil, w.abandon(err)
	}
	switch {
	case found.Verdict == Done:
		out, err = w.recordOutcome(found.Result, nil, true, journal.Soon)
	case found.Verdict == Failed:
		out, err = w.recordOutcome(nil, w.failure(found.Err), true, journal.Soon)
	case found.Verdict == Again && more:
		w.inFlight = false
		return false, nil, nil
	case found.Verdict == InDoubt && asks:
		out, err = w.askLive(found.Doubt, found.Result)
	default:
		if found.Verdict == InDoubt {
			failure.Message += "; " + found.Doubt.Why
		}
		out, err = w.recordOutcome(nil, failure, false, journal.Soon)
	}
	return true, out, err
}

// recover asks the step for evidence. What it cannot tell is in doubt.
func (w *work) recover(rec Recoverer) (Recovery, error) {
	a := w.args
	a.Attempt, a.Prepared = w.attempt, w.prepared
	var found Recovery
	_, err := w.guard(func() (_ any, err error) {
		found, err = rec.Recover(w.lane.ctx, a)
		return nil, err
	})
	switch {
	case w.lane.ctx.Err() != nil && err != nil:
		return Recovery{}, context.Cause(w.lane.ctx)
	case err != nil && IsFatal(err):
		return Recovery{}, err
	case err != nil:
		return Recovery{Verdict: InDoubt, Doubt: Doubt{Why: err.Error()}}, nil
	}
	return found, nil
}

func (w *work) failure(err error) *StepError {
	if err == nil {
		err = errors.New("the step had no effect")
	}
	var se *StepError
	errors.As(stepFailure(err, w.call.Name, w.attempt), &se)
	return se
}

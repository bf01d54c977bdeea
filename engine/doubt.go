package engine

import (
	"context"
	"errors"
	"fmt"

	"holdfast/engine/value"
	"holdfast/journal"
)

// interrupted goes on with a step that had begun, and of which the record has
// no outcome, when the process ended.
func (r *Run) interrupted(c *Call, begun *journal.Record, fs []value.Raw) (value.Raw, error) {
	w := &work{run: r, call: c, seq: begun.Seq, began: begun.Time, begun: true}
	effect, err1 := value.Decode(fs[2])
	attempt, err2 := value.Decode(fs[3])
	prepared, err3 := value.Decode(fs[4])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, r.die(&recordError{fmt.Errorf("cannot read record %d: %w", begun.Seq, err)})
	}
	n, _ := attempt.(int64)
	w.attempt, w.prepared, w.open = max(1, int(n)), prepared, effect == true
	if r.ctx.Err() != nil {
		return nil, w.broken(context.Cause(r.ctx))
	}
	if !w.open {
		return w.again() // a wait goes on with what is left of its time, a pause between attempts is over
	}
	if err := w.bind(); err != nil {
		return nil, err
	}
	askedBefore := r.asked != nil && r.asked.place == w.seq // live, and not answered
	if c.Options.OnInterrupted == FailInterrupted && !askedBefore {
		if err := r.moot(); err != nil {
			return nil, err
		}
		return w.finish(nil, &StepError{Type: "Interrupted", Message: cutShort, Step: c.Name, Attempts: w.attempt}, true, journal.Soon)
	}
	rec, ok := c.Step.(Recoverer)
	if !ok {
		switch {
		case askedBefore:
			return w.ask(r.asked.doubt, nil)
		case c.Options.OnInterrupted == HoldInterrupted:
			return w.ask(Doubt{Why: heldByOption}, nil)
		}
		return w.again()
	}
	r.setStep(c.Name)
	defer r.setStep("")
	found, err := w.recover(rec)
	if err != nil {
		return nil, w.broken(err)
	}
	if c.Options.OnInterrupted == HoldInterrupted && !askedBefore {
		return w.ask(found.onHold(), found.Result)
	}
	if found.Verdict == InDoubt {
		return w.ask(found.Doubt, found.Result)
	}
	if err := r.moot(); err != nil {
		return nil, err
	}
	switch found.Verdict {
	case Done:
		return w.finish(found.Result, nil, true, journal.Soon)
	case Failed:
		return w.finish(nil, w.failure(found.Err), true, journal.Soon)
	}
	w.open = false
	return w.again()
}

// again makes a further attempt, unless the run is to be held or to end first.
func (w *work) again() (value.Raw, error) {
	if err := w.run.boundary(); err != nil {
		return nil, w.broken(err)
	}
	return w.run.perform(w)
}

// evidence decides what an attempt of unknown outcome means for the next one.
// It reports whether the step is over.
func (w *work) evidence(failure *StepError) (over bool, out value.Raw, err error) {
	rec, tells := w.call.Step.(Recoverer)
	more, asks := w.attempt < w.call.Options.MaxAttempts, w.asks(failure)
	switch {
	case !tells && asks:
		out, err = w.askLive(*failure.Doubt, nil)
		return true, out, err
	case !tells || !more && !asks:
		out, err = w.finish(nil, failure, false, journal.Soon)
		return true, out, err
	}
	found, err := w.recover(rec)
	if err != nil {
		return true, nil, w.broken(err)
	}
	switch {
	case found.Verdict == Done:
		out, err = w.finish(found.Result, nil, true, journal.Soon)
	case found.Verdict == Failed:
		out, err = w.finish(nil, w.failure(found.Err), true, journal.Soon)
	case found.Verdict == Again && more:
		w.open = false
		return false, nil, nil
	case found.Verdict == InDoubt && asks:
		out, err = w.askLive(found.Doubt, found.Result)
	default:
		if found.Verdict == InDoubt {
			failure.Message += "; " + found.Doubt.Why
		}
		out, err = w.finish(nil, failure, false, journal.Soon)
	}
	return true, out, err
}

// recover asks the step for evidence. What it cannot tell is in doubt.
func (w *work) recover(rec Recoverer) (Recovery, error) {
	a := w.args
	a.Attempt, a.Prepared = w.attempt, w.prepared
	var found Recovery
	_, err := w.guard(func() (_ any, err error) {
		found, err = rec.Recover(w.run.ctx, a)
		return nil, err
	})
	switch {
	case w.run.ctx.Err() != nil && err != nil:
		return Recovery{}, context.Cause(w.run.ctx)
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
	errors.As(named(err, w.call.Name, w.attempt), &se)
	return se
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/engine/isa88"
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
	w.attempt, w.prepared = max(1, int(n)), prepared
	if err := r.CheckCancelled(); err != nil {
		return nil, err
	}
	if effect != true {
		return r.perform(w) // a wait goes on with what is left of its time
	}
	if err := w.bind(); err != nil {
		return nil, err
	}
	if c.Body != nil {
		switch c.Options.OnInterrupted {
		case FailInterrupted:
			return w.finish(nil, &StepError{Type: "Interrupted", Message: "the process ended while the step was at work", Step: c.Name, Attempts: w.attempt}, true, journal.Soon)
		case HoldInterrupted:
			return w.ask(Doubt{Why: "the process ended while the step was at work, and its option on_interrupted is hold"}, nil)
		}
		return r.perform(w)
	}
	rec, ok := c.Step.(Recoverer)
	if !ok {
		return r.perform(w)
	}
	r.setStep(c.Name)
	defer r.setStep("")
	found, err := w.recover(rec)
	if err != nil {
		return nil, w.broken(err)
	}
	switch found.Verdict {
	case Done:
		return w.finish(found.Result, nil, true, journal.Soon)
	case Failed:
		return w.finish(nil, w.failure(found.Err), true, journal.Soon)
	case Again:
		return r.perform(w)
	}
	return w.ask(found.Doubt, found.Result)
}

// evidence decides what an attempt of unknown outcome means for the next one.
// It reports whether the step is over.
func (w *work) evidence(failure *StepError) (over bool, out value.Raw, err error) {
	rec, ok := w.call.Step.(Recoverer)
	if !ok || w.attempt >= w.call.Options.MaxAttempts {
		out, err = w.finish(nil, failure, false, journal.Soon)
		return true, out, err
	}
	found, err := w.recover(rec)
	if err != nil {
		return true, nil, w.broken(err)
	}
	switch found.Verdict {
	case Done:
		out, err = w.finish(found.Result, nil, true, journal.Soon)
	case Failed:
		out, err = w.finish(nil, w.failure(found.Err), true, journal.Soon)
	case Again:
		return false, nil, nil
	default:
		failure.Message += "; " + found.Doubt.Why
		out, err = w.finish(nil, failure, false, journal.Soon)
	}
	return true, out, err
}

// recover asks the step for evidence. What it cannot tell is in doubt.
func (w *work) recover(rec Recoverer) (Recovery, error) {
	a := w.args
	a.Attempt, a.Prepared = w.attempt, w.prepared
	found, err := rec.Recover(w.run.ctx, a)
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

// ask puts the question of a step in doubt, and waits for the answer.
// ifDone is the step's result should the operator say that it was done.
func (w *work) ask(d Doubt, ifDone any) (value.Raw, error) {
	r := w.run
	d.Step = w.call.Name
	r.update(func() {
		r.doubt, r.state = &d, isa88.Held
		if r.asked { // an answer to the question before is none to this one
			r.inbox = slices.DeleteFunc(r.inbox, func(m message) bool { _, old := answerOf(m.body); return m.topic == topicEngine && old })
		}
	})
	r.asked = true
	r.eng.cfg.Log.Warn("run is in doubt and held", "run", r.head.id, "step", d.Step, "tag", d.Tag, "why", d.Why)
	answer, num, err := r.obey(true)
	if err != nil {
		return nil, w.broken(err)
	}
	r.update(func() { r.doubt, r.state = nil, isa88.Running })
	switch answer.Decision {
	case "done":
		res := ifDone
		if !answer.Value.IsNil() {
			res = answer.Value
		}
		return w.finish(res, nil, true, journal.Soon, num)
	case "fail":
		failure := &StepError{Type: "InDoubt", Message: "it was in doubt, and " + answer.Actor + " answered fail", Step: d.Step, Attempts: w.attempt}
		return w.finish(nil, failure, true, journal.Soon, num)
	}
	// retry: after a power cut from here on, the step is in doubt again.
	if err := r.commit(journal.Change{Records: r.note("resolved", num, answer.Decision, answer.Actor), Taken: []uint64{num}}); err != nil {
		return nil, err
	}
	return r.perform(w)
}

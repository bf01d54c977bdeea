package engine

import (
	"fmt"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Resolver is an effect whose result a program needs, so that an operator who
// answers a question with done has to say what it was.
type Resolver interface {
	// Resolved makes the step's result of what the operator gives, which is nil
	// where that is nothing. The error says what may be given.
	Resolved(a Args, given any) (any, error)
}

const (
	cutShort     = "the process ended while the step was at work"
	heldByOption = cutShort + ", and its option on_interrupted is hold"
)

// onHold makes a question of what was found, whatever that is.
func (f *Recovery) onHold() Doubt {
	d := f.Doubt
	seen := d.Why
	switch f.Verdict {
	case Done:
		seen = "what can be seen says that it had its effect"
	case Again, Failed:
		seen = "what can be seen says that it had no effect"
	}
	d.Why = heldByOption + "; " + seen
	return d
}

// asks reports whether an unknown outcome is a question to the operator.
func (w *work) asks(failure *StepError) bool {
	return failure.Doubt != nil && !w.call.Caught && !w.lane.isSafe()
}

// askLive is ask about a step that no restart has interrupted. The question goes
// on record: the next life must not take the step for one that a power cut has
// met, and do it again.
func (w *work) askLive(d Doubt, ifDone any) (value.Raw, error) {
	c := journal.Change{Essential: true, Records: w.lane.run.note(record.Asked{Place: w.place.Seq, Tag: d.Tag, Target: d.Target, Before: d.Before, Now: d.Now, Why: d.Why})}
	if err := w.lane.commit(c); err != nil {
		return nil, w.abandon(err)
	}
	return w.askOperator(d, ifDone)
}

// question is one that is on record.
type question struct {
	place uint32
	doubt Doubt
}

func questionOf(n record.Asked) *question {
	return &question{n.Place, Doubt{Tag: n.Tag, Target: n.Target, Before: n.Before, Now: n.Now, Why: n.Why}}
}

// ifDone reports whether the step can take the result that an operator gives.
func (w *work) ifDone(given value.Raw) error {
	_, err := w.resultOf(Answer{Value: given}, nil)
	return err
}

// resultOf returns the step's result as an operator's answer has it.
func (w *work) resultOf(a Answer, ifDone any) (any, error) {
	res, ok := w.call.Step.(Resolver)
	if !ok {
		if a.Value.IsNil() {
			return ifDone, nil
		}
		return a.Value, nil
	}
	given, err := value.Decode(a.Value)
	if err != nil {
		return nil, err
	}
	out, err := res.Resolved(w.args, given)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.call.Name, err)
	}
	return out, nil
}

// refusesResult refuses a result that the step in doubt cannot have. The caller
// holds r.mu.
func (r *Run) refusesResult(a Answer) error {
	if a.Decision != "done" || r.ifDone == nil {
		return nil
	}
	if err := r.ifDone(a.Value); err != nil {
		return problem(BadRequest, "cannot answer run %s with done: %v", r.head.id, err)
	}
	return nil
}

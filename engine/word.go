package engine

import (
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Word is a command of an operator, as it stands behind what a run does.
type Word struct {
	Command string    `json:"command"` // HOLD, …, CANCEL, RESOLVE; "" where it is the engine that holds the run
	Actor   string    `json:"actor"`   // "" where it is the engine
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"` // when it was given
}

// The words that are no commands of ISA-88, as they are shown.
const (
	wordCancel  = "CANCEL"
	wordResolve = "RESOLVE"
)

// wordOf is the command that a message holds.
func wordOf(m *message) Word {
	return Word{Command: string(m.Word), Actor: m.Actor, Reason: m.Reason, At: m.At}
}

// said is the command that a fate is of.
func (f *Fate) said() Word {
	return Word{Command: f.Command, Actor: f.Actor, Reason: f.Reason, At: f.GivenAt}
}

// followed takes up whose word the run follows now. The caller holds r.mu.
func (r *Run) followed(w Word) {
	if r.operator == nil || !w.At.Before(r.operator.At) {
		r.operator = &w
	}
}

// decided takes up what has become of commands. The caller holds r.mu.
func (r *Run) decided(fates []Fate) {
	for _, f := range fates {
		r.fates[f.Message] = f
		if f.Taken {
			r.followed(f.said())
		}
	}
}

// logFates tells the log of the daemon what has become of commands, and by whom.
func (r *Run) logFates(by string, fates []Fate) {
	for _, f := range fates {
		if f.Command == "" {
			continue
		}
		what := "command was not taken"
		if f.Taken {
			what = map[isa88.Command]string{isa88.Hold: "run is HELD", isa88.Resume: "run is RESUMED", isa88.Stop: "run is STOPPING", isa88.Abort: "run is ABORTING"}[isa88.Command(f.Command)]
			if by == byScript {
				what = "command was handed to the script"
			}
		}
		r.eng.cfg.Log.Info(what, "run", r.head.id, "command", f.Command, "fate", f.Fate, "state", f.State, "actor", f.Actor, "reason", f.Reason, "given", f.GivenAt)
	}
}

// Who decides on commands.
const (
	byEngine = "engine"
	byScript = "script"
)

// heldBy is whose word holds the run; nil where none does. The caller holds r.mu.
func (r *Run) heldBy() *Word {
	switch {
	case r.state == isa88.Holding: // it may wait to be taken
		if w := r.pending(); w != nil && w.Command == string(isa88.Hold) {
			return w
		}
	case r.state != isa88.Held:
		return nil
	}
	switch {
	case r.operator != nil && r.operator.Command == string(isa88.Hold):
		w := *r.operator
		return &w
	case r.heldWhy != "":
		return &Word{Reason: r.heldWhy, At: r.heldAt}
	}
	return nil
}

// pending is the command of highest priority that waits to be taken; nil where
// none does. The caller holds r.mu.
func (r *Run) pending() *Word {
	var first *message
	waiting := r.inbox.All()
	for i := range waiting {
		m := &waiting[i]
		if m.Word != "" && (first == nil || m.Word.Priority() > first.Word.Priority()) {
			first = m
		}
	}
	if first == nil {
		return nil
	}
	w := wordOf(first)
	return &w
}

// resolvedNote makes a record of an operator's answer.
func (r *Run) resolvedNote(m *message, a Answer) []journal.Record {
	return r.note(answerGiven(m, a))
}

// answerGiven is an operator's answer, as the record has it.
func answerGiven(m *message, a Answer) record.Resolved {
	return record.Resolved{Message: m.Number, Decision: a.Decision, Actor: a.Actor, GivenAt: m.At}
}

// answeredBy ends the question of a run in doubt, whose answer is on record.
func (r *Run) answeredBy(m *message, a Answer) {
	r.update(func() {
		r.drop(m.Number)
		r.doubt, r.ifDone, r.state = nil, nil, isa88.Running
		r.followed(Word{Command: wordResolve + " " + a.Decision, Actor: a.Actor, At: m.At})
	})
	r.eng.nudgeAlarms()
	r.eng.cfg.Log.Info("run was in doubt and is RESUMED", "run", r.head.id, "answer", a.Decision, "actor", a.Actor)
}

// stamp writes who sent a message, and when, into one that holds a command:
// nobody speaks in another's name.
func stamp(topic string, body value.Raw, actor string, now time.Time) (value.Raw, error) {
	v, err := value.Decode(body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(*value.Map)
	if !ok {
		return body, nil
	}
	_, claims := m.Get("actor")
	if word := mailbox.WordIn(m); word == "" && !(topic == mailbox.TopicCommand && claims) {
		return body, nil
	}
	m.Set("actor", actor)
	if topic == mailbox.TopicCommand {
		m.Set("ts", now.UTC().Format(time.RFC3339Nano))
	}
	return value.Encode(m)
}

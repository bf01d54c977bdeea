package engine

import (
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/record"
	"holdfast/journal"
)

// newFate is what becomes of the command that a message holds.
func newFate(m *message, taken bool, fate string, state isa88.State) Fate {
	return Fate{Message: m.Number, Command: string(m.Word), Taken: taken, Fate: fate, State: state,
		Actor: m.Actor, Reason: m.Reason, GivenAt: m.At.UTC(), DecidedAt: time.Now().UTC()}
}

// commandNote makes a record of what the engine has decided on a command.
func (r *Run) commandNote(f Fate, m *message) []journal.Record {
	return r.note(record.Command{Fate: record.Fate(f), UUID: m.UUID})
}

// handedOver takes up what the script has asked for. Of one that names its state
// the state follows the command that it was given, until it names one again. The
// caller holds r.mu.
func (r *Run) handedOver(fates []record.Fate, named bool) {
	for _, f := range fates {
		if next := isa88.Command(f.Command).Next(r.state); named && f.Taken && f.Command != "" && r.state != isa88.Aborting && !r.state.Terminal() {
			r.state = next
		}
	}
	r.decided(fatesOf(fates))
}

// fatesOf returns the fates of a record as the outside sees them.
func fatesOf(recorded []record.Fate) []Fate {
	out := make([]Fate, len(recorded))
	for i, f := range recorded {
		out[i] = Fate(f)
	}
	return out
}

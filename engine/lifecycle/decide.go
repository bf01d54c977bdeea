package lifecycle

import (
	"slices"

	"holdfast/engine/isa88"
)

// Fate is what became of one command.
type Fate struct {
	Taken bool
	Fate  string      // "taken", "superseded by STOP", "not allowed in RUNNING"
	State isa88.State // of the run, when it was decided
}

// Decision is what becomes of all commands that wait.
type Decision struct {
	Fates []Fate // of each, in their order
	Held  bool   // whether the run is held behind them
	State isa88.State
	Ends  int // index of the STOP or ABORT that ends the run; negative: none does
}

// Decide decides on the commands that wait, in the order in which they came.
// ABORT wins over STOP, and both over all others, whichever came first; HOLD and
// RESUME are taken one after the other.
func (f Facts) Decide(commands []isa88.Command) Decision {
	p := f.Phase()
	d := Decision{Held: f.Held, State: f.State(), Ends: -1}
	for i, c := range commands {
		if slices.Contains(ends, c) && slices.Contains(table[p].takes, c) && (d.Ends < 0 || c.Priority() > commands[d.Ends].Priority()) {
			d.Ends = i
		}
	}
	for i, c := range commands {
		d.Fates = append(d.Fates, d.decide(&f, p, i, c, commands))
	}
	return d
}

func (d *Decision) decide(f *Facts, p Phase, i int, c isa88.Command, commands []isa88.Command) Fate {
	fate := Fate{Taken: true, Fate: "taken"}
	switch {
	case i == d.Ends:
		d.State = c.Next(d.State)
	case d.Ends >= 0:
		fate = Fate{Fate: "superseded by " + string(commands[d.Ends])}
	case !slices.Contains(table[p].takes, c) && p.Refusal() != "":
		fate = Fate{Fate: "not allowed " + p.Refusal()}
	case !slices.Contains(table[p].takes, c) || !c.Allowed(d.State):
		fate = Fate{Fate: "not allowed in " + string(d.State)}
	case c == isa88.Hold:
		d.Held, d.State = true, isa88.Held
	default: // RESUME
		d.Held, d.State = false, f.going()
	}
	fate.State = d.State
	return fate
}

// Shown returns the state that a run is shown in from the arrival of a command on,
// until that is taken: what it will lead to, where only the engine can take it. ABORT is so
// in every phase: a program that does not ask must not be what keeps it from ending.
func (f Facts) Shown(state isa88.State, c isa88.Command) isa88.State {
	switch {
	case c == isa88.Abort:
		return isa88.Aborting
	case state == isa88.Aborting || f.Ending || f.scriptMayAsk() || !slices.Contains(table[f.Phase()].takes, c) || !c.Allowed(state):
		return state
	}
	return c.Next(state)
}

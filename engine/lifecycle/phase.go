package lifecycle

import "holdfast/engine/isa88"

// Facts are what decides on a run's phase.
type Facts struct {
	Ending   bool // something from outside ends it
	Broken   bool // its record cannot be replayed
	Lost     bool // a part of its record may be lost, and nobody has said yet how to go on
	Doubtful bool // the outcome of a step is not known, and nobody has said it yet
	Held     bool // by HOLD, or by on_power_loss
	Full     bool // it waits for room on the disk
	Waiting  bool // its turn has not come
	Begun    bool // its program has begun in this life or an earlier one
	ByScript bool // the workflow handles commands itself
	StopLate bool // its program has not asked for a STOP in time
}

// Phase is where a live run stands.
type Phase uint8

// The phases, in the order in which they are looked for.
const (
	Ending Phase = iota
	Broken
	Lost
	Doubtful
	Held
	Full
	Waiting
	Executing
)

// row is a line of the table.
type row struct {
	name    string
	is      func(Facts) bool
	takes   []isa88.Command // by the engine
	refusal string          // for the others; "": the state does not allow them
	idle    bool            // nothing is to be done until somebody says something
}

// table is in the order of the phases.
var table = [...]row{
	Ending:    {name: "ending", is: func(f Facts) bool { return f.Ending }},
	Broken:    {name: "broken", is: func(f Facts) bool { return f.Broken }, takes: ends, idle: true, refusal: "while the record cannot be replayed: STOP, ABORT or cancel"},
	Lost:      {name: "lost", is: func(f Facts) bool { return f.Lost }, takes: ends, idle: true, refusal: "while a part of the record may be lost: answer with resolve, or STOP or ABORT"},
	Doubtful:  {name: "doubtful", is: func(f Facts) bool { return f.Doubtful }, takes: ends, idle: true, refusal: "while a step is in doubt: answer with resolve, or STOP or ABORT"},
	Held:      {name: "held", is: func(f Facts) bool { return f.Held }, takes: all, idle: true},
	Full:      {name: "full", is: func(f Facts) bool { return f.Full }, takes: all},
	Waiting:   {name: "waiting", is: func(f Facts) bool { return f.Waiting }, takes: all},
	Executing: {name: "executing", is: func(Facts) bool { return true }, takes: all},
}

var (
	ends = []isa88.Command{isa88.Abort, isa88.Stop}
	all  = []isa88.Command{isa88.Abort, isa88.Stop, isa88.Hold, isa88.Resume}
)

// Phase returns the phase of a run.
func (f Facts) Phase() Phase {
	for p := range table {
		if table[p].is(f) {
			return Phase(p)
		}
	}
	return Executing
}

// String returns the phase's name.
func (p Phase) String() string { return table[p].name }

// Idle reports whether a run in this phase has nothing to do until somebody says
// something: it needs no worker.
func (p Phase) Idle() bool { return table[p].idle }

// Refusal says why the run takes no HOLD or RESUME; "": the state alone decides.
func (p Phase) Refusal() string { return table[p].refusal }

// EngineHandles reports whether commands are the engine's business: by the
// workflow's choice, or because its program cannot take them. A program that has
// begun before, and waits for its turn to go on, wants to take them itself. They
// become the engine's once the program has left a STOP too long.
func (f Facts) EngineHandles() bool {
	switch p := f.Phase(); p {
	case Ending:
		return false
	case Executing:
		return !f.ByScript || f.StopLate
	case Waiting:
		return !f.ByScript || !f.Begun || f.StopLate
	default:
		return true
	}
}

// scriptMayAsk reports whether a command that comes now may be the program's to take:
// also one that waits for its first turn, whose commands are the engine's until then.
func (f Facts) scriptMayAsk() bool {
	switch f.Phase() {
	case Waiting, Executing:
		return f.ByScript && !f.StopLate
	}
	return false
}

// State returns the state in which the engine judges commands.
func (f Facts) State() isa88.State {
	switch f.Phase() {
	case Broken, Lost, Doubtful, Held:
		return isa88.Held
	}
	return f.going()
}

// going is the state that RESUME leads to.
func (f Facts) going() isa88.State {
	if f.Waiting {
		return isa88.Starting
	}
	return isa88.Running
}

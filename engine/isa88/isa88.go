// Package isa88 is the table of operator commands and states, after the
// procedural states of ISA-88 (IEC 61512-1): which command is allowed in which
// state, what state it leads to, and which of several wins. It is pure.
package isa88

import (
	"fmt"
	"strings"
)

// State is where a run stands in the eyes of an operator.
type State string

// The states.
const (
	Idle     State = "IDLE"
	Starting State = "STARTING"
	Running  State = "RUNNING"
	Holding  State = "HOLDING"
	Held     State = "HELD"
	Resuming State = "RESUMING"
	Stopping State = "STOPPING"
	Stopped  State = "STOPPED"
	Aborting State = "ABORTING"
	Aborted  State = "ABORTED"
	Complete State = "COMPLETE"
	Error    State = "ERROR"
)

// Terminal reports whether a run in this state has nothing more to do.
func (s State) Terminal() bool {
	return s == Stopped || s == Aborted || s == Complete || s == Error
}

// Command is an operator's word.
type Command string

// The commands.
const (
	Abort  Command = "ABORT"
	Stop   Command = "STOP"
	Hold   Command = "HOLD"
	Resume Command = "RESUME"
	Reset  Command = "RESET"
)

// Commands lists all commands, highest priority first.
func Commands() []Command { return []Command{Abort, Stop, Hold, Resume, Reset} }

// Parse returns the command of a word, in any case. The error names what is allowed.
func Parse(word string) (Command, error) {
	c := Command(strings.ToUpper(word))
	if c.Priority() < 0 {
		return "", fmt.Errorf("unknown command %.60q, allowed are ABORT, STOP, HOLD, RESUME, RESET", word)
	}
	return c, nil
}

// Priority returns 4 for ABORT down to 0 for RESET, and -1 for anything else.
func (c Command) Priority() int {
	for i, k := range Commands() {
		if k == c {
			return 4 - i
		}
	}
	return -1
}

// Allowed reports whether the command may be given in a state.
func (c Command) Allowed(s State) bool {
	switch c {
	case Abort, Stop:
		return !s.Terminal()
	case Hold:
		return s == Starting || s == Running || s == Resuming
	case Resume:
		return s == Held
	case Reset:
		return s == Stopped || s == Error
	}
	return false
}

// Done reports whether a run in this state is already where the command leads,
// or on its way there: a HELD run needs no HOLD.
func (c Command) Done(s State) bool {
	switch c {
	case Abort:
		return s == Aborting || s.Terminal()
	case Stop:
		return s == Stopping || s == Aborting || s.Terminal()
	case Hold:
		return s == Holding || s == Held
	case Resume:
		return s == Starting || s == Running || s == Resuming
	case Reset:
		return s == Idle
	}
	return false
}

// Next returns the state that an allowed command leads to at once, while the
// step at work is still ending.
func (c Command) Next(s State) State {
	switch c {
	case Abort:
		return Aborting
	case Stop:
		return Stopping
	case Hold:
		return Holding
	case Resume:
		return Resuming
	case Reset:
		return Idle
	}
	return s
}

// ParseState returns the state of a word, as scripts name it.
func ParseState(word string) (State, error) {
	for _, s := range []State{Idle, Starting, Running, Holding, Held, Resuming, Stopping, Stopped, Aborting, Aborted, Complete, Error} {
		if string(s) == word {
			return s, nil
		}
	}
	return "", fmt.Errorf("unknown state %.60q, allowed are IDLE, STARTING, RUNNING, HOLDING, HELD, RESUMING, STOPPING, STOPPED, ABORTING, ABORTED, COMPLETE, ERROR", word)
}

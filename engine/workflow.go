package engine

import (
	"context"
	"time"

	"holdfast/engine/value"
)

// Program is what a workflow does: a script, or Go code.
type Program interface {
	// Run executes the program on r from its beginning. ctx ends on cancel,
	// abort, deadline and shutdown; r's methods then return the error to pass
	// on. The result is a value of package value. An error of r's methods is
	// returned as it is, or wrapped so that errors.As still finds it.
	Run(ctx context.Context, r *Run) (any, error)
}

// CommandMode says who handles operator commands.
type CommandMode uint8

// The command modes; "auto" is resolved by whoever loads the workflow.
const (
	ByEngine CommandMode = iota
	ByScript
)

// String returns "engine" or "script".
func (m CommandMode) String() string {
	if m == ByScript {
		return "script"
	}
	return "engine"
}

// DefaultStopGrace is how long STOP is left to a script that handles commands.
const DefaultStopGrace = 10 * time.Second

// PowerLoss says what a run does when the process comes back.
type PowerLoss uint8

// The policies of on_power_loss.
const (
	ResumeAfterLoss PowerLoss = iota // go on
	HoldAfterLoss                    // HELD, until RESUME
	StopAfterLoss                    // safe state, then STOPPED
)

// Input is one parameter of a workflow.
type Input struct {
	Name     string    `json:"name"`
	Required bool      `json:"required"`
	Default  value.Raw `json:"default,omitempty"` // of an input that is not required
}

// SafeWrite is one line of a safe_state.
type SafeWrite struct {
	Tag   string
	Value value.Raw
}

// Source is the text that a workflow was loaded from, pinned in the journal by
// its hash. A workflow in Go has none.
type Source struct {
	Hash   string // of Bundle, lower-case hexadecimal SHA-256
	Bundle []byte // all files that the workflow needs, in the Loader's own form
}

// Workflow is a program with its name, inputs and policies.
type Workflow struct {
	Name        string
	Description string
	File        string // for people: where it was defined, file:line
	Inputs      []Input
	AnyInput    bool          // takes inputs that it did not declare (**kwargs)
	Timeout     time.Duration // of a whole run; 0: none
	Commands    CommandMode
	CommandsWhy string        // for people: why it is so
	StopGrace   time.Duration // how long STOP is left to a script that handles commands; 0: DefaultStopGrace
	OnPowerLoss PowerLoss
	SafeState   []SafeWrite
	Source      Source
	Program     Program
}

// Loader makes a workflow of a source that the journal has pinned, for runs
// whose files have changed since they were started.
type Loader interface {
	Load(bundle []byte, workflow string) (Workflow, error)
}

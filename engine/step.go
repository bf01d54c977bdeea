package engine

import (
	"context"
	"fmt"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
)

// Step is one unit of work that the engine records. Its Run may be called on
// many goroutines at once.
type Step interface {
	Name() string // as scripts and the record show it: "tags.write"
	Params() []Param
	// Run does the work and returns a plain JSON value. An error of type
	// *StepError keeps its type; any other becomes a StepError of type "Error".
	// When ctx ends, Run returns context.Cause(ctx) soon, unless what it did
	// has an outcome that must be known.
	Run(ctx context.Context, a Args) (any, error)
}

// Param is one parameter of a Step. The record does not hold arguments that are
// as the Default of a parameter that is not required: so a Step may be given
// a new one, at any place, and runs that go on match their records.
type Param struct {
	Name     string
	Required bool
	Default  any
}

// Effector is a Step that may act on the outside. A Step without it is a mere
// question: it has no intent, and is asked again after an interruption.
type Effector interface {
	Effect(a Args) bool
}

// Preparer is an effect that wants something on record before it begins, such
// as the value that a write is going to replace. It is called before each
// attempt; what it returns is in Args.Prepared for Run and for Recover.
type Preparer interface {
	Prepare(ctx context.Context, a Args) (any, error)
}

// Recoverer is an effect that can tell, by evidence, what became of an attempt
// that has begun and of which no outcome is known: after a power cut, or when
// Run failed with a StepError that is Unknown. After a power cut an effect
// without it is attempted again; after an Unknown one it is not.
type Recoverer interface {
	Recover(ctx context.Context, a Args) (Recovery, error)
}

// Waiter is a Step that only waits, up to the given time. The engine keeps the
// moment at which it began (Args.Began), so that a restart does not begin the
// time anew.
type Waiter interface {
	Waits(a Args) time.Duration
}

// Verdict is what a Recoverer found.
type Verdict uint8

// The verdicts.
const (
	InDoubt Verdict = iota // nobody can tell: the run is HELD with a question
	Done                   // it had its effect: Recovery.Result is the result
	Again                  // it had none, and may be attempted again
	Failed                 // it had none, and may not be attempted again: Recovery.Err
)

// Recovery is a verdict with its grounds.
type Recovery struct {
	Verdict Verdict
	Result  any
	Err     error
	Doubt   Doubt
}

// Doubt is the question put to the operator. All values are plain.
type Doubt struct {
	Step   string    `json:"step"`
	Tag    string    `json:"tag"`
	Target value.Raw `json:"target"` // what the step wanted to write
	Before value.Raw `json:"before"` // what was there before it
	Now    value.Raw `json:"now"`    // what is there now, null where unreadable
	Why    string    `json:"why"`    // one sentence

	place uint32 // of the step in the record
}

// Args are a step's arguments and its key.
type Args struct {
	Key      record.Key // what the step is, on each attempt: what it must do once, it does under this name
	Attempt  int        // from 1
	Began    time.Time  // when the step's first attempt began, also across a restart
	Prepared any        // what Prepare returned for this attempt; after a restart, as decoded from the record
	Values   *value.Map // by parameter name, all of Params
}

// Interrupted says what recovery does with a user step that had begun and not ended.
type Interrupted uint8

// The policies of on_interrupted.
const (
	RetryInterrupted Interrupted = iota
	HoldInterrupted
	FailInterrupted
)

// StepOptions are DBOS's retry options and ours. The zero value is one attempt
// without a time limit.
type StepOptions struct {
	MaxAttempts   int // 0 and 1: one
	Interval      time.Duration
	MaxInterval   time.Duration // 0: one hour
	Backoff       float64       // 0: 1
	Timeout       time.Duration // per attempt; 0: none
	OnInterrupted Interrupted
}

// Call is a program's request for a step: Step set for one that is registered
// in Go, Body for one that is part of the program.
type Call struct {
	Name    string // of the step; "" takes Step.Name()
	Step    Step
	Body    func(ctx context.Context) (any, error)
	Args    value.Raw // an encoded *value.Map: parameter → value, in the order of the parameters, all of them
	Options StepOptions
	Caught  bool          // the program catches a failure: an unknown outcome is one, and no question to the operator
	Where   func() string // "file.star:12" of the call, asked for only when there is something to say; may be nil
}

// StepError is how a step fails. Programs see it; attempt() catches it.
type StepError struct {
	Type     string `json:"type"` // NoSuchTag, GuardRefused, OutcomeUnknown, Timeout, …
	Message  string `json:"message"`
	Step     string `json:"step"`
	Attempts int    `json:"attempts"`

	// Unknown says that the step may have had its effect: it is never
	// attempted again before its Recoverer has been asked.
	Unknown bool `json:"-"`

	// Doubt, of an Unknown failure, is what an operator is to be asked where the
	// program does not catch it (Call.Caught) and no evidence tells. nil: nothing,
	// the step has failed.
	Doubt *Doubt `json:"-"`

	// Bug says that the program itself is at fault (a wrong type, a missing
	// key, a bound overrun): attempt() does not catch it.
	Bug bool `json:"-"`
}

// Error returns the step's name, its error type and message.
func (e *StepError) Error() string {
	if e.Step == "" {
		return fmt.Sprintf("%s: %s", e.Type, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", e.Step, e.Type, e.Message)
}

// Errorf makes a StepError of a type.
func Errorf(kind, format string, args ...any) *StepError {
	return &StepError{Type: kind, Message: fmt.Sprintf(format, args...)}
}

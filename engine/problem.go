package engine

import "fmt"

// Code says what kind of answer a Problem is, so that a caller can choose an
// exit code or an HTTP status.
type Code uint8

// The codes of a Problem.
const (
	BadRequest  Code = iota + 1 // the words of the request are off
	NotFound                    // no such run, workflow
	Refused                     // the state or a rule does not permit it
	Unavailable                 // not now: starting, stopping, journal failed
)

// Problem is why the engine did not do what it was asked. Nothing was changed.
type Problem struct {
	Code    Code
	Message string
	Hint    string // what to do, or ""
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

func problem(c Code, format string, args ...any) *Problem {
	return &Problem{Code: c, Message: fmt.Sprintf(format, args...)}
}

func (p *Problem) hint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

package engine

import (
	"errors"
	"fmt"

	"holdfast/engine/isa88"
)

// errShutdown ends a run's goroutine without ending the run: it goes on at the
// next start.
var errShutdown = errors.New("the engine is stopping")

// termination is the error that ends a run from outside: cancel, deadline, STOP,
// ABORT. No program may catch it.
type termination struct {
	state isa88.State
	kind  string // RunError.Type
	why   string
}

func (e *termination) Error() string { return e.why }

// Mismatch is the error of a program that does not do what its record says.
type Mismatch struct {
	Seq    uint32
	Record string // what the record has at this place
	Script string // what the program asked for
	Where  string // the program's line
}

// Error shows both sides.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("the program does not match its record at place %d: recorded %s, the program asks for %s at %s", m.Seq, m.Record, m.Script, m.Where)
}

// recordError is a failure to read or to append to the record.
type recordError struct{ err error }

func (e *recordError) Error() string { return fmt.Sprintf("cannot keep the record: %v", e.err) }
func (e *recordError) Unwrap() error { return e.err }

// IsFatal reports whether err ends the program's goroutine: cancel, STOP,
// ABORT, deadline, shutdown, a record that does not match or cannot be kept.
// attempt() must not catch it.
func IsFatal(err error) bool {
	var (
		end *termination
		mis *Mismatch
		rec *recordError
	)
	return errors.Is(err, errShutdown) || errors.As(err, &end) || errors.As(err, &mis) || errors.As(err, &rec)
}

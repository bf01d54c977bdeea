package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Pos is a place in a file of the configuration.
type Pos struct {
	File string // as it was given to Load, or beside that
	Line int    // from 1; 0 where the fault is the whole file's
	Col  int    // in characters, from 1
}

// String returns "file:line:col", or "file" where there is no line.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Fault is one thing wrong with the configuration. Message says what, the
// value found, and what is allowed; it never holds a secret.
type Fault struct {
	File    string
	Line    int // from 1; 0 where the fault is the whole file's
	Col     int // in characters, from 1
	Message string
}

// String returns "file:line:col: message".
func (f Fault) String() string {
	return Pos{f.File, f.Line, f.Col}.String() + ": " + f.Message
}

// sortFaults orders by file, line and column, and drops exact repetitions.
func sortFaults(fs []Fault) []Fault {
	slices.SortFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(fs)
}

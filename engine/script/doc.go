// Package script is the Starlark front end: it loads *.star files, and makes
// of each decorated function an engine.Workflow whose calls of built-in
// functions are steps of a run.
//
// A file is Starlark with two additions, made on its syntax tree, so that every
// position in an error is the position in the file: decorators above top-level
// functions, and Python's import statements. See Front.LoadDir.
//
// Nouns: a source is one file, prepared and compiled; a unit is a file together
// with all that it loads, executed and frozen, shared by all runs of it; a
// bundle is a unit's text, which the journal keeps, so that a run goes on with
// the files that it was started with.
//
// # Determinism
//
// A script has no clock, no random numbers, no files, and no variables that
// outlive a run: after loading, globals are frozen. What it can see is the same
// in every process, order and text of dicts, sets and floats included.
//
// # Bounds
//
// Recursion is off, so a call stack is no deeper than the file has functions.
// Computation is counted in Starlark's steps; between two calls that the engine
// records a run has Options.MaxSteps of them. A step stands for up to 64 bytes
// of new memory. Operations that can make more at once (+, *, %, |, slices,
// comprehensions, and built-ins such as list, sorted, join) are rewritten on
// the syntax tree into calls of functions that count what they are about to
// make as further steps, and refuse what cannot fit. What is gone through and
// does not tell its length, as s.codepoints(), is charged as it goes. After each
// Options.MaxMemory/128 steps, the size of everything that the run's variables
// reach is measured, and the run ends with LimitExceeded if it is above
// Options.MaxMemory. Numbers are bounded to 65,536 bits.
//
// A value that stands in another many times is one object in memory, and many
// wherever it is written out. So whoever writes it out has a budget, and stops
// where that ends: the encoding for the record (value.Budget), the decoding of it
// (decoder), text (writer), and what Starlark itself goes through part by part,
// which are keys (chargeKey) and what it freezes (budget.freeze).
//
// What goes through much without making anything is counted as well, by what it
// goes through: comparisons and searches (walker), the hashing of keys
// (walker.key), methods of texts (chargedMethods). Four elements, 64 bytes that
// are searched or hashed, or 1,024 that are compared, are one step. Keys that
// share a hash are counted as the comparisons that this takes (crowd): where a
// table is made of many at once, and each time that one has grown to twice its
// size. Whoever counts also looks whether the run is to end, so that a cancel, an
// abort, a shutdown need not wait for the operation.
//
// The cost: some 0.15 µs for each rewritten operation that is not with a literal
// (i + 1 and x == "a" stay as they are) and for each index that is not a literal;
// and the measuring, which is in proportion to what is measured and rare. Not
// counted is what only a half-evaluated expression holds, of which there can be no
// more than the program's text has operands.
package script

// Package record says what a run's record in the journal consists of: where
// each record stands (Place), the key of what must happen once (Key), and a
// type for each kind of record, with its encoding. engine/RECORD.md is the
// same for readers without Go.
//
// A Writer encodes the records of one branch, and leaves to earlier records
// what those hold in full; a Reader puts it back. Beyond that the package
// keeps no state, knows no rules of a run, and does no I/O.
package record

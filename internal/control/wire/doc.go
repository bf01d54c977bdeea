// Package wire is what passes over the daemon's socket: the requests and
// answers of the control API as JSON, and the one table that says which kind
// of failure has which HTTP status and which exit code. The server (control)
// and the client share it, so that neither needs the other.
//
// Runs, steps, log entries and workflows are the engine's own types, whose
// JSON is the contract's. Keys are snake_case, times RFC 3339 in UTC,
// durations milliseconds with the suffix _ms. A stream is one Line after the
// other, each on a line of its own.
package wire

// Package engine runs workflows so that a power cut does not lose their place.
//
// A Workflow is a Program with its declared inputs and policies; a Run is one
// execution of it, with a record in the journal. A Program acts only through
// its Run: each call takes the next place in the record. While the record
// already has that place, the call is answered from it and nothing is touched
// (replay); behind its end the call is made, and recorded (live). A Program
// must therefore be deterministic: the same calls in the same order, given the
// same answers. Where the record and the Program disagree, the run is HELD and
// says so; the engine never guesses.
//
// What is on disk when: a run's records are durable before anything outside
// can see their consequence, that is before an effect begins, before an
// acknowledgement, and before anybody is shown them. Between those points they
// gather in memory.
//
// A run is a lane (its program's branch of the record: cursor, next place, last
// record; another one while it writes its safe state), a mailbox (engine/mailbox),
// and a life cycle (engine/lifecycle, with its diagram). Who executes and who
// waits for that is engine/scheduler's. What stands where in
// a record, and how, is engine/record's.
//
// The engine knows steps and the journal. It does not know tags, scripts,
// sockets or configuration files.
package engine

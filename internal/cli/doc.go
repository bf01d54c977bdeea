// Package cli is the command line: one file a verb or family of verbs. Each
// verb but those that work without a daemon is a client of the daemon's socket.
//
// What a verb prints as JSON is one document on standard output, and a stream
// one document a line; nothing else goes there. Progress, notes and errors go to
// standard error; an error is one line that begins "holdfast: cannot", and a
// second, "hint: ", where there is something to do about it.
//
// Exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not found, 5 refused,
// 6 outcome unknown, 75 try again, 78 bad configuration; the table is in package
// wire. Interrupted (SIGINT, SIGTERM): a stream (tags watch, logs -f) ends with
// 0, for that is how it is ended; waiting for something that goes on without us
// (start --wait, hold --wait) ends with 1 and says that it goes on; a write that
// was sent ends with 6.
package cli

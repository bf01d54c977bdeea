// Package mailbox holds the messages that wait for a run: in the order in which
// they came, bounded in number and bytes, each numbered, those with a UUID taken
// once. It knows which of them are commands of operators, which are always
// taken, and nothing of what a run does with them.
//
// A Box is used under the lock of its run. What it holds is on disk already;
// it does no I/O.
package mailbox

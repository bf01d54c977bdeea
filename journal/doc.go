// Package journal is the durable record of runs, on bbolt.
//
// Its nouns: a Run is one execution of a workflow, known by a number that
// grows with each start; a Record is one line of what it did; a Message is a
// line of its mailbox that it has not taken yet; a Change is a set of these
// that becomes durable as one. What Records, Messages and headers mean is the
// business of the engine: to the journal they are bytes.
//
// Its guarantees: Changes become durable in the order in which they were
// appended, all of one Change or nothing of it. Commit returns when its Change,
// and with it every Change appended before it, is on disk; Append returns at
// once, and its Change rides along with the next commit, at the latest after
// the time that its Urgency names. After a failed commit nothing more is
// accepted (Err says why): whether that commit is durable is not known until
// the file is opened again.
package journal

// Package journal is the durable record of runs, on bbolt.
//
// Its nouns: a Run is one execution of a workflow, known by a number that
// grows with each start; a Record is one line of what it did; a Message is a
// line of its mailbox that it has not taken yet; a Change is a set of these
// that becomes durable as one. What Records, Messages and headers mean is the
// business of the engine: to the journal they are bytes.
//
// Its guarantees: Changes become durable in the order in which they were
// appended, all of one Change or nothing of it; those of one Commit count as
// one. Commit returns when its Change, and with it every Change appended before
// it, is on disk; Append returns at once, and its Change rides along with the
// next commit, at the latest after the time that its Urgency names. After a
// failed commit nothing more is accepted (Err says why): whether that commit is
// durable is not known until the file is opened again. Lists and searches make
// durable what was appended before them, and see it.
//
// A run can be longer than memory: Records and Messages read it by pages, from
// any place on, LiveHeaders and Head without its record. They see what is on
// disk; SyncContext comes before where more is wanted. No read outlasts its
// context by more than a page, and an entry that cannot be read costs its run,
// not a list.
//
// A commit is one frame of a log (package wal) and one sync. The log lies in
// front of journal.db, behind the store's three methods: what is in it is carried
// down in the background. Where the disk is full, a part of the log is kept for
// Changes that are Essential; others get ErrNoRoom, and Room says when to try
// again.
//
// Live runs lie in journal.db, which stays small; a run that has ended moves to
// history.db in the background, in batches, while nobody waits for the disk, or
// before too much has gathered. Lists of ended runs go by number or by term;
// Delete and Retention remove them, and the file is made smaller when most of
// it is free. While the disk is full runs stay in journal.db (Stats says so).
//
// Open reads the files through before it uses them; a long history that was
// closed in order is read through in the background, and again each day. Damage
// costs the entries that it hit and puts their runs into the Report; it never
// ends the process, and nothing whose CRC does not hold is given out. A damaged
// history is mended while it is in use. FORMAT.md describes every byte.
package journal

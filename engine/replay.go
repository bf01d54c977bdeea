package engine

import (
	"holdfast/engine/record"
	"holdfast/journal"
)

// cursor walks the records of a lane while they are replayed.
type cursor struct {
	record.Reader
	pos  int
	used uint32 // how many calls the record at pos has answered
	room func() // gives back the memory that the records take; nil: they take none
}

// active reports whether the record still has an answer.
func (c *cursor) active() bool { return c.pos < len(c.Records) }

// peek returns the record that the next call must match.
func (c *cursor) peek() *journal.Record { return &c.Records[c.pos] }

// take moves on after a call has been answered. It passes over what the body of
// a step has told, and returns the place behind that; 0: there is none.
func (c *cursor) take() (behind uint32) {
	c.used++
	if c.used < c.Records[c.pos].Count {
		return 0
	}
	c.used = 0
	c.pos++
	for c.pos < len(c.Records) && record.ToldInBody(&c.Records[c.pos]) {
		behind = record.PlaceOf(c.Records[c.pos].Seq).Seq + 1
		c.pos++
	}
	if c.pos == len(c.Records) {
		c.drop()
	}
	return behind
}

// drop forgets the record: nothing more is answered from it.
func (c *cursor) drop() {
	if c.room != nil {
		c.room()
	}
	*c = cursor{}
}

// advanceReplay moves the cursor and the next place on.
func (l *lane) advanceReplay(rec *journal.Record) {
	before, last := l.replay.Reader, *rec
	l.behind = max(l.behind, l.replay.take())
	l.moveOn(record.PlaceOf(last.Seq))
	if l.replay.active() || !record.Joins(last.Kind) {
		return
	}
	// Polling goes on where it stood: an equal result joins the last record.
	if !l.writer.Read(&before, &last) {
		return // the answer did not need what cannot be read
	}
	last.Count = max(1, last.Count)
	l.tail.become(&l.writer, last)
}

// unreadable is the fatal error of a record that cannot be read.
func (l *lane) unreadable(err error) error { return l.setFatal(&recordError{err}) }

// mismatch is the fatal error of a program that asks for something else than
// what the record has.
func (l *lane) mismatch(rec *journal.Record, asked string, where func() string) error {
	at := "an unknown line"
	if where == nil {
		where = l.where
	}
	if where != nil {
		at = where()
	}
	return l.setFatal(&Mismatch{Seq: rec.Seq, Record: record.Describe(l.replay.Records, rec), Script: asked, Where: at})
}

package engine

import (
	"bytes"
	"fmt"

	"holdfast/engine/value"
	"holdfast/journal"
)

// cursor walks the program's lane of a record while it is replayed.
type cursor struct {
	recs []journal.Record
	pos  int
	used uint32 // how many calls the record at pos has answered
	room func() // gives back the memory that recs take; nil: they take none
}

// active reports whether the record still has an answer.
func (c *cursor) active() bool { return c.pos < len(c.recs) }

// peek returns the record that the next call must match.
func (c *cursor) peek() *journal.Record { return &c.recs[c.pos] }

// take moves on after a call has been answered. It passes over what the body of
// a step has said, and returns the place behind that; 0: there is none.
func (c *cursor) take() (behind uint32) {
	c.used++
	if c.used < c.recs[c.pos].Count {
		return 0
	}
	c.used = 0
	c.pos++
	for c.pos < len(c.recs) && saidInBody(&c.recs[c.pos]) {
		behind = c.recs[c.pos].Seq + 1
		c.pos++
	}
	if c.pos == len(c.recs) {
		c.drop()
	}
	return behind
}

// saidInBody reports whether a record is what the body of a step has told the
// outside: one with a third field.
func saidInBody(rec *journal.Record) bool {
	switch rec.Kind {
	case kindEvent, kindStream, kindProgress:
		major, n, _, err := value.ReadHead(rec.Data)
		return err == nil && major == value.MajorArray && n > 2
	}
	return false
}

// drop forgets the record: nothing more is answered from it.
func (c *cursor) drop() {
	if c.room != nil {
		c.room()
	}
	*c = cursor{}
}

// expect returns the fields of the next record if it is of the kind that the
// program asks for; else the mismatch.
func (r *Run) expect(kind journal.Kind, n int, asked string, where func() string) ([]value.Raw, *journal.Record, error) {
	rec := r.replay.peek()
	if rec.Kind != kind {
		return nil, nil, r.mismatch(rec, asked, where)
	}
	fs, err := split(rec, n, nil)
	if err != nil {
		return nil, nil, r.die(&recordError{err})
	}
	return fs, rec, nil
}

// taken moves the cursor and the next place on.
func (r *Run) taken(rec *journal.Record) {
	recs, last := r.replay.recs, *rec
	r.behind = max(r.behind, r.replay.take())
	r.next(last.Seq)
	if r.replay.active() || !joinable(last.Kind) {
		return
	}
	// Polling goes on where it stood: an equal result joins the last record.
	o, err := open(recs, &last, nil)
	if err != nil {
		return // the answer did not need what cannot be read
	}
	d, vs := &r.draft, make([]any, len(standing(last.Kind)))
	for i := range vs {
		vs[i] = o.fs[i]
	}
	d.set(last.Kind, vs...)
	last.Count = max(1, last.Count)
	r.tail.become(d, last)
}

func joinable(k journal.Kind) bool { return k == kindDone || k == kindReceived }

func (r *Run) mismatch(rec *journal.Record, asked string, where func() string) error {
	at := "an unknown line"
	if where == nil {
		where = r.where
	}
	if where != nil {
		at = where()
	}
	return r.die(&Mismatch{Seq: rec.Seq, Record: describe(r.replay.recs, rec), Script: asked, Where: at})
}

// describe shows a record of recs in a message.
func describe(recs []journal.Record, rec *journal.Record) string {
	var fs []value.Raw
	var err error
	if standing(rec.Kind) != nil {
		var o opened
		o, err = open(recs, rec, nil)
		fs = o.fs
	} else {
		fs, err = split(rec, 2, nil)
	}
	if err != nil {
		return fmt.Sprintf("an unreadable record of kind %d", rec.Kind)
	}
	name, _ := fs[0].Text()
	switch rec.Kind {
	case kindBegun, kindDone:
		return showCall(name, fs[1])
	case kindReceived:
		topic, _ := value.Decode(fs[1])
		return fmt.Sprintf("rt.%v(topic=%q)", name, topic)
	case kindValue:
		return fmt.Sprintf("rt.%v()", name)
	case kindEvent:
		return fmt.Sprintf("rt.setEvent(%.60q, …)", name)
	case kindStream:
		return fmt.Sprintf("rt.writeStream(%.60q, …)", name)
	case kindProgress:
		return fmt.Sprintf("rt.progress(%.60q, …)", name)
	}
	return fmt.Sprintf("a record of kind %d", rec.Kind)
}

// showCall shows a step's name and arguments, shortened.
func showCall(name string, args value.Raw) string {
	v, err := value.Decode(args)
	m, ok := v.(*value.Map)
	if err != nil || !ok {
		return name + "(…)"
	}
	var b bytes.Buffer
	b.WriteString(name + "(")
	for i, p := range m.Pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.60s=%s", p.Key, value.Short(p.Value, 60))
	}
	b.WriteString(")")
	return b.String()
}

package journal

import (
	"errors"
	"slices"
)

// Writer appends Changes. It belongs to one goroutine at a time: it holds the
// buffer and the channel that would else be made for each Change.
type Writer struct {
	j    *Journal
	enc  encoder
	done chan answer
}

// Writer returns a new Writer. It holds nothing that must be given back.
func (j *Journal) Writer() *Writer { return &Writer{j: j, done: make(chan answer, 2)} }

// Commit appends Changes, of one run or of several, which become durable as one:
// after a power cut all of them are there, or none. It returns when they, and
// every Change that anyone appended before, are on disk. An error wraps
// ErrFailed when that is not known, or not so; it is ErrNoRoom when nothing of
// them was recorded for want of room, ErrClosed when the journal was closed
// before.
func (w *Writer) Commit(cs ...Change) error {
	return w.append(cs, true, Soon)
}

// Append queues c, which becomes durable with the next Commit of anyone, or
// after the time that u names. It blocks only while the queue is full, and until
// it is durable if it is longer than the log takes. The journal keeps nothing
// that c points to.
func (w *Writer) Append(c Change, u Urgency) error {
	one := [1]Change{c}
	return w.append(one[:], false, u)
}

// await returns what a barrier is told. Meanwhile it may get the turn to commit.
func (j *Journal) await(turn bool, done <-chan answer) error {
	if turn {
		j.lead()
	}
	for {
		a := <-done
		if !a.turn {
			return a.err
		}
		j.lead()
	}
}

func (w *Writer) append(cs []Change, barrier bool, u Urgency) error {
	p := pending{spare: len(cs) > 0}
	w.enc.reset()
	for i := range cs {
		c := &cs[i]
		if err := c.check(); err != nil {
			return err
		}
		p.spare = p.spare && c.Essential
		if c.Amend != nil || c.End != nil {
			p.ended = append(p.ended, c.Run)
		}
		w.encode(c)
	}
	var before func(*uint64) error
	if hook := w.j.opts.BeforeAppend; hook != nil {
		before = each(hook, slices.Clone(cs))
	}
	if barrier || bodyLen(&w.enc) > w.j.longest {
		p.done = w.done
	}
	turn, err := w.j.q.add(&w.enc, p, u, before)
	if err != nil || p.done == nil {
		return err
	}
	return w.j.await(turn, w.done)
}

// each calls hook for each Change with its number.
func each(hook func(uint64, Change) error, cs []Change) func(*uint64) error {
	return func(n *uint64) error {
		for i := range cs {
			*n++
			if err := hook(*n, cs[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *Writer) encode(c *Change) {
	var amend uint64
	if c.Amend != nil {
		amend = w.j.amends.Add(1)
	}
	if c.Start != nil && c.Start.Script != "" {
		w.j.used.add(c.Start.Script)
	}
	w.enc.change(c, amend)
}

// Sync returns when every Change appended so far is on disk.
func (j *Journal) Sync() error {
	done := make(chan answer, 2)
	turn, err := j.q.add(new(encoder), pending{done: done}, Soon, nil)
	if err != nil {
		return err
	}
	return j.await(turn, done)
}

// PutScript keeps source under its hash; it becomes durable with the next
// Commit, before the Change of that Commit. A hash that is known is left as it
// is. A script is kept while the journal is open; after that, while a run names it.
func (j *Journal) PutScript(hash string, source []byte) error {
	switch {
	case hash == "" || len(hash) > maxID:
		return errors.New("cannot keep a script: its hash is empty or too long")
	case len(source) > maxData:
		return errors.New("cannot keep a script: it is too long")
	}
	j.used.add(hash)
	j.putting.Lock() // who finds it known relies on that it was accepted
	defer j.putting.Unlock()
	if !j.scripts.add(hash) {
		return j.Err()
	}
	var e encoder
	e.putRaw(scriptKey(hash), source)
	var p pending
	done := make(chan answer, 2)
	if bodyLen(&e) > j.longest {
		p.done = done
	}
	turn, err := j.q.add(&e, p, Later, nil)
	if err == nil && p.done != nil {
		err = j.await(turn, done)
	}
	if err != nil {
		j.scripts.remove(hash)
	}
	return err
}

package journal

import "errors"

// Writer appends Changes. It belongs to one goroutine at a time: it holds the
// buffer and the channel that would else be made for each Change.
type Writer struct {
	j    *Journal
	enc  encoder
	done chan answer
}

// Writer returns a new Writer. It holds nothing that must be given back.
func (j *Journal) Writer() *Writer { return &Writer{j: j, done: make(chan answer, 2)} }

// Commit appends c and returns when it, and every Change that anyone appended
// before it, is on disk. An error wraps ErrFailed when that is not known, or
// not so; ErrClosed when the journal was closed before.
func (w *Writer) Commit(c Change) error {
	turn, err := w.append(&c, w.done, Soon)
	if err != nil {
		return err
	}
	return w.j.await(turn, w.done)
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

// Append queues c, which becomes durable with the next Commit of anyone, or
// after the time that u names. It blocks only while the queue is full. The
// journal keeps nothing that c points to.
func (w *Writer) Append(c Change, u Urgency) error {
	_, err := w.append(&c, nil, u)
	return err
}

func (w *Writer) append(c *Change, done chan<- answer, u Urgency) (turn bool, err error) {
	if err := c.check(); err != nil {
		return false, err
	}
	j := w.j
	w.enc.reset()
	var amend uint64
	p := pending{done: done, spare: c.Essential}
	if c.Amend != nil {
		amend = j.amends.Add(1)
	}
	if c.Amend != nil || c.End != nil {
		p.run = c.Run
	}
	w.enc.change(c, amend)
	if len(c.Records) > 0 && j.damaged.remove(c.Run) {
		w.enc.removeRaw(appendPart(nil, c.Run, partDamage))
	}
	var before func(uint64) error
	if hook := j.opts.BeforeAppend; hook != nil {
		before = func(n uint64) error { return hook(n, *c) }
	}
	return j.q.add(&w.enc, p, u, before)
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
// Commit, before the Change of that Commit. A hash that is known is left as it is.
func (j *Journal) PutScript(hash string, source []byte) error {
	switch {
	case hash == "" || len(hash) > maxID:
		return errors.New("cannot keep a script: its hash is empty or too long")
	case len(source) > maxData:
		return errors.New("cannot keep a script: it is too long")
	}
	if !j.scripts.add(hash) {
		return j.Err()
	}
	var e encoder
	e.putRaw(scriptKey(hash), source)
	if _, err := j.q.add(&e, pending{}, Later, nil); err != nil {
		j.scripts.remove(hash)
		return err
	}
	return nil
}

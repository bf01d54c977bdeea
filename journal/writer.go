package journal

import "errors"

// Writer appends Changes. It belongs to one goroutine at a time: it holds the
// buffer and the channel that would else be made for each Change.
type Writer struct {
	j    *Journal
	enc  encoder
	done chan error
}

// Writer returns a new Writer. It holds nothing that must be given back.
func (j *Journal) Writer() *Writer { return &Writer{j: j, done: make(chan error, 1)} }

// Commit appends c and returns when it, and every Change that anyone appended
// before it, is on disk. An error wraps ErrFailed when that is not known, or
// not so; ErrClosed when the journal was closed before.
func (w *Writer) Commit(c Change) error {
	if err := w.append(&c, w.done, Soon); err != nil {
		return err
	}
	return <-w.done
}

// Append queues c, which becomes durable with the next Commit of anyone, or
// after the time that u names. It blocks only while the queue is full. The
// journal keeps nothing that c points to.
func (w *Writer) Append(c Change, u Urgency) error { return w.append(&c, nil, u) }

func (w *Writer) append(c *Change, done chan<- error, u Urgency) error {
	if err := c.check(); err != nil {
		return err
	}
	j := w.j
	w.enc.reset()
	var amend uint64
	p := pending{done: done}
	if c.Amend != nil {
		amend = j.amends.Add(1)
	}
	if c.Amend != nil || c.End != nil {
		p.run = c.Run
	}
	if c.Start != nil && c.Start.Script != "" {
		j.used.add(c.Start.Script)
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
	done := make(chan error, 1)
	if err := j.q.add(new(encoder), pending{done: done}, Soon, nil); err != nil {
		return err
	}
	return <-done
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
	if !j.scripts.add(hash) {
		return j.Err()
	}
	var e encoder
	e.putRaw(scriptKey(hash), source)
	if err := j.q.add(&e, pending{}, Later, nil); err != nil {
		j.scripts.remove(hash)
		return err
	}
	return nil
}

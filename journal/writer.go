package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Writer appends Changes. It belongs to one goroutine at a time: it holds the
// buffer and the channel that would else be made for each Change.
type Writer struct {
	j    *Journal
	done chan answer

	mu    sync.Mutex // the journal reaches for rows, too
	enc   encoder
	run   uint64 // whose records gather here; 0: none do
	row   row
	spare bool // the row has something essential
	waits [urgencies]waiting
}

// Writer returns a new Writer. It holds nothing that must be given back.
func (j *Journal) Writer() *Writer { return &Writer{j: j, done: make(chan answer, 2)} }

// WriterOf returns the Writer of a run that makes its record: one at a time, and
// for Changes of that run. What it appends gathers in it, until something of the
// run is to be on disk, or its time has come: then it is one entry. Records that
// are not new, Change.Again, are to be marked.
func (j *Journal) WriterOf(run uint64) *Writer {
	w := j.Writer()
	w.run = run
	return w
}

// Commit appends Changes, of one run or of several, which become durable as one:
// after a power cut all of them are there, or none. It returns when they, and
// every Change that was appended by this Writer before, are on disk. An error
// wraps ErrFailed when that is not known, or not so; it is ErrNoRoom when nothing
// of them was recorded for want of room, ErrClosed when the journal was closed
// before.
func (w *Writer) Commit(cs ...Change) error {
	return w.append(cs, true, Soon)
}

// Append queues c, which becomes durable with the next Commit of this Writer, or
// after the time that u names. It blocks only while the queue is full, and until
// it is durable if it is longer than the log takes. The journal keeps nothing
// that c points to. What the Writer of a run gathers may have to be given up when
// the journal is closed without room, as in a power cut.
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
	for i := range cs {
		if err := cs[i].check(); err != nil {
			return err
		}
		if cs[i].End == nil {
			continue
		}
		if err := w.j.push(cs[i].Run, w); err != nil { // it is moved from then on
			return err
		}
	}
	turn, waits, err := w.enqueue(cs, barrier, u)
	switch {
	case err != nil:
		w.j.refused()
		return err
	case !waits:
		return nil
	}
	return w.j.await(turn, w.done)
}

// enqueue puts the Changes into the queue, and what has gathered before them. Or
// they gather, too. waits says that the caller has to await what becomes of them.
func (w *Writer) enqueue(cs []Change, barrier bool, u Urgency) (turn, waits bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var before func(*uint64) error
	if hook := w.j.opts.BeforeAppend; hook != nil {
		before = each(hook, slices.Clone(cs))
	}
	if !barrier && w.run != 0 && len(cs) == 1 && cs[0].gathers() {
		if gathered, err := w.gather(&cs[0], u, before); gathered || err != nil {
			return false, false, err
		}
	}
	p := pending{spare: len(cs) > 0}
	w.enc.reset()
	kept := w.row // what the row is again, if there is no room
	for i := range cs {
		c := &cs[i]
		p.spare = p.spare && c.Essential
		if c.Amend != nil || c.End != nil {
			p.ended = append(p.ended, c.Run)
		}
		if err := w.encode(c); err != nil {
			w.row = kept
			return false, false, err
		}
	}
	if w.row.n > 0 {
		w.row.encode(&w.enc, w.run)
	}
	if barrier || bodyLen(&w.enc) > w.j.longest {
		p.done = w.done
	}
	if turn, err = w.j.q.add(&w.enc, p, u, before); err != nil {
		w.row = kept
		return false, false, err
	}
	w.emptied()
	if w.run != 0 && len(p.ended) > 0 {
		w.left()
	}
	return turn, p.done != nil, nil
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

// encode encodes c. Records that belong into the row at work are added to it.
func (w *Writer) encode(c *Change) error {
	var amend uint64
	if c.Amend != nil {
		amend = w.j.amends.Add(1)
	}
	if c.Start != nil && c.Start.Script != "" {
		w.j.used.add(c.Start.Script)
	}
	if w.run == 0 || c.Run != w.run {
		w.enc.change(c, amend)
		return nil
	}
	rest := *c
	rest.Records = nil
	var left []Record
	if c.Drop > 0 {
		var err error
		if left, err = w.straddling(c.Drop); err != nil {
			return err
		}
	}
	w.enc.change(&rest, amend)
	for i := range left {
		w.enc.record(w.run, &left[i])
	}
	for i := range c.Records {
		r := &c.Records[i]
		if w.row.n > 0 && (c.Again || !w.row.takes(r)) {
			w.row.encode(&w.enc, w.run)
			w.row = row{} // its memory may be needed again
		}
		if c.Again {
			w.enc.record(w.run, r)
			w.enc.removeRaw(appendRecordKey(nil, w.run, r.Seq, r.Kind|countBits))
		} else {
			w.row.add(r)
		}
	}
	return nil
}

// Sync returns when every Change appended so far is on disk.
func (j *Journal) Sync() error {
	if err := j.pushAll(); err != nil {
		return err
	}
	return j.barrier()
}

// SyncContext is Sync for one who waits until ctx is done, and no longer. What
// was appended becomes durable all the same.
func (j *Journal) SyncContext(ctx context.Context) error { return within(ctx, j.Sync) }

// SyncRun is SyncContext for the Changes of one run: those of others go on
// gathering.
func (j *Journal) SyncRun(ctx context.Context, run uint64) error {
	return within(ctx, func() error {
		if err := j.push(run, nil); err != nil {
			return err
		}
		return j.barrier()
	})
}

// within waits for f while ctx is not done. f goes on then: it may have got the
// turn to commit, for others, too.
func within(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// barrier returns when all that is in the queue is on disk.
func (j *Journal) barrier() error {
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

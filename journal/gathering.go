package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A run's own Writer keeps what it appends until something of that run has to be
// on disk. So the barrier of another run does not drag it along, and what the run
// did between two barriers is one entry. What has waited for as long as its
// urgency allows goes into the queue all the same, with that of all others whose
// time has half come: they share a commit.

// waiting is what a Writer has of one urgency.
type waiting struct {
	since  time.Time // when the oldest of it came; zero: there is none
	listed bool      // the Writer stands in the list of that urgency
}

// gathering knows the Writers that may have something, by urgency and by run.
type gathering struct {
	mu    sync.Mutex
	lists [urgencies]map[*Writer]struct{}
	timer [urgencies]*time.Timer
	runs  map[uint64][]*Writer
	over  bool
}

func (g *gathering) begin(come func(Urgency)) {
	g.runs = make(map[uint64][]*Writer)
	for u := range urgencies {
		g.lists[u] = make(map[*Writer]struct{})
		g.timer[u] = time.AfterFunc(time.Hour, func() { come(u) })
		g.timer[u].Stop()
	}
}

// gathers reports whether c may wait in its run's Writer.
func (c *Change) gathers() bool {
	return !c.Again && len(c.Records) == 1 && c.Counts == nil && c.Start == nil && c.Drop == 0 && c.Inbox == nil && c.Taken == nil &&
		c.End == nil && c.Amend == nil && c.State == nil && !c.LossNoted
}

// gather adds the record of c to the row, unless that is full. The caller holds mu.
func (w *Writer) gather(c *Change, u Urgency, before func(*uint64) error) (gathered bool, err error) {
	r := &c.Records[0]
	if c.Run != w.run || !w.row.takes(r) || len(r.Data) > rowBytes {
		return false, nil
	}
	if err := w.j.q.accept(before); err != nil {
		return false, err
	}
	w.row.add(r)
	w.spare = w.spare || c.Essential
	if s := &w.waits[u]; s.since.IsZero() {
		s.since = time.Now()
		if !s.listed {
			s.listed = true
			w.j.gathering.list(w, u, w.j.q.limits.within(u))
		}
	}
	return true, nil
}

// emptied notes that the row is in the queue. The caller holds mu.
func (w *Writer) emptied() {
	w.row.n, w.spare = 0, false
	for u := range w.waits {
		w.waits[u].since = time.Time{}
	}
}

// push puts the row into the queue. The caller holds mu.
func (w *Writer) push(u Urgency) error {
	if w.row.n == 0 {
		return nil
	}
	w.enc.reset()
	w.row.encode(&w.enc, w.run)
	if _, err := w.j.q.add(&w.enc, pending{spare: w.spare, row: true}, u, nil); err != nil {
		return err
	}
	w.emptied()
	if u == Later { // it may be long until there is something again
		w.row.b, w.enc = nil, encoder{}
	}
	return nil
}

// list has w looked after when its time has come.
func (g *gathering) list(w *Writer, u Urgency, within time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lists[u][w] = struct{}{}
	if of := g.runs[w.run]; !slices.Contains(of, w) {
		g.runs[w.run] = append(of, w)
	}
	if len(g.lists[u]) == 1 && !g.over {
		g.timer[u].Reset(within)
	}
}

// unlist takes w out of the lists of which it says so itself, and out of the table
// of runs if that is all of them. The caller holds w.mu.
func (g *gathering) unlist(w *Writer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	listed := false
	for u := range w.waits {
		if w.waits[u].listed {
			listed = true
		} else {
			delete(g.lists[u], w)
		}
	}
	if listed {
		return
	}
	of := slices.DeleteFunc(g.runs[w.run], func(other *Writer) bool { return other == w })
	if len(of) == 0 {
		delete(g.runs, w.run)
		return
	}
	g.runs[w.run] = of
}

// come is called when the time of something of an urgency may have come.
func (j *Journal) come(u Urgency) {
	g, within := &j.gathering, j.q.limits.within(u)
	next, some := within, false
	for _, w := range g.of(u) {
		if !w.mu.TryLock() { // somebody is at it
			next = min(next, within/4)
			continue
		}
		s := &w.waits[u]
		switch age := time.Since(s.since); {
		case s.since.IsZero():
			s.listed = false
		case age < within/2:
			next = min(next, within-age)
		default:
			if err := w.push(u); err == nil {
				some, s.listed = true, false
			} else if !errors.Is(err, ErrNoRoom) {
				s.listed = false // it is never recorded
			}
		}
		if !s.listed {
			g.unlist(w)
		}
		w.mu.Unlock()
	}
	if some {
		j.q.flush()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lists[u]) > 0 && !g.over {
		g.timer[u].Reset(next)
	}
}

// of returns the Writers in a list.
func (g *gathering) of(u Urgency) []*Writer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.lists[u]))
}

// left gives up w's memory once its run has ended. The caller holds w.mu.
func (w *Writer) left() {
	listed := false
	for u := range w.waits {
		listed = listed || w.waits[u].listed
		w.waits[u].listed = false
	}
	if listed {
		w.j.gathering.unlist(w)
	}
	w.row.b, w.enc = nil, encoder{}
}

// push puts what has gathered of a run into the queue, but what one Writer has.
func (j *Journal) push(run uint64, but *Writer) error {
	g := &j.gathering
	g.mu.Lock()
	of := slices.Clone(g.runs[run])
	g.mu.Unlock()
	return pushed(of, but)
}

// pushAll puts all that has gathered into the queue.
func (j *Journal) pushAll() error { return pushed(j.gathering.all(), nil) }

func (g *gathering) all() []*Writer {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*Writer
	for _, list := range g.lists {
		all = slices.AppendSeq(all, maps.Keys(list))
	}
	return all
}

func pushed(of []*Writer, but *Writer) error {
	for _, w := range of {
		if w == but {
			continue
		}
		w.mu.Lock()
		err := w.push(Soon)
		w.mu.Unlock()
		if err != nil && !errors.Is(err, ErrNoRoom) {
			return err
		}
	}
	return nil
}

// end pushes what has gathered, for the last time.
func (g *gathering) end() error {
	g.mu.Lock()
	g.over = true
	for _, t := range g.timer {
		t.Stop()
	}
	g.mu.Unlock()
	return pushed(g.all(), nil)
}

// straddling returns what records from a place on lie in rows that begin before
// it, and go with those. Everything else of the run is on disk then. The caller
// holds mu.
func (w *Writer) straddling(place uint32) ([]Record, error) {
	if err := w.push(Soon); err != nil {
		return nil, err
	}
	if err := w.j.barrier(); err != nil {
		return nil, err
	}
	var recs []Record
	var bad error
	err := w.j.live.Scan(rowsBefore(w.run, place), appendRecordKey(nil, w.run, place, 0), func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		if err == nil {
			recs, err = decodeRecords(recs, place, key, payload)
		}
		if err != nil {
			bad = fmt.Errorf("%s: %w", describe(key), err)
		}
		return bad == nil
	})
	if err = errors.Join(err, bad); err != nil {
		return nil, err
	}
	at, _ := findRecord(recs, place, 0)
	recs = recs[at:]
	for i := 0; i < len(recs); { // what was put on its own later stays as it is
		value, err := w.j.live.Get(appendRecordKey(nil, w.run, recs[i].Seq, recs[i].Kind|aloneBit))
		if err != nil {
			return nil, err
		}
		if value != nil {
			recs = slices.Delete(recs, i, i+1)
		} else {
			i++
		}
	}
	return recs, nil
}

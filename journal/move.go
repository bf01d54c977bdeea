package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	moveRuns  = 256     // so many ended runs are moved at once, without waiting
	moveBytes = 1 << 20 // of one transaction of the history
)

// mover takes the records of ended runs from the live file to the history, and
// looks after the history: all of it in the background, by one goroutine. The
// history has a run on disk before anything of it leaves the live file, so that
// a crash between the two leaves it in both, and the move is done again.
type mover struct {
	j      *Journal
	within time.Duration
	ended  waitSet // runs with something in the live file that belongs to the history

	mu    sync.Mutex
	order []uint64 // they, as they came
	armed bool
	err   error // why nothing is moved at present
	timer *time.Timer

	wake chan struct{} // one slot
	stop chan struct{} // closed by close
	done chan struct{} // closed when loop has returned

	gather gatherer
	stuck  []uint64  // runs that could not be read; tried again when the history has been mended
	since  time.Time // when the slice of work began
	keep   keeper
	left   bool // a run was taken from the live file, perhaps not durably; with history.write
}

func newMover(j *Journal, within time.Duration) *mover {
	m := &mover{j: j, within: within, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	m.gather = gatherer{m: m, dirty: true}
	m.keep.m = m
	m.timer = time.AfterFunc(time.Hour, m.kick)
	m.timer.Stop()
	return m
}

func (m *mover) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// add notes that run has something to move. The committer calls it.
func (m *mover) add(run uint64) {
	m.ended.add(run)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.order = append(m.order, run)
	switch {
	case len(m.order) >= moveRuns:
		m.kick()
	case !m.armed:
		m.armed = true
		m.timer.Reset(m.within)
	}
}

func (m *mover) state() (waiting int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(m.ended.n.Load()), m.err
}

func (m *mover) setError(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// close stops the timer and waits until the batch at work is through.
func (m *mover) close() {
	close(m.stop)
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer.Stop()
}

func (m *mover) stopped() bool {
	select {
	case <-m.stop:
		return true
	default:
		return false
	}
}

// loop ends when the journal is closed, or has failed.
func (m *mover) loop() {
	defer close(m.done)
	defer m.keep.close()
	var runs []uint64
	var pause time.Duration
	for {
		m.since = time.Now()
		var err error
		if runs, err = m.turn(runs); err == nil {
			pause = 0
			m.setError(nil)
		} else if !m.passing(err) {
			m.setError(err)
			m.j.fail(err)
			<-m.stop
			return
		} else {
			// Room may be made at any time; until then all of it stays in the live file.
			m.setError(err)
			if pause == 0 {
				m.j.log.Error("ended runs stay in the live file until there is room", "error", err)
			}
			pause = min(max(2*pause, time.Second), time.Minute)
		}
		if !m.wait(pause) {
			return
		}
	}
}

// wait returns when there is something to do, not before pause has passed;
// false when the journal is to be closed.
func (m *mover) wait(pause time.Duration) bool {
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-m.stop:
			return false
		case <-t.C:
			return true
		}
	}
	if m.keep.busy() {
		return !m.stopped()
	}
	t := time.NewTimer(m.keep.every())
	defer t.Stop()
	select {
	case <-m.stop:
		return false
	case <-m.wake:
	case <-t.C:
	}
	return true
}

// turn does what is due, and returns the runs that are left.
func (m *mover) turn(runs []uint64) ([]uint64, error) {
	if err := m.keep.heal(); err != nil {
		return runs, err
	}
	m.mu.Lock()
	runs = append(runs, m.order...)
	m.order, m.armed = nil, false
	m.timer.Stop()
	m.mu.Unlock()
	for len(runs) > 0 && !m.stopped() {
		n, err := m.move(runs)
		if err != nil {
			return runs, err
		}
		runs = runs[n:]
	}
	return runs, m.keep.look()
}

// passing reports whether an error is one that goes away when there is room, or
// when the history has been mended.
func (m *mover) passing(err error) bool {
	return noRoom(err) || errors.Is(err, errDamaged) || m.j.history.broken()
}

// move moves the first of runs, as many as make a transaction, and returns how many.
func (m *mover) move(runs []uint64) (n int, err error) {
	g, h := &m.gather, m.j.history
	h.write.Lock()
	defer h.write.Unlock()
	if err := g.begin(); err != nil {
		return 0, err
	}
	var gone []leaving
	moved, met := int64(0), make(map[uint64]bool, moveRuns)
	for n < len(runs) && n < moveRuns && len(g.enc.buf) < moveBytes && (n == 0 || !m.stopped()) {
		run := runs[n]
		n++
		if met[run] {
			continue // its end, and a summary that replaced it soon after
		}
		met[run] = true
		times := m.ended.times(run)
		l, err := g.run(run)
		l.times = times
		if err != nil {
			g.dirty = true
			return 0, fmt.Errorf("cannot move run %d to the history: %w", run, err)
		}
		switch {
		case l.goes:
			gone = append(gone, l)
		case l.stays:
			m.stuck = append(m.stuck, l.run)
		default:
			m.ended.remove(l.run, l.times)
		}
		if l.moved {
			moved++
		}
	}
	if err = g.finish(); err == nil {
		err = h.Commit(&g.enc)
	}
	if g.dirty = err != nil; g.dirty {
		return 0, err
	}
	h.runs.Add(moved)
	for _, l := range gone {
		m.ended.remove(l.run, l.times)
		if _, err := m.leave(l, nil); err != nil {
			return 0, fmt.Errorf("cannot take run %d from the live file: %w", l.run, err)
		}
		m.rest()
	}
	m.j.stats.moved.Add(int64(len(gone)))
	return n, nil
}

// leave queues the removal of a run from the live file, as one: a part of it
// must never look alive. A summary that came meanwhile has another key, and stays.
func (m *mover) leave(l leaving, done chan<- answer) (turn bool, err error) {
	e := &m.gather.enc
	e.reset()
	e.removeRange(appendPart(nil, l.run, partHeader), appendPart(nil, l.run, partAmend))
	for _, key := range l.keys {
		e.removeRaw(key)
	}
	if l.id != "" {
		e.removeRaw(appendID(nil, l.id))
	}
	e.putRaw([]byte(keyHistory), appendUint64(nil, m.j.history.serial))
	if l.run > m.j.floor {
		m.j.floor = l.run
		e.putRaw([]byte(keyFloor), binary.BigEndian.AppendUint64(nil, l.run))
	}
	m.left = true
	return m.j.q.add(e, pending{done: done}, Later, nil)
}

// settle returns when what has left the live file cannot come back. What is
// removed from the history before that would. The caller holds history.write.
func (m *mover) settle() error {
	if !m.left {
		return nil
	}
	m.left = false
	return m.j.Sync()
}

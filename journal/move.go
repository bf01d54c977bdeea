package journal

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

const (
	moveRuns  = 256     // so many ended runs are moved at once, without waiting
	moveBytes = 4 << 20 // of one transaction of the history
	moveKeys  = 1024    // removed from the live file as one
)

// mover takes the records of ended runs from the live file to the history, in
// the background. The history has a run on disk before anything of it leaves
// the live file, so that a crash between the two leaves it in both, and the
// move is done again.
type mover struct {
	j      *Journal
	within time.Duration
	ended  numberSet // runs with something in the live file that belongs to the history

	mu    sync.Mutex
	order []uint64 // they, as they came
	armed bool
	err   error // why nothing more is moved
	timer *time.Timer

	wake chan struct{} // one slot
	stop chan struct{} // closed by close
	done chan struct{} // closed when loop has returned

	serial uint64 // of the last commit of the history
	enc    encoder
	pack   *packer
}

func newMover(j *Journal, within time.Duration) *mover {
	m := &mover{j: j, within: within, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
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

// close stops the timer and waits until the batch at work is through.
func (m *mover) close() {
	close(m.stop)
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer.Stop()
}

func (m *mover) loop() {
	defer close(m.done)
	for {
		select {
		case <-m.stop:
			return
		case <-m.wake:
		}
		m.mu.Lock()
		runs := m.order
		m.order, m.armed = nil, false
		m.timer.Stop()
		m.mu.Unlock()
		for len(runs) > 0 {
			select {
			case <-m.stop:
				return
			default:
			}
			n, err := m.move(runs)
			if err != nil {
				m.mu.Lock()
				m.err = err
				m.mu.Unlock()
				m.j.log.Error("ended runs stay in the live file", "error", err)
				<-m.stop
				return
			}
			runs = runs[n:]
		}
	}
}

// leaving is a run that the history has, and the live file still holds.
type leaving struct {
	run   uint64
	keys  [][]byte // as they sort
	id    string   // "": the live file has no id of it
	stays bool     // it cannot be moved
}

// move moves the first of runs, as many as make a batch, and returns how many.
func (m *mover) move(runs []uint64) (n int, err error) {
	if m.pack == nil {
		if m.pack, err = newPacker(); err != nil {
			return 0, err
		}
	}
	m.enc.reset()
	var gone []leaving
	for n < len(runs) && n < moveRuns && len(m.enc.buf) < moveBytes {
		l, err := m.prepare(runs[n])
		if err != nil {
			return 0, fmt.Errorf("cannot move run %d to the history: %w", runs[n], err)
		}
		switch {
		case l.keys != nil:
			gone = append(gone, l)
		case !l.stays:
			m.ended.remove(runs[n])
		}
		n++
	}
	if len(m.enc.ops) > 0 {
		if err := m.commit(); err != nil {
			return 0, err
		}
	}
	for _, l := range gone {
		m.ended.remove(l.run)
		if err := m.leave(l); err != nil {
			return 0, fmt.Errorf("cannot take run %d from the live file: %w", l.run, err)
		}
	}
	m.j.stats.moved.Add(int64(len(gone)))
	return n, nil
}

// prepare encodes what the history needs of run, and returns what is to leave
// the live file then; no keys if there is nothing.
func (m *mover) prepare(run uint64) (leaving, error) {
	h, err := m.j.readLive(run, 0, true)
	if err != nil || h.keys == nil {
		return leaving{}, err
	}
	l := leaving{run: run, keys: h.keys, id: h.run.Header.ID}
	header, summary, err := m.j.readEnded(run)
	if err != nil {
		return leaving{}, err
	}
	switch {
	case summary != nil:
		// It is there; what lies here is left over from a move that was
		// interrupted, and may be a part only, or a summary that replaces.
		if h.amended != nil {
			m.enc.putRaw(endedKey(run), appendEnded(nil, &header, h.amended))
		}
	case h.header && h.run.End != nil:
		end := h.run.End
		if h.amended != nil {
			end = h.amended
		}
		blob, err := m.pack.pack(&h.run)
		if err != nil {
			m.j.log.Error("an ended run stays in the live file", "run", run, "error", err)
			return leaving{stays: true}, nil
		}
		m.enc.putRaw(runKey(tableBlob, run), blob)
		m.enc.putRaw(endedKey(run), appendEnded(nil, &h.run.Header, end))
		m.enc.putRaw(appendID(nil, h.run.Header.ID), binary.BigEndian.AppendUint64(nil, run))
	case h.header:
		return leaving{}, nil // it has not ended: its summary was replaced too early, and waits
	default:
		m.j.log.Warn("entries of a run that neither lives nor is in the history are dropped", "run", run)
	}
	return l, nil
}

// commit writes what was encoded to the history.
func (m *mover) commit() error {
	m.serial++
	ops := sealAll(make([]op, 0, len(m.enc.ops)+1), m.enc.buf, m.enc.ops, m.serial)
	ops = append(ops, sequenceEntry(m.j.logged.seq.Load(), m.serial))
	if err := m.j.history.Commit(ops); err != nil {
		return err
	}
	m.j.stats.historyCommits.Add(1)
	return nil
}

// leave queues the removal of a run from the live file. What makes it a run
// that has ended goes last, and as one: a part of it must never look alive.
func (m *mover) leave(l leaving) error {
	var last [][]byte
	for keys := l.keys; len(keys) > 0; {
		m.enc.reset()
		for len(keys) > 0 && len(m.enc.ops) < moveKeys {
			if _, part, ok := splitRunKey(keys[0]); ok && (part == partHeader || part == partEnd) {
				last = append(last, keys[0])
			} else {
				m.enc.removeRaw(keys[0])
			}
			keys = keys[1:]
		}
		if _, err := m.j.q.add(&m.enc, pending{}, Later, nil); err != nil {
			return err
		}
	}
	m.enc.reset()
	for _, key := range last {
		m.enc.removeRaw(key)
	}
	if l.id != "" {
		m.enc.removeRaw(appendID(nil, l.id))
	}
	m.enc.putRaw([]byte(keyHistory), appendUint64(nil, m.serial))
	if run := l.run; run > m.j.floor {
		m.j.floor = run
		m.enc.putRaw([]byte(keyFloor), binary.BigEndian.AppendUint64(nil, run))
	}
	_, err := m.j.q.add(&m.enc, pending{}, Later, nil)
	return err
}

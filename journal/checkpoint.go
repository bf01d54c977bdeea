package journal

import (
	"time"
)

func (s *logStore) kick() {
	select {
	case s.begun <- struct{}{}:
	default:
	}
}

// down commits ops to the file as one, and that it has all frames up to seq; that
// it has more already, from what was too long for the log, is not taken back.
func (s *logStore) down(ops []op, seq uint64) error {
	s.lowering.Lock()
	defer s.lowering.Unlock()
	s.mu.RLock()
	seq = max(seq, s.metas[0])
	s.mu.RUnlock()
	if err := s.under.Commit(append(ops, sequenceEntry(seq, seq))); err != nil {
		return err
	}
	s.stats.commits.Add(1)
	s.mu.Lock()
	s.metas[0], s.metas[1] = seq, s.metas[0]
	s.mu.Unlock()
	return nil
}

// settle says that what could be carried down has been.
func (s *logStore) settle(o *overlay) {
	s.mu.Lock()
	if s.sealed == o {
		s.sealed = nil
	}
	if s.tight != nil {
		s.log.Info("the journal has room again")
	}
	s.tight = nil
	s.pressed.Store(s.jam != nil)
	s.busy.Store(s.sealed != nil || s.nextTop > s.metas[1])
	s.settled.Broadcast()
	s.mu.Unlock()
	s.eased()
}

// press notes that there is no room below.
func (s *logStore) press(err error) {
	s.mu.Lock()
	first := s.tight == nil
	s.tight = err
	s.pressed.Store(true)
	s.settled.Broadcast()
	s.mu.Unlock()
	if first {
		s.log.Error("the journal has no room: what is recorded gathers in its log", "error", err)
	}
	s.eased() // who waited for a checkpoint has an answer
}

// checkpoints carries sealed overlays down, until stop.
func (s *logStore) checkpoints() {
	defer close(s.done)
	wait := firstRetry
	for {
		var again <-chan time.Time
		switch carried, err := s.work(); {
		case err == nil && carried:
			wait = firstRetry
		case err == nil:
		case noRoom(err):
			s.press(err)
			again = time.After(wait)
			wait = min(2*wait, lastRetry)
		default:
			s.fail(err)
			return
		}
		select {
		case <-s.begun:
		case <-again:
		case <-s.stop:
			return
		}
	}
}

// work carries down what is sealed. Where one of the file's metas is far behind,
// as after open, the next segment of the log waits for it.
func (s *logStore) work() (carried bool, err error) {
	s.mu.Lock()
	o, upTo, behind := s.sealed, s.upTo, s.nextTop > s.metas[1]
	tight, refused := s.tight, s.refused
	s.refused = false
	s.mu.Unlock()
	switch {
	case o != nil || behind:
	case tight == nil:
		return false, nil
	case refused:
		return false, tight // only who was refused can find out whether there is room; not at once
	}
	if o != nil {
		if err := s.checkpoint(o, upTo); err != nil {
			return false, err
		}
		s.stats.checkpoints.Add(1)
		if err := s.tighten(); err != nil {
			return false, err
		}
	}
	s.mu.RLock()
	has, behind := s.metas[0], s.nextTop > s.metas[1] && s.nextTop <= s.metas[0]
	s.mu.RUnlock()
	if behind {
		if err := s.down(nil, has); err != nil {
			return false, err
		}
	}
	s.settle(o)
	return o != nil, nil
}

// How long to wait before trying again where there was no room.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// downOps and downBytes bound one transaction of a checkpoint.
const (
	downOps   = 16 << 10
	downBytes = 2 << 20
)

// checkpoint carries o down. It may be done in part and be begun again: the
// frames that it came from are gone through again then, in order.
func (s *logStore) checkpoint(o *overlay, upTo uint64) error {
	ops := o.operations()
	for {
		n, size := 0, 0
		for n < len(ops) && n < downOps && size < downBytes {
			size += len(ops[n].key) + len(ops[n].value)
			n++
		}
		if n == len(ops) {
			break
		}
		s.mu.RLock()
		has := s.metas[0]
		s.mu.RUnlock()
		if err := s.down(ops[:n:n], has); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return s.down(ops, upTo)
}

package journal

import (
	"sync"
	"sync/atomic"
)

// waitSet holds the ended runs with something in the live file that belongs to
// the history, and how often each was added: what was added while a run is on
// its way to the history keeps it in the set. Asking an empty one costs one
// atomic load.
type waitSet struct {
	n  atomic.Int64
	mu sync.Mutex
	m  map[uint64]int
}

func (s *waitSet) add(run uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[uint64]int)
	}
	s.m[run]++
	s.n.Store(int64(len(s.m)))
}

// times returns how often run was added.
func (s *waitSet) times(run uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[run]
}

// remove takes back so many additions of run.
func (s *waitSet) remove(run uint64, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[run] -= times; s.m[run] <= 0 {
		delete(s.m, run)
	}
	s.n.Store(int64(len(s.m)))
}

func (s *waitSet) has(run uint64) bool { return s.n.Load() > 0 && s.times(run) > 0 }

// all returns the runs, in no order.
func (s *waitSet) all() []uint64 {
	if s.n.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]uint64, 0, len(s.m))
	for run := range s.m {
		out = append(out, run)
	}
	return out
}

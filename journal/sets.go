package journal

import (
	"sync"
	"sync/atomic"
)

// numberSet is a set of run numbers that is mostly empty: asking it then costs
// one atomic load.
type numberSet struct {
	n  atomic.Int64
	mu sync.Mutex
	m  map[uint64]struct{}
}

func (s *numberSet) add(run uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[uint64]struct{})
	}
	s.m[run] = struct{}{}
	s.n.Store(int64(len(s.m)))
}

// remove reports whether run was in the set.
func (s *numberSet) remove(run uint64) bool {
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was := s.m[run]
	delete(s.m, run)
	s.n.Store(int64(len(s.m)))
	return was
}

// nameSet is a set of names.
type nameSet struct {
	mu sync.Mutex
	m  map[string]struct{}
}

// add reports whether name is new.
func (s *nameSet) add(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.m[name]; known {
		return false
	}
	if s.m == nil {
		s.m = make(map[string]struct{})
	}
	s.m[name] = struct{}{}
	return true
}

func (s *nameSet) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, name)
}

package journal

import (
	"sync"
)

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

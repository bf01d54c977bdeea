package journal

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// written returns how many bytes of pages were written to the file.
func (s *logStore) written() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stats.pages.Load() + s.under.pageBytes(s.stats.commits.Load())
}

// Get implements store.
func (s *logStore) Get(key []byte) (value []byte, err error) {
	s.mu.RLock()
	for _, o := range []*overlay{s.filling, s.sealed} {
		if o == nil {
			continue
		}
		if value, known := o.get(key); known {
			s.mu.RUnlock()
			return bytes.Clone(value), nil
		}
	}
	// The transaction begins under the lock: else a checkpoint could end
	// between the two, and the entry would be in neither.
	r, err := s.under.begin()
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	err = r.read(func(b *bbolt.Bucket) { value = bytes.Clone(b.Get(key)) })
	return value, err
}

// Scan implements store.
func (s *logStore) Scan(from, to []byte, f func(key, value []byte) bool) error {
	s.mu.Lock()
	upper := s.filling.view(from, to, false)
	var lower view
	if s.sealed != nil {
		lower = s.sealed.view(from, to, true)
	}
	r, err := s.under.begin()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return r.read(func(b *bbolt.Bucket) { merge(&upper, &lower, b.Cursor(), from, to, f) })
}

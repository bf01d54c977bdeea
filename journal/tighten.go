package journal

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// The list of free pages is written with each checkpoint. After a long run has
// ended it is long, and stays so. A live file that is mostly free is therefore
// copied into a new one, which takes its place by rename, by the goroutine that
// alone writes to it, while the log takes what is committed meanwhile.
const (
	tightenFrom  = 512      // free pages below which nothing is gained
	tightenUsed  = 64 << 20 // bytes in use above which copying would take too long
	tightenPause = 10 * time.Minute
	copySlice    = 1 << 20 // copied in one go
)

// tighten makes the file smaller if most of it is free. It is called where
// nobody else commits to it: before a checkpoint is said to be through.
func (s *logStore) tighten() error {
	if s.smaller == nil || time.Now().Before(s.noSmaller) {
		return nil
	}
	free, size, err := s.under.pages()
	if err != nil || free < tightenFrom || free < size/4*3 || (size-free)*pageSize > tightenUsed {
		return err
	}
	fresh, unknown, err := s.smaller(s.under)
	switch {
	case unknown:
		return fmt.Errorf("cannot put the smaller %s in its place: %w", liveName, err)
	case err != nil:
		s.log.Warn("the live file could not be made smaller", "error", err)
		s.mu.Lock()
		s.noSmaller = time.Now().Add(tightenPause)
		s.mu.Unlock()
		return nil
	}
	s.mu.Lock()
	old := s.under
	s.under = fresh
	s.metas[1] = s.metas[0] // both of its metas have all of it
	s.mu.Unlock()
	s.stats.pages.Add(old.pageBytes(s.stats.commits.Swap(0)))
	s.readers.Go(func() { // it waits for those who still read it
		if err := old.Close(); err != nil {
			s.log.Warn("the larger live file could not be closed", "error", err)
		}
	})
	return nil
}

// pages returns how many pages are free, and how many there are.
func (s *boltStore) pages() (free, size int64, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			st := s.db.Stats()
			free, size = int64(st.FreePageN+st.PendingPageN), tx.Size()/pageSize
			return nil
		})
	})
	return free, size, err
}

// smallerLive copies the live file, and puts the copy in its place. unknown says
// that after the error either file may lie there.
func (j *Journal) smallerLive(from *boltStore) (fresh *boltStore, unknown bool, err error) {
	name := liveName + newSuffix
	if err := j.folder.Remove(name); err != nil {
		return nil, false, err
	}
	if fresh, err = openBolt(j.path(name), true, j.opts.MaxBytes); err != nil {
		return nil, false, err
	}
	fresh.name = liveName
	fresh.before, fresh.watch, fresh.beforeSync = from.before, from.watch, from.beforeSync
	if err = copyEntries(from, fresh); err != nil {
		return nil, false, errors.Join(err, fresh.Close(), j.folder.Remove(name))
	}
	if err = j.folder.Rename(name, liveName); err != nil {
		return nil, true, errors.Join(err, fresh.Close())
	}
	return fresh, false, nil
}

// copyEntries puts all entries of one file into another, in their order. It is
// on disk, by both metas, when that is done.
func copyEntries(from, to *boltStore) error {
	to.db.NoSync = true // until all of it is there
	var last op
	for next := []byte{}; next != nil; {
		var ops []op
		size := 0
		start := next
		next = nil
		err := from.Scan(start, nil, func(key, value []byte) bool {
			if size >= copySlice {
				next = bytes.Clone(key)
				return false
			}
			ops = append(ops, op{opPut, bytes.Clone(key), bytes.Clone(value)})
			size += len(key) + len(value)
			return true
		})
		if err == nil && len(ops) > 0 {
			last = ops[len(ops)-1]
			err = to.Commit(ops)
		}
		if err != nil {
			return err
		}
	}
	to.db.NoSync = false
	for range 2 {
		if err := to.Commit([]op{last}); err != nil {
			return err
		}
	}
	return nil
}

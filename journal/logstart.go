package journal

import (
	"log/slog"

	"holdfast/journal/wal"
)

// newLogStore puts a log in front of a file which has all frames up to has.
func newLogStore(under *boltStore, l *wal.Log, has uint64, log *slog.Logger, failed func(error), eased func()) *logStore {
	s := &logStore{log: log, failed: failed, eased: eased, begun: make(chan struct{}, 1),
		quit: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
		wal: l, under: under, filling: newOverlay(), metas: [2]uint64{has, 0}}
	s.settled.L = &s.mu
	return s
}

// replay takes a frame that the log had at open.
func (s *logStore) replay(body []byte) error {
	if !readFrame(body, s.filling.apply) {
		return errDamaged
	}
	return nil
}

// absorb carries down all that was replayed, before the work begins. The file
// then has every number up to seq, also those of frames that are lost.
func (s *logStore) absorb(seq uint64) error {
	if err := s.checkpoint(s.filling, seq); err != nil {
		return err
	}
	s.filling = newOverlay()
	return nil
}

// level makes the log end at the highest number that is known, serial or the one
// after it, which it returns: a log that ends before what the other files have
// seen is taken for an older one. A frame without operations stands for numbers
// that no frame has; one that others do not follow without a gap goes after a
// checkpoint. Before start only.
func (s *logStore) level(serial uint64) (uint64, error) {
	top := s.wal.Seq()
	if serial <= top {
		return top, nil
	}
	if serial > max(top, s.metas[0])+1 || !s.wal.Fits(0) {
		for range s.metas { // so that any segment may be overwritten
			if err := s.absorb(serial); err != nil {
				return 0, err
			}
		}
		if !s.wal.Fits(0) {
			s.wal.Rotate()
		}
	}
	if serial == s.metas[0] {
		serial++
	}
	s.wal.Skip(serial - 1)
	return serial, s.append(nil)
}

// overlayMemory is how many times the length of a segment an overlay may take of
// memory. Entries take some twice of it for records of usual length, and each
// checkpoint writes the last page of each run once more, so that a segment should
// be full before.
const overlayMemory = 3

// start begins to work. Bodies longer than long go straight into the file. What
// was replayed is carried down at once: else its segments would come to be in
// use, one after the other, over several starts, and the one at work would have
// none to be followed by.
func (s *logStore) start(long int) {
	s.mu.Lock()
	s.memory, s.long = overlayMemory*s.wal.MaxBody(), long
	s.nextTop = s.wal.NextTop()
	s.seq.Store(s.wal.Seq())
	s.room.Store(s.wal.Room())
	s.busy.Store(s.nextTop > s.metas[1])
	if !s.filling.empty() {
		s.seal()
	}
	s.started = true
	s.mu.Unlock()
	go s.checkpoints()
}

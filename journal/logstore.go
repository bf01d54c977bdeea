package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// logStore is a store that commits into the log, with one write and one sync,
// and carries what lies there into the bbolt file below it in the background.
// Reads see log and file as one.
//
// Two overlays stand above the file: the one that is being filled, and a sealed
// one that is being carried down (a checkpoint). The file says up to which frame
// it has everything; a segment of the log is overwritten only when both of
// bbolt's metas say that they have what is in it, so that either can be gone on
// from.
type logStore struct {
	log     *slog.Logger
	memory  int           // of an overlay, above which it is sealed before its segment is full
	long    int           // longer bodies go straight into the file
	failed  func(error)   // is told of an error after which nothing more is accepted
	eased   func()        // is told when there is more room, or none
	begun   chan struct{} // one slot: there is something to carry down
	quit    chan struct{} // closed when nobody is to wait for room any more
	stop    chan struct{}
	closing sync.Once
	done    chan struct{}

	commit sync.Mutex // one commit at a time
	wal    *wal.Log

	lowering sync.Mutex // one commit of the file at a time

	mu      sync.RWMutex // guards what follows
	settled sync.Cond    // on mu: sealed, metas or err have changed
	nextTop uint64       // the last frame in the segment that comes next
	under   *boltStore
	filling *overlay
	sealed  *overlay  // nil: none
	upTo    uint64    // the last frame in sealed
	metas   [2]uint64 // what bbolt's metas say that they have, the newest first
	err     error     // why nothing more is accepted
	tight   error     // why nothing can be carried down now: there is no room. nil: all is well
	jam     error     // why the log itself cannot be written now: it has no room, for all that its size is fixed
	refused bool      // what is longer than the log found no room in the file
	ending  bool      // quit is closed
	started bool

	seq     atomic.Uint64 // of the last frame
	room    atomic.Int64  // left in the segment at work
	busy    atomic.Bool   // the next segment cannot be begun yet
	pressed atomic.Bool   // tight or jam is not nil
	jammed  atomic.Bool   // jam is not nil

	stats logCounters

	// See tighten.
	smaller   func(*boltStore) (fresh *boltStore, unknown bool, err error)
	noSmaller time.Time
	readers   sync.WaitGroup // of files that were exchanged
}

type logCounters struct {
	frames, frameBytes   atomic.Int64
	commits, checkpoints atomic.Int64 // commits of the file, and how many times an overlay went there
	pages                atomic.Int64 // bytes written to files before this one
}

// keySequence is an entry of both files: which frames are in it.
const keySequence = "!seq"

// Commit implements store.
func (s *logStore) Commit(ops []op) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	body := appendFrame(make([]byte, 0, frameLen(ops)), ops)
	if frameLen(ops) > s.long {
		return s.commitLong(ops)
	}
	if !s.wal.Fits(len(body)) || s.filling.bytes > s.memory {
		if err := s.rotate(len(body)); err != nil {
			return err
		}
	}
	if err := s.append(body); err != nil {
		return err
	}
	s.mu.Lock()
	readFrame(body, s.filling.apply)
	s.mu.Unlock()
	return nil
}

// append writes one frame. The caller holds commit.
//
// The segments have their full size, so that a full disk does not matter here,
// but on a file system that writes nothing in place. The frame is written again
// there, as it is, until there is room: what has been accepted is not dropped.
func (s *logStore) append(body []byte) error {
	s.mu.RLock()
	err := s.err
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	seq, n, err := s.wal.Append(body)
	for wait := firstRetry; disk.Full(err); wait = min(2*wait, lastRetry) {
		s.setJam(err)
		select {
		case <-time.After(wait):
		case <-s.quit:
			s.fail(err)
			return err
		}
		seq, n, err = s.wal.Append(body)
	}
	if err != nil {
		s.fail(err)
		return err
	}
	s.seq.Store(seq)
	s.room.Store(s.wal.Room())
	s.stats.frames.Add(1)
	s.stats.frameBytes.Add(n)
	if s.jammed.Load() {
		s.setJam(nil)
	}
	return nil
}

// rotate seals the overlay, and goes on to the next segment. It waits until
// that may be overwritten; meanwhile it goes on in the segment at work as long as
// a body of n bytes fits. The caller holds commit.
func (s *logStore) rotate(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && (s.sealed != nil || s.nextTop > s.metas[1]) {
		if s.wal.Fits(n) {
			return nil
		}
		if s.ending && s.tight != nil {
			return ErrClosed
		}
		s.settled.Wait()
	}
	if s.err != nil {
		return s.err
	}
	s.wal.Rotate()
	s.nextTop = s.wal.NextTop()
	s.room.Store(s.wal.Room())
	s.seal()
	return nil
}

// seal has all that is in the log carried down. The caller holds mu, and commit
// once checkpoints has been started; there is no sealed overlay.
func (s *logStore) seal() {
	s.sealed, s.upTo, s.filling = s.filling, s.wal.Seq(), newOverlay()
	s.busy.Store(true)
	s.kick()
}

// lower carries down all that is in the log; it returns early if there is no
// room for it. The caller holds commit.
func (s *logStore) lower() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && s.tight == nil && (s.sealed != nil || !s.filling.empty()) {
		if s.sealed == nil {
			s.seal()
		}
		s.settled.Wait()
	}
	return s.err
}

// flush carries down all that is in the log, if there is room for it.
func (s *logStore) flush() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	return s.lower()
}

// commitLong commits what is too long for the log: straight into the file, once
// that has everything before it. A frame without operations stands for it in
// the log. Where there is no room it returns ErrNoRoom, and nothing of it is on
// disk. The caller holds commit.
func (s *logStore) commitLong(ops []op) error {
	if err := s.lower(); err != nil {
		return err
	}
	if err := s.noRoom(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	if !s.wal.Fits(0) {
		if err := s.rotate(0); err != nil {
			return err
		}
		if err := s.lower(); err != nil {
			return err
		}
	}
	if err := s.append(nil); err != nil {
		return err
	}
	seq := s.wal.Seq()
	err := s.down(ops, seq)
	switch {
	case err == nil:
		s.settle(nil)
		return nil
	case noRoom(err) && s.without(seq):
		s.mu.Lock()
		s.refused = true
		s.mu.Unlock()
		s.press(err)
		s.kick()
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	s.fail(err)
	return err
}

// without reports that the file says itself that it does not have frame seq.
func (s *logStore) without(seq uint64) bool {
	has, err := sequence(s.under)
	return err == nil && has < seq
}

// setJam notes why the log cannot be written; nil: it can.
func (s *logStore) setJam(err error) {
	s.mu.Lock()
	switch {
	case err != nil && s.jam == nil:
		s.log.Error("the journal has no room, and its log cannot be written", "error", err)
	case err == nil:
		s.log.Info("the journal's log can be written again")
	}
	s.jam = err
	s.jammed.Store(err != nil)
	s.pressed.Store(s.jam != nil || s.tight != nil)
	s.mu.Unlock()
	s.eased()
}

// fail ends acceptance for good.
func (s *logStore) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	s.settled.Broadcast()
	s.mu.Unlock()
	if first {
		s.failed(err)
	}
}

// noRoom returns why nothing can be carried down, or written, now; nil if it can.
func (s *logStore) noRoom() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.jam != nil {
		return s.jam
	}
	return s.tight
}

// hurry ends every wait for room: what waits is not recorded.
func (s *logStore) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending {
		s.ending = true
		close(s.quit)
		s.settled.Broadcast()
	}
}

// Close carries down what it can, and ends. In order it is if the file has
// everything then. Further calls do nothing.
func (s *logStore) Close() (inOrder bool, err error) {
	s.closing.Do(func() { inOrder, err = s.close() })
	return inOrder, err
}

// release closes the file, too.
func (s *logStore) release() error {
	_, err := s.Close()
	s.readers.Wait()
	return errors.Join(err, s.under.Close())
}

func (s *logStore) close() (inOrder bool, err error) {
	s.hurry()
	close(s.stop)
	if !s.started {
		return false, s.wal.Close()
	}
	<-s.done
	s.mu.RLock()
	o, upTo, err := s.sealed, s.upTo, s.err
	s.mu.RUnlock()
	if err == nil && o != nil {
		err = s.checkpoint(o, upTo)
	}
	if err == nil && (!s.filling.empty() || s.metas[0] < s.wal.Seq()) {
		err = s.checkpoint(s.filling, s.wal.Seq())
	}
	if noRoom(err) {
		return false, s.wal.Close() // the log has it
	}
	return err == nil, errors.Join(err, s.wal.Close())
}

// sequenceEntry says that the live file has all frames up to seq; in the
// history, that the log had come so far when its newest entries were written.
func sequenceEntry(seq, serial uint64) op {
	key := []byte(keySequence)
	value := appendUint64(make([]byte, sealLen), seq)
	seal(key, value, serial)
	return op{opPut, key, value}
}

func sequenceOf(payload []byte) (uint64, error) {
	if len(payload) < 8 {
		return 0, fmt.Errorf("the entry %s: %w", keySequence, errDamaged)
	}
	return readUint64(payload), nil
}

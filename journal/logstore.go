package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

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
	log    *slog.Logger
	memory int           // of an overlay, above which it is sealed before its segment is full
	failed func(error)   // is told of an error after which nothing more is accepted
	eased  func()        // is told when there is more room, or none
	begun  chan struct{} // one slot: an overlay has been sealed
	stop   chan struct{}
	done   chan struct{}

	started bool // checkpoints runs

	commit sync.Mutex // one commit at a time
	wal    *wal.Log

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

	seq     atomic.Uint64 // of the last frame
	room    atomic.Int64  // left in the segment at work
	busy    atomic.Bool   // the next segment cannot be begun yet
	pressed atomic.Bool   // tight is not nil

	stats logCounters
}

type logCounters struct {
	frames, frameBytes   atomic.Int64
	commits, checkpoints atomic.Int64 // commits of the file, and how many times an overlay went there
}

// keySequence is an entry of both files: which frames are in it.
const keySequence = "!seq"

// newLogStore puts a log in front of a file which has all frames up to has.
func newLogStore(under *boltStore, l *wal.Log, has uint64, log *slog.Logger, failed func(error), eased func()) *logStore {
	s := &logStore{log: log, failed: failed, eased: eased, begun: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
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

// start begins to work. After two crashes in a row the segment that comes next
// may have frames that the file has not: they are carried down at once, for
// nothing else would, and the log waits for it.
func (s *logStore) start() {
	s.memory = s.wal.MaxBody()
	s.nextTop = s.wal.NextTop()
	s.seq.Store(s.wal.Seq())
	s.room.Store(s.wal.Room())
	if s.nextTop > s.metas[0] {
		s.sealed, s.upTo, s.filling = s.filling, s.wal.Seq(), newOverlay()
	}
	s.busy.Store(s.nextTop > s.metas[1])
	s.started = true
	go s.checkpoints()
}

// Commit implements store.
func (s *logStore) Commit(ops []op) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	body := appendFrame(make([]byte, 0, frameLen(ops)), ops)
	if len(body) > s.wal.MaxBody() {
		return s.commitLarge(ops)
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
func (s *logStore) append(body []byte) error {
	s.mu.RLock()
	err := s.err
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	seq, n, err := s.wal.Append(body)
	if err != nil {
		s.fail(err)
		return err
	}
	s.seq.Store(seq)
	s.room.Store(s.wal.Room())
	s.stats.frames.Add(1)
	s.stats.frameBytes.Add(n)
	return nil
}

// rotate seals the overlay, and goes on to the next segment. It waits until
// that may be overwritten; when the file has no room, it goes on in the segment
// at work as long as a body of n bytes fits. The caller holds commit.
func (s *logStore) rotate(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && (s.sealed != nil || s.nextTop > s.metas[1]) {
		if s.wal.Fits(n) {
			return nil // memory is above its bound for as long as the checkpoint takes
		}
		s.settled.Wait()
	}
	if s.err != nil {
		return s.err
	}
	s.sealed, s.upTo, s.filling = s.filling, s.wal.Seq(), newOverlay()
	s.wal.Rotate()
	s.nextTop = s.wal.NextTop()
	s.busy.Store(true)
	s.room.Store(s.wal.Room())
	select {
	case s.begun <- struct{}{}:
	default:
	}
	return nil
}

// commitLarge commits what is longer than a segment: straight into the file,
// once that has everything before it. A frame without operations stands for it
// in the log. The caller holds commit.
func (s *logStore) commitLarge(ops []op) error {
	if err := s.rotate(s.wal.MaxBody() + 1); err != nil {
		return err
	}
	s.mu.Lock()
	for s.err == nil && s.sealed != nil {
		s.settled.Wait()
	}
	err := s.err
	s.mu.Unlock()
	if err == nil {
		err = s.append(nil)
	}
	if err != nil {
		return err
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := s.down(ops, s.wal.Seq())
		if !noRoom(err) {
			if err != nil {
				s.fail(err)
			} else {
				s.settle(nil)
			}
			return err
		}
		s.press(err)
		select {
		case <-time.After(wait):
		case <-s.stop:
			return ErrClosed
		}
	}
}

// down commits ops to the file as one, and that it has all frames up to seq.
func (s *logStore) down(ops []op, seq uint64) error {
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
	s.pressed.Store(false)
	s.busy.Store(s.sealed != nil || s.nextTop > s.metas[1])
	s.settled.Broadcast()
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

// noRoom returns why nothing can be carried down now; nil if it can.
func (s *logStore) noRoom() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tight
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

// flush carries down all that is in the log, if there is room for it.
func (s *logStore) flush() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.rotate(s.wal.MaxBody() + 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && s.sealed != nil && s.tight == nil {
		s.settled.Wait()
	}
	return s.err
}

// checkpoints carries sealed overlays down, until stop.
func (s *logStore) checkpoints() {
	defer close(s.done)
	wait := firstRetry
	for {
		var again <-chan time.Time
		switch err := s.work(); {
		case err == nil:
			wait = firstRetry
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
func (s *logStore) work() error {
	s.mu.RLock()
	o, upTo, behind := s.sealed, s.upTo, s.nextTop > s.metas[1]
	s.mu.RUnlock()
	if o == nil && !behind && !s.pressed.Load() {
		return nil
	}
	if o != nil {
		if err := s.checkpoint(o, upTo); err != nil {
			return err
		}
		s.stats.checkpoints.Add(1)
	}
	s.mu.RLock()
	has, behind := s.metas[0], s.nextTop > s.metas[1]
	s.mu.RUnlock()
	if behind {
		if err := s.down(nil, has); err != nil {
			return err
		}
	}
	s.settle(o)
	return nil
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

// Close carries down what it can, and ends. In order it is if the file has
// everything then.
func (s *logStore) Close() (inOrder bool, err error) {
	if !s.started { // it could not be opened: the log keeps what it has
		return false, s.wal.Close()
	}
	close(s.stop)
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

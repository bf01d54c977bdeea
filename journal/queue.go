package journal

import (
	"sync"
	"time"

	"holdfast/journal/wal"
)

// answer is what a barrier is told: that it is durable, or why not; or that it
// is its turn to commit what has gathered, its own Change with it.
type answer struct {
	err  error
	turn bool
}

// pending is one Change, or one internal set of operations, in the queue.
type pending struct {
	ops   int32
	bytes int32
	spare bool          // may use what is kept in reserve
	row   bool          // of what was accepted before
	done  chan<- answer // not nil: a barrier waits here; it has room for two
	ended []uint64      // runs of which it has something that belongs to the history
}

// batch is what gathers while a commit is under way.
type batch struct {
	buf      []byte
	sizes    []opSize
	pending  []pending
	barriers int
}

func (b *batch) reset() {
	clear(b.pending) // drop the channels
	b.buf, b.sizes, b.pending, b.barriers = b.buf[:0], b.sizes[:0], b.pending[:0], 0
	if cap(b.buf) > keptBuffer {
		b.buf = nil // a burst is over; give its memory back
	}
}

// add copies what e holds; e may be used again at once.
func (b *batch) add(e *encoder, p pending) {
	p.ops, p.bytes = int32(len(e.ops)), int32(len(e.buf))
	b.buf = append(b.buf, e.buf...)
	b.sizes = append(b.sizes, e.ops...)
	b.pending = append(b.pending, p)
	if p.done != nil {
		b.barriers++
	}
}

// keptBuffer is how much buffer a batch keeps for its next turn.
const keptBuffer = 4 << 20

// queue is where Changes gather: two batches that swap, one that is filled and
// one that is being committed. It is bounded; who finds it full waits until the
// batch is taken.
//
// There is no goroutine that commits. Who brings a barrier while nobody commits
// does it, for all that has gathered; when that is done, one of the barriers
// that came meanwhile is given the turn. So a lone run does not wait for another
// goroutine to wake up, and many runs share a commit.
type queue struct {
	limits limits
	lead   func()                              // commits what has gathered, on a goroutine of its own
	fits   func(queued, n int, spare bool) fit // whether the log has room for what has n bytes, behind what is queued

	mu      sync.Mutex
	room    sync.Cond // told when the batch is taken, or none will be
	filling *batch
	spare   *batch
	taken   int       // what the batch that is being committed needs of the log at most
	waiting int       // goroutines in room
	leading bool      // somebody has the turn
	overdue bool      // what gathers is to be committed when the turn ends
	idle    sync.Cond // told when nobody has it any more
	err     error     // why nothing more is accepted
	refuse  error     // why nothing new is: what has gathered still goes through
	changes uint64

	timer *time.Timer // bounds how long lazy changes wait; stopped while there are none
	armed Urgency     // what the timer is set for; unset: not set
}

// unset is an Urgency for a timer that is not set.
const unset Urgency = 255

// limits bound the queue and a transaction.
type limits struct {
	soon, later time.Duration
	queueOps    int // back-pressure above
	queueBytes  int
	flushOps    int // lazy changes are committed at once above
	flushBytes  int
	commitOps   int // of one transaction; one Change is never divided
	commitBytes int
}

// within is how long what has an urgency may wait.
func (l *limits) within(u Urgency) time.Duration {
	if u == Soon {
		return l.soon
	}
	return l.later
}

// fit says whether there is room.
type fit uint8

const (
	fits  fit = iota
	soon      // once the checkpoint at work is through, or what is queued before
	full      // there is none on the disk
	stuck     // nor can what is queued be committed
)

// frameRoom bounds what a frame needs beside its body.
const frameRoom = 2 * wal.Page

// framed bounds what so many bytes and operations need of the log: a frame is
// padded to whole pages, and of two frames in a row the parts exceed a limit.
func (l *limits) framed(size, ops int) int {
	if ops == 0 {
		return 0
	}
	frames := 1 + 2*size/l.commitBytes + 2*ops/l.commitOps
	return size + frameOverhead*ops + frames*frameRoom
}

func newQueue(l limits, lead func(), room func(queued, n int, spare bool) fit) *queue {
	q := &queue{limits: l, lead: lead, fits: room, filling: new(batch), spare: new(batch), armed: unset}
	q.room.L, q.idle.L = &q.mu, &q.mu
	q.timer = time.AfterFunc(time.Hour, q.flush)
	q.timer.Stop()
	return q
}

// flush has somebody commit what has gathered.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flushLocked()
}

func (q *queue) flushLocked() {
	switch {
	case len(q.filling.pending) == 0:
	case q.leading:
		q.overdue = true
	default:
		q.leading = true
		go q.lead()
	}
}

// due reports whether what has gathered is to be committed now. The caller holds mu.
func (q *queue) due() bool {
	return q.filling.barriers > 0 || len(q.filling.sizes) >= q.limits.flushOps || len(q.filling.buf) >= q.limits.flushBytes
}

// add queues what e holds. before, if not nil, is called at its place in the
// order, and counts its Changes; its error stops the queue, with nothing of e in
// it. turn says that the caller, who brings a barrier, has the turn to commit.
func (q *queue) add(e *encoder, p pending, u Urgency, before func(count *uint64) error) (turn bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != nil && !p.row {
		return false, q.refuse
	}
	for q.err == nil {
		has := fits
		if len(e.ops) > 0 {
			has = q.fits(q.taken+q.limits.framed(len(q.filling.buf), len(q.filling.sizes)), bodyLen(e), p.spare)
		}
		if has == stuck || has == full && q.taken == 0 {
			return false, ErrNoRoom
		}
		if has == fits && len(q.filling.sizes) < q.limits.queueOps && len(q.filling.buf) < q.limits.queueBytes {
			break
		}
		q.flushLocked() // there may be room behind it
		q.waiting++
		q.room.Wait()
		q.waiting--
	}
	if q.err != nil {
		return false, q.err
	}
	if err := q.acceptLocked(before); err != nil {
		return false, err
	}
	q.filling.add(e, p)
	switch {
	case q.leading: // whoever has the turn sees it
	case p.done != nil:
		q.leading = true
		return true, nil
	case q.due():
		q.flushLocked()
	}
	if q.armed == unset || u < q.armed {
		// A timer that is set fires early enough for all that came after it,
		// except for something more urgent.
		q.armed = u
		q.timer.Reset(q.limits.within(u))
	}
	return false, nil
}

// accept counts Changes that gather elsewhere. before is as for add.
func (q *queue) accept(before func(count *uint64) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.err != nil:
		return q.err
	case q.refuse != nil:
		return q.refuse
	}
	return q.acceptLocked(before)
}

func (q *queue) acceptLocked(before func(count *uint64) error) error {
	if before == nil {
		return nil
	}
	if err := before(&q.changes); err != nil {
		q.refuse = failed(err)
	}
	return q.refuse
}

// refused ends acceptance if it has been refused, once what was accepted before
// is in the queue, to become durable.
func (j *Journal) refused() {
	j.q.mu.Lock()
	refuse := j.q.refuse
	ends := refuse != nil && j.q.err == nil
	j.q.mu.Unlock()
	if !ends {
		return
	}
	_ = j.pushAll() // it has been stopped by another then
	j.q.mu.Lock()
	defer j.q.mu.Unlock()
	j.q.stop(refuse)
	j.q.flushLocked()
}

// bodyLen bounds what e takes in a frame.
func bodyLen(e *encoder) int { return len(e.buf) + frameOverhead*len(e.ops) }

// eased wakes those who wait for room.
func (q *queue) eased() {
	q.mu.Lock()
	q.room.Broadcast()
	q.mu.Unlock()
}

// take returns what has gathered. The caller has the turn.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.filling
	q.taken = q.limits.framed(len(b.buf), len(b.sizes))
	q.filling, q.spare, q.overdue = q.spare, nil, false
	if q.armed != unset {
		q.timer.Stop()
		q.armed = unset
	}
	if q.waiting > 0 {
		q.room.Broadcast()
	}
	return b
}

// pass ends the caller's turn, after b has been committed and answered, and
// gives it to the next, if there is something to do.
func (q *queue) pass(b *batch) {
	b.reset()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare, q.taken = b, 0
	q.leading = false
	if q.waiting > 0 {
		q.room.Broadcast()
	}
	switch {
	case q.filling.barriers > 0:
		for i := range q.filling.pending {
			if done := q.filling.pending[i].done; done != nil {
				q.leading = true
				done <- answer{turn: true}
				return
			}
		}
	case q.overdue, q.due(), q.err != nil:
		q.flushLocked()
	}
	if !q.leading {
		q.idle.Broadcast()
	}
}

// stop ends acceptance; the first reason stays. The caller holds mu.
func (q *queue) stop(err error) {
	if q.err == nil {
		q.err = err
	}
	q.room.Broadcast()
}

// drain commits what has gathered, and returns when nobody commits any more.
// The queue has been stopped.
func (q *queue) drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		q.flushLocked()
		if !q.leading {
			return
		}
		q.idle.Wait()
	}
}

// gathered returns how many barriers wait.
func (q *queue) gathered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.filling.barriers
}

// settled reports whether all that was appended has been committed.
func (q *queue) settled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.leading && len(q.filling.pending) == 0
}

package journal

import (
	"sync"
	"time"
)

// pending is one Change, or one internal set of operations, in the queue.
type pending struct {
	ops   int32
	bytes int32
	done  chan<- error // not nil: a barrier waits here; it has room for one
	run   uint64       // not 0: has an ended run's material, to be moved
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

// queue is the way into the committer: two batches that swap, one that is
// filled and one that is being committed. It is bounded; who finds it full
// waits until the committer has taken it.
type queue struct {
	limits limits

	mu      sync.Mutex
	room    sync.Cond // told when the committer has taken the batch, or none will be
	filling *batch
	waiting int   // goroutines in room
	busy    bool  // a batch is being committed
	err     error // why nothing more is accepted
	changes uint64

	timer *time.Timer // bounds how long lazy changes wait; stopped while there are none
	armed Urgency     // what the timer is set for; idle: not set

	wake chan struct{} // one slot: the committer has something to do
}

// idle is an Urgency for a timer that is not set.
const idle Urgency = 255

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

func newQueue(l limits) *queue {
	q := &queue{limits: l, filling: new(batch), armed: idle, wake: make(chan struct{}, 1)}
	q.room.L = &q.mu
	q.timer = time.AfterFunc(time.Hour, q.flush)
	q.timer.Stop()
	return q
}

// flush wakes the committer.
func (q *queue) flush() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// add queues what e holds. before, if not nil, is called at its place in the
// order, and counts its changes; its error stops the queue, with nothing of e in it.
func (q *queue) add(e *encoder, p pending, u Urgency, before func(count *uint64) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && (len(q.filling.sizes) >= q.limits.queueOps || len(q.filling.buf) >= q.limits.queueBytes) {
		q.waiting++
		q.room.Wait()
		q.waiting--
	}
	if q.err != nil {
		return q.err
	}
	if before != nil {
		if err := before(&q.changes); err != nil {
			q.stop(failed(err))
			q.flush() // what was accepted becomes durable
			return q.err
		}
	}
	q.filling.add(e, p)
	switch {
	case p.done != nil || len(q.filling.sizes) >= q.limits.flushOps || len(q.filling.buf) >= q.limits.flushBytes:
		q.flush()
	case q.armed == idle || u < q.armed:
		// A timer that is set fires early enough for all that came after it,
		// except for something more urgent.
		q.armed = u
		bound := q.limits.later
		if u == Soon {
			bound = q.limits.soon
		}
		q.timer.Reset(bound)
	}
	return nil
}

// take returns what has gathered, and gives spare to be filled; stopped says
// that nothing will come after it.
func (q *queue) take(spare *batch) (b *batch, stopped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b = q.filling
	q.filling = spare
	q.busy = len(b.pending) > 0
	if q.armed != idle {
		q.timer.Stop()
		q.armed = idle
	}
	if q.waiting > 0 {
		q.room.Broadcast()
	}
	return b, q.err != nil
}

// answered says that the batch taken last has been committed, and its barriers
// have been told. A stopped queue gets one more look, which ends the committer.
func (q *queue) answered() {
	q.mu.Lock()
	q.busy = false
	stopped := q.err != nil
	q.mu.Unlock()
	if stopped {
		q.flush()
	}
}

// stop ends acceptance; the first reason stays. The caller holds mu.
func (q *queue) stop(err error) {
	if q.err == nil {
		q.err = err
	}
	q.room.Broadcast()
}

func (q *queue) barriers() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.filling.barriers > 0
}

// settled reports whether all that was appended has been committed.
func (q *queue) settled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.busy && len(q.filling.pending) == 0
}

package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Run is one execution of a workflow, and the handle through which its program
// acts. The exported methods are for the program's goroutine only.
type Run struct {
	eng    *Engine
	num    uint64
	head   header
	wf     Workflow
	cancel context.CancelCauseFunc
	ctx    context.Context // the run's own lifetime: ends on cancel, ABORT, deadline, shutdown; its cause says which
	log    *journal.Writer // used by the run's goroutine only

	// Used by the run's goroutine only.
	replay             cursor
	next               uint32                     // next place in the program's lane
	innerSteps         int                        // steps called in the body of the user step at work
	safeRecords        map[uint32]*journal.Record // what the record has of the safe state that is due
	safeBase           uint32                     // where in its lane that begins
	tail               tail
	known              known
	draft              draft
	fatal              error // the first fatal error; every later call returns it
	encoded            []byte
	scratch            [1]journal.Record
	counts             [1]journal.Count
	recovered          bool // brought back by Recover
	safeWritten        bool
	recordedCompletion *completion // found in the record: the program has ended before
	loss               string      // what the journal has lost of the record
	lossUnrecorded     bool        // lost is not on record yet
	recordFault        error       // the record cannot be replayed
	holdsDelivery      bool        // this goroutine holds delivery

	delivery sync.Mutex // one delivery at a time, held until it is on disk; taken before mu

	mu          sync.Mutex // guards what follows; never held during I/O
	status      Status
	state       isa88.State
	currentStep string // at work now
	startedAt   time.Time
	result      value.Raw
	err         *RunError
	doubt       *Doubt
	held        bool // by the engine, at a boundary
	noRoom      bool // it waits for room in the journal
	events      map[string]value.Raw
	safeResults []SafeResult
	inbox       []message
	lastMessage uint64
	seen        map[string]uint64 // message UUID → its number
	fates       map[uint64]Fate
	nextNote    uint32 // next place in the notes' lane
	recoveries  int
	version     uint64
	changed     chan struct{} // closed at the next change; nil while nobody waits
	wake        chan struct{} // one slot: a message has come
	done        chan struct{} // closed when the run has ended
	ended       bool
}

// completion is how a run's program has ended.
type completion struct {
	status Status
	state  isa88.State
	err    *RunError
	result value.Raw

	safeBase uint32 // of one found in the record: where its safe state begins in its lane
}

// ID returns the run's id.
func (r *Run) ID() string { return r.head.id }

// Workflow returns the name of the run's workflow.
func (r *Run) Workflow() string { return r.head.workflow }

// Inputs returns the run's inputs, an encoded *value.Map, defaults filled in.
func (r *Run) Inputs() value.Raw { return r.head.inputs }

// CheckCancelled returns the fatal error of a cancel or a deadline that has come.
func (r *Run) CheckCancelled() error {
	if r.fatal != nil {
		return r.fatal
	}
	if r.ctx.Err() != nil && !r.replay.active() {
		return r.setFatal(context.Cause(r.ctx))
	}
	return nil
}

// IsCancelled reports whether a cancel or a deadline has come. It needs no
// record: a run that was cancelled is not replayed.
func (r *Run) IsCancelled() bool {
	var end *termination // a shutdown is none: the replay would not see it
	return !r.replay.active() && errors.As(context.Cause(r.ctx), &end)
}

// setFatal keeps the first fatal error.
func (r *Run) setFatal(err error) error {
	if r.fatal == nil {
		r.fatal = err
	}
	return r.fatal
}

// notify tells those who wait that something about the run has changed. The
// caller holds r.mu.
func (r *Run) notify() {
	r.version++
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Run) update(f func()) {
	r.mu.Lock()
	f()
	r.notify()
	r.mu.Unlock()
}

// setStep names the step at work.
func (r *Run) setStep(name string) {
	r.mu.Lock()
	r.currentStep = name
	r.notify()
	r.mu.Unlock()
}

// wakeUp wakes the run's goroutine if it waits for a message.
func (r *Run) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// append adds records of the program's lane; the tail goes first if it has grown.
func (r *Run) append(c journal.Change, u journal.Urgency) error {
	c.Run = r.num
	return r.retryWhenRoom(c.Essential, func() error {
		if err := r.writeTail(c.Essential); err != nil {
			return err
		}
		return r.log.Append(c, u)
	})
}

// commit adds records, and returns when they and all before them are on disk.
func (r *Run) commit(c journal.Change) error {
	return r.retryWhenRoom(c.Essential, func() error { return r.tryCommit(c) })
}

// tryCommit is commit without waiting for room.
func (r *Run) tryCommit(c journal.Change) error {
	if err := r.writeTail(c.Essential); err != nil {
		return err
	}
	c.Run = r.num
	return r.log.Commit(c)
}

// appendRecord appends one record at the next place of the program's lane.
func (r *Run) appendRecord(kind journal.Kind, data []byte, u journal.Urgency) error {
	r.scratch[0] = journal.Record{Seq: r.next, Kind: kind, Time: time.Now(), Data: data}
	return r.appendNext(journal.Change{Records: r.scratch[:1]}, u)
}

// appendNext appends what stands at the next place of the program's lane.
func (r *Run) appendNext(c journal.Change, u journal.Urgency) error {
	if err := r.append(c, u); err != nil {
		return err
	}
	r.tail.live = false
	r.next++
	return nil
}

// appendDraft is appendRecord for a draft.
func (r *Run) appendDraft(d *draft, u journal.Urgency) error {
	seq := r.next
	if err := r.appendRecord(d.kind, r.shorten(d, seq), u); err != nil {
		return err
	}
	r.remember(d, seq)
	return nil
}

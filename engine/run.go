package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/scheduler"
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
	seat               *scheduler.Seat
	main               lane                       // of the program
	safeRecords        map[uint32]*journal.Record // what the record has of the safe state that is due, by place
	safeBase           uint32                     // where on its branch that begins
	recovered          bool                       // brought back by Recover
	recorded           int64                      // bytes of the record that is to be replayed; fetch reads it
	safeWritten        bool
	safeNoted          *record.SafeState // found in the record: what became of it while the run could not be replayed
	unmet              []*obligation     // lines of it that could not be written
	mainEnd            uint32            // first free place of the program's branch in the record, as it was found
	renewed            bool              // what was owed of it before is owed no more, but what unmet says
	tookStop           bool              // the program has taken a STOP
	asked              *question         // found in the record: a question that was put before the restart
	recordedCompletion *completion       // found in the record: the program has ended before
	loss               string            // what the journal has lost of the record
	lossUnrecorded     bool              // loss is not on record yet
	recordFault        error             // the record cannot be replayed
	holdsDelivery      bool              // this goroutine holds delivery

	delivery sync.Mutex // one delivery at a time, held until it is on disk; taken before mu

	mu           sync.Mutex // guards what follows; never held during I/O
	status       Status
	state        isa88.State
	currentStep  string // at work now
	startedAt    time.Time
	result       value.Raw
	err          *RunError
	doubt        *Doubt
	held         bool                  // by the engine, at a boundary
	heldWhy      string                // where no operator has said so
	heldAt       time.Time             // since when it is so
	operator     *Word                 // whose word the run has followed last
	waits        waits                 // what the step at work waits for
	stopDue      time.Time             // when a STOP that the script has not asked for becomes the engine's
	stopLate     bool                  // it has become so
	ifDone       func(value.Raw) error // whether the step in doubt can take a result from the operator; nil: any
	caughtUp     bool                  // its replay is over, and what an interruption has left is decided
	noRoom       bool                  // it waits for room in the journal
	unreplayable bool                  // its record cannot be replayed
	safeRests    bool                  // its safe state was dealt with although it has not ended: what of it is owed may be tried again
	events       map[string]value.Raw
	safeResults  []SafeResult
	inbox        mailbox.Box
	fates        map[uint64]Fate
	nextNote     record.Place
	recoveries   int
	version      uint64
	changed      chan struct{} // closed at the next change; nil while nobody waits
	wake         chan struct{} // one slot: a message has come
	done         chan struct{} // closed when the run has ended
	ended        bool
}

// completion is how a run's program has ended.
type completion struct {
	status Status
	state  isa88.State
	err    *RunError
	result value.Raw

	safeAt uint32 // of one found in the record: where on its branch its safe state begins
}

// ID returns the run's id.
func (r *Run) ID() string { return r.head.id }

// Workflow returns the name of the run's workflow.
func (r *Run) Workflow() string { return r.head.workflow }

// Inputs returns the run's inputs, an encoded *value.Map, defaults filled in.
func (r *Run) Inputs() value.Raw { return r.head.inputs }

// Locate tells the run how to find the line that its program is at, as
// "file.star:12", for calls that do not say it themselves.
func (r *Run) Locate(where func() string) { r.main.where = where }

// CheckCancelled returns the fatal error of a cancel or a deadline that has come.
func (r *Run) CheckCancelled() error {
	if r.main.replay.active() {
		return r.main.fatal
	}
	return r.main.ended()
}

// IsCancelled reports whether a cancel or a deadline has come. It needs no
// record: a run that was cancelled is not replayed.
func (r *Run) IsCancelled() bool {
	var end *termination // a shutdown is none: the replay would not see it
	return !r.main.replay.active() && errors.As(context.Cause(r.ctx), &end)
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
	r.currentStep, r.waits = name, waits{}
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

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
	life   context.Context // ctx, whatever writes a safe state makes of that; read by all
	log    *journal.Writer // used by the run's goroutine only

	// Used by the run's goroutine only.
	replay      cursor
	recorded    int64                      // bytes of the record that is to be replayed; fetch reads it
	seq         uint32                     // next place in the program's lane
	where       func() string              // the line that the program is at; nil: nobody knows
	inner       int                        // steps called in the body of the user step at work
	inBody      bool                       // the body of a user step is at work
	behind      uint32                     // the place behind all that was said in bodies
	safe        map[uint32]*journal.Record // what the record has of the safe state that is due
	safeFrom    uint32                     // where in its lane that begins
	tail        tail
	known       known
	draft       draft
	fatal       error // the first fatal error; every later call returns it
	buf         []byte
	recs        [1]journal.Record
	counts      [1]journal.Count
	resumed     bool // brought back by Recover
	safeWritten bool
	safeNoted   *safeNote     // found in the record: it was dealt with while the run could not be replayed
	unmet       []*obligation // lines of it that could not be written
	laneEnd     uint32        // first free place of the program's lane in the record, as it was found
	renewed     bool          // what was owed of it before is owed no more, but what unmet says
	tookStop    bool          // the program has taken a STOP
	endNoted    *endState     // found in the record: the program has ended before
	asked       *question     // found in the record: a question of the life before
	lost        string        // what the journal has lost of the record
	unsaid      bool          // lost is not on record yet
	badRec      error         // the record cannot be replayed
	door        bool          // this goroutine holds post

	post sync.Mutex // one delivery at a time, held until it is on disk; taken before mu

	mu         sync.Mutex // guards what follows; never held during I/O
	status     Status
	state      isa88.State
	step       string // at work now
	started    time.Time
	result     value.Raw
	err        *RunError
	doubt      *Doubt
	ifDone     func(value.Raw) error // whether the step in doubt can take a result from the operator; nil: any
	held       bool                  // by the engine, at a boundary
	heldWhy    string                // where no operator has said so
	heldAt     time.Time
	operator   *Word     // whose word the run has followed last
	waits      waits     // what the step at work waits for
	stopDue    time.Time // when a STOP that the script has not asked for becomes the engine's
	stopIsOurs bool      // it has become so
	noRoom     bool      // it waits for room in the journal
	events     map[string]value.Raw
	safeDone   []SafeResult
	caughtUp   bool // its replay is over, and what an interruption has left is decided
	broken     bool // its record cannot be replayed
	inbox      []message
	lastMsg    uint64
	seen       map[string]uint64 // message UUID → its number
	fates      map[uint64]Fate
	notes      uint32 // next place in the notes' lane
	recovers   int
	version    uint64
	changed    chan struct{} // closed at the next change; nil while nobody waits
	wake       chan struct{} // one slot: a message has come
	over       chan struct{} // closed when the run has ended
	ended      bool
}

// endState is how a run's program has ended.
type endState struct {
	status Status
	state  isa88.State
	err    *RunError
	result value.Raw

	safeFrom uint32 // of one found in the record: where its safe state begins in its lane
}

// ID returns the run's id.
func (r *Run) ID() string { return r.head.id }

// Workflow returns the name of the run's workflow.
func (r *Run) Workflow() string { return r.head.workflow }

// Inputs returns the run's inputs, an encoded *value.Map, defaults filled in.
func (r *Run) Inputs() value.Raw { return r.head.inputs }

// Locate tells the run how to find the line that its program is at, as
// "file.star:12", for calls that do not say it themselves.
func (r *Run) Locate(where func() string) { r.where = where }

// CheckCancelled returns the fatal error of a cancel or a deadline that has come.
func (r *Run) CheckCancelled() error {
	if r.fatal != nil {
		return r.fatal
	}
	if r.ctx.Err() != nil && !r.replay.active() {
		return r.die(context.Cause(r.ctx))
	}
	return nil
}

// IsCancelled reports whether a cancel or a deadline has come. It needs no
// record: a run that was cancelled is not replayed.
func (r *Run) IsCancelled() bool {
	var end *ending // a shutdown is none: the replay would not see it
	return !r.replay.active() && errors.As(context.Cause(r.ctx), &end)
}

// die keeps the first fatal error.
func (r *Run) die(err error) error {
	if r.fatal == nil {
		r.fatal = err
	}
	return r.fatal
}

// touch tells those who wait that something about the run has changed. The
// caller holds r.mu.
func (r *Run) touch() {
	r.version++
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Run) update(f func()) {
	r.mu.Lock()
	f()
	r.touch()
	r.mu.Unlock()
}

// setStep names the step at work.
func (r *Run) setStep(name string) {
	r.mu.Lock()
	r.step, r.waits = name, waits{}
	r.touch()
	r.mu.Unlock()
}

// nudge wakes the run's goroutine if it waits for a message.
func (r *Run) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// append adds records of the program's lane; the tail goes first if it has grown.
func (r *Run) append(c journal.Change, u journal.Urgency) error {
	c.Run = r.num
	return r.put(c.Essential, func() error {
		if err := r.tailNow(c.Essential); err != nil {
			return err
		}
		return r.log.Append(c, u)
	})
}

// commit adds records, and returns when they and all before them are on disk.
func (r *Run) commit(c journal.Change) error {
	return r.put(c.Essential, func() error { return r.commitNow(c) })
}

// commitNow is commit without waiting for room.
func (r *Run) commitNow(c journal.Change) error {
	if err := r.tailNow(c.Essential); err != nil {
		return err
	}
	c.Run = r.num
	return r.log.Commit(c)
}

// record appends one record at the next place of the program's lane.
func (r *Run) record(kind journal.Kind, data []byte, u journal.Urgency) error {
	r.recs[0] = journal.Record{Seq: r.seq, Kind: kind, Time: time.Now(), Data: data}
	return r.advance(journal.Change{Records: r.recs[:1]}, u)
}

// advance appends what stands at the next place of the program's lane.
func (r *Run) advance(c journal.Change, u journal.Urgency) error {
	if err := r.append(c, u); err != nil {
		return err
	}
	r.tail.live = false
	r.next(r.seq)
	return nil
}

// next makes the place behind one that has been used the next.
func (r *Run) next(used uint32) { r.seq = max(used+1, r.behind) }

// recordSaid appends what the body of a step tells the outside: at a place of
// its own, behind that of the step. A replay passes over it.
func (r *Run) recordSaid(kind journal.Kind, data []byte) error {
	place := max(r.seq+1, r.behind)
	r.recs[0] = journal.Record{Seq: place, Kind: kind, Time: time.Now(), Data: data}
	if err := r.append(journal.Change{Records: r.recs[:1]}, journal.Later); err != nil {
		return err
	}
	r.behind = place + 1
	return nil
}

// recordDraft is record for a draft.
func (r *Run) recordDraft(d *draft, u journal.Urgency) error {
	seq := r.seq
	if err := r.record(d.kind, r.shorten(d, seq), u); err != nil {
		return err
	}
	r.remember(d, seq)
	return nil
}

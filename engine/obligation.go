package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Readier is a step that writes safe states, and can wait until its device answers.
type Readier interface {
	// Ready returns when the write may be attempted. The error is that of ctx, or
	// says why it still may not.
	Ready(ctx context.Context, a Args) (Readiness, error)
}

// Readiness is what is known before an attempt.
type Readiness struct {
	Reached    bool // what the write is to bring about is so already
	Repeatable bool // of a write that may have had its effect, a second one changes nothing
}

// Obligation is a line of a safe state that could not be written when it was
// due. It stays on record, and is tried again, until it is written, an operator
// gives it up, or somebody else has written the tag.
type Obligation struct {
	ID          string          `json:"id"` // RUN:TAG
	Run         string          `json:"run"`
	Workflow    string          `json:"workflow"`
	Tag         string          `json:"tag"`
	Value       value.Raw       `json:"value"`
	Since       time.Time       `json:"since"`
	Why         string          `json:"why"` // it is not written
	State       ObligationState `json:"state"`
	Attempts    int             `json:"attempts"` // since it is an obligation
	LastAttempt *time.Time      `json:"last_attempt"`
}

// ObligationState is how far an obligation has come.
type ObligationState string

// The states of an obligation.
const (
	Owed        ObligationState = "owed"        // not written
	Unknown     ObligationState = "unknown"     // sent, and not known to have had its effect
	Unconfirmed ObligationState = "unconfirmed" // the device took it, and it does not read back
)

// obligationTable is the engine's table of them in the journal.
const obligationTable = "obligation"

// obligation is one that is kept. What lies behind its embedded Obligation is
// guarded by obligations.mu, as that is.
type obligation struct {
	Obligation
	num       uint64 // of the run, in the journal
	claimedBy string // somebody who writes the tag now
	claims    int
	orphan    string // who wrote the tag when the process before this one ended
	gone      bool
	give      context.CancelFunc // ends the attempt at work; nil: none is

	ctx     context.Context // ends when it is gone
	stop    context.CancelFunc
	attempt sync.Mutex // held by who attempts it; taken before obligations.mu
}

// obligations are all that there are.
type obligations struct {
	n     atomic.Int64 // how many: a write of a tag asks, and mostly finds none
	amend sync.Mutex   // held by who changes the summary of a run that has ended

	mu   sync.Mutex // guards what follows; never held during I/O
	byID map[string]*obligation
}

func obligationID(run, tag string) string { return run + ":" + tag }

// entry is what the journal keeps of it. The caller holds obligations.mu, or has
// it alone.
func (o *obligation) entry() journal.Entry {
	var last int64
	if o.LastAttempt != nil {
		last = o.LastAttempt.UnixMilli()
	}
	return journal.Entry{Table: obligationTable, Key: o.ID, Value: fields(nil, o.Run, o.num, o.Workflow, o.Tag, o.Value, o.Since.UnixMilli(),
		short(o.Why), string(o.State), o.Attempts, last, o.claimedBy)}
}

func decodeObligation(key string, data []byte) (*obligation, error) {
	v, err := value.Decode(data)
	l, ok := v.([]any)
	if err != nil || !ok || len(l) < 11 {
		return nil, fmt.Errorf("obligation %q cannot be read: %d fields, %w", key, len(l), cmp.Or(err, errors.New("11 expected")))
	}
	o := &obligation{Obligation: Obligation{ID: key}}
	num, _ := l[1].(int64)
	since, _ := l[5].(int64)
	attempts, _ := l[8].(int64)
	last, _ := l[9].(int64)
	state, _ := l[7].(string)
	o.num, o.Since, o.Attempts, o.State = uint64(num), time.UnixMilli(since).UTC(), int(attempts), ObligationState(state)
	for i, s := range map[int]*string{0: &o.Run, 2: &o.Workflow, 3: &o.Tag, 6: &o.Why, 10: &o.claimedBy} {
		*s, _ = l[i].(string)
	}
	if last != 0 {
		t := time.UnixMilli(last).UTC()
		o.LastAttempt = &t
	}
	o.claimedBy, o.orphan = "", o.claimedBy
	o.Value, err = value.Encode(l[4])
	return o, err
}

// Obligations lists what is owed, oldest first.
func (e *Engine) Obligations() []Obligation {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	out := make([]Obligation, 0, len(e.owed.byID))
	for _, o := range e.owed.byID {
		out = append(out, o.Obligation)
	}
	slices.SortFunc(out, func(a, b Obligation) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return out
}

// loadObligations takes up what the life before has left. They are kept once Run
// is called.
func (e *Engine) loadObligations(ctx context.Context) error {
	var found []*obligation
	var unread []error
	err := e.journal.State(ctx, obligationTable, "", func(key string, data []byte) bool {
		o, err := decodeObligation(key, data)
		if err != nil {
			unread = append(unread, err)
			return true
		}
		found = append(found, o)
		return true
	})
	e.enlist(found...)
	if err = errors.Join(append(unread, err)...); err != nil && ctx.Err() == nil {
		e.alarmFor("lost", "", fmt.Sprintf("what is owed of a safe state may be lost: %v", err)) // the others are kept
		return nil
	}
	return err
}

// keepAll begins to keep what the life before has left.
func (e *Engine) keepAll() {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		e.wg.Go(func() { e.keep(o) })
	}
}

// enlist puts obligations that are on disk into the table. One that was there
// under its name is gone.
func (e *Engine) enlist(list ...*obligation) {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range list {
		o.ctx, o.stop = context.WithCancel(e.base)
		if e.owed.byID == nil {
			e.owed.byID = map[string]*obligation{}
		}
		if old := e.owed.byID[o.ID]; old != nil {
			old.end()
		}
		e.owed.byID[o.ID] = o
	}
	e.owed.n.Store(int64(len(e.owed.byID)))
}

// removal takes an obligation out of the journal's table, unless a newer one has
// its name by now.
func (e *Engine) removal(o *obligation) []journal.Entry {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	if e.owed.byID[o.ID] != o {
		return nil
	}
	return []journal.Entry{{Table: obligationTable, Key: o.ID}}
}

// end lets nobody attempt it any more. The caller holds obligations.mu.
func (o *obligation) end() {
	o.gone = true
	o.stop()
}

// strike ends an obligation, for the caller alone to put that on record. It
// reports whether nobody has before.
func (e *Engine) strike(o *obligation) bool {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	if o.gone {
		return false
	}
	o.end()
	return true
}

// forgo takes obligations out of the table whose end is on disk.
func (e *Engine) forgo(list ...*obligation) {
	if len(list) == 0 {
		return
	}
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range list {
		if !o.gone {
			o.end()
		}
		if e.owed.byID[o.ID] == o {
			delete(e.owed.byID, o.ID)
		}
	}
	e.owed.n.Store(int64(len(e.owed.byID)))
	e.nudgeAlarms()
}

// owe begins to keep obligations that are on disk and in the table. What others
// owed for the same tags lapses: these are newer.
func (e *Engine) owe(list []*obligation) {
	for _, o := range list {
		older := e.onTag(o.Tag, func(x *obligation) bool { return x.ID != o.ID })
		e.nudgeAlarms()
		e.cfg.Log.Error("safe state is owed", "run", o.Run, "tag", o.Tag, "why", o.Why)
		e.wg.Go(func() { e.keep(o) })
		for _, x := range older {
			e.lapse(x, "overtaken by the safe state of run "+o.Run)
		}
	}
}

// onTag returns the obligations of a tag.
func (e *Engine) onTag(tag string, want func(*obligation) bool) (out []*obligation) {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		if o.Tag == tag && !o.gone && want(o) {
			out = append(out, o)
		}
	}
	return out
}

// ofRun returns the obligations of a run.
func (e *Engine) ofRun(id string) (out []*obligation) {
	if e.owed.n.Load() == 0 {
		return nil
	}
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		if o.Run == id && !o.gone {
			out = append(out, o)
		}
	}
	return out
}

// Waive gives up an obligation by its name. It is on disk when Waive returns.
func (e *Engine) Waive(_ context.Context, id, reason, actor string) error {
	e.owed.mu.Lock()
	o := e.owed.byID[id]
	e.owed.mu.Unlock()
	if o == nil {
		return problem(NotFound, "nothing is owed under the name %s", id).hint("holdfast obligations lists what is owed")
	}
	o.yield(&e.owed)
	o.attempt.Lock() // what is on the wire comes to its end
	defer o.attempt.Unlock()
	if !e.strike(o) {
		return problem(Refused, "%s is not owed any more", id)
	}
	return e.settled(o, false, operatorsWord("given up", &message{actor: actor, reason: reason}))
}

// lapse ends an obligation that is none any more, and says so.
func (e *Engine) lapse(o *obligation, why string) {
	if !e.strike(o) {
		return
	}
	if err := e.settled(o, false, why); err != nil {
		e.cfg.Log.Error("cannot record that an obligation has lapsed", "run", o.Run, "tag", o.Tag, "why", why, "error", err)
	}
}

// settled puts on record what became of an obligation that has been struck, in
// the table and in what its run shows of its safe state.
func (e *Engine) settled(o *obligation, ok bool, detail string) error {
	err := e.settle(o, ok, detail)
	if err == nil {
		e.forgo(o)
	}
	return err
}

func (e *Engine) settle(o *obligation, ok bool, detail string) error {
	e.cfg.Log.Warn("safe state is owed no more", "run", o.Run, "tag", o.Tag, "written", ok, "detail", detail)
	if r := e.live(o.Run); r != nil {
		r.post.Lock() // the run does not end meanwhile
		defer r.post.Unlock()
		if !r.hasEnded() {
			err := e.keepTrying(journal.Change{Run: r.num, Records: r.note("settled", o.Tag, ok, detail), State: e.removal(o), Essential: true})
			r.update(func() { r.safeDone = settle(r.safeDone, o.Tag, ok, detail) })
			return err
		}
	}
	e.owed.amend.Lock()
	defer e.owed.amend.Unlock()
	c := journal.Change{State: e.removal(o), Essential: true}
	if run, err := e.journal.Load(o.num); err == nil && run.End != nil {
		if info, err := decodeSummary(run.End); err == nil {
			info.SafeState = settle(info.SafeState, o.Tag, ok, detail)
			if c.Amend, err = encodeSummary(info); err == nil {
				c.Run = o.num
			}
		}
	}
	if c.Run == 0 && len(c.State) == 0 {
		return nil
	}
	return e.keepTrying(c)
}

// hasEnded reports whether the run has ended.
func (r *Run) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// settle returns the lines with what became of the one of a tag.
func settle(lines []SafeResult, tag string, ok bool, detail string) []SafeResult {
	lines = slices.Clone(lines)
	for i := range lines {
		if lines[i].Tag == tag && !lines[i].OK {
			lines[i].OK, lines[i].Detail = ok, detail
		}
	}
	return lines
}

// keepTrying commits what is essential, and waits for room where even the
// reserve has none.
func (e *Engine) keepTrying(c journal.Change) error {
	for {
		w, done := e.writer()
		err := w.Commit(c)
		done()
		full := e.journal.Room()
		if !errors.Is(err, journal.ErrNoRoom) || full == nil {
			return err
		}
		select {
		case <-full.Again:
		case <-e.base.Done():
			return err
		}
	}
}

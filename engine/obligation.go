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

	"holdfast/engine/record"
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
	Stale       ObligationState = "stale"       // the journal was restored or has lost a part: it may have been written, or overtaken, since
)

// obligationTable is the engine's table of them in the journal.
const obligationTable = "obligation"

// obligation is one that is kept. What lies behind its embedded Obligation is
// guarded by obligations.mu, as that is.
type obligation struct {
	Obligation
	num       uint64 // of the run, in the journal
	home      string // identity of the journal that it was put into
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
	return journal.Entry{Table: obligationTable, Key: o.ID, Value: record.Fields(nil, o.Run, o.num, o.Workflow, o.Tag, o.Value, o.Since.UnixMilli(),
		short(o.Why), string(o.State), o.Attempts, last, o.claimedBy, o.home)}
}

func decodeObligation(key string, data []byte) (*obligation, error) {
	v, err := value.Decode(data)
	l, ok := v.([]any)
	if err != nil || !ok || len(l) < 12 {
		return nil, fmt.Errorf("obligation %q cannot be read: %d fields, %w", key, len(l), cmp.Or(err, errors.New("12 expected")))
	}
	o := &obligation{Obligation: Obligation{ID: key}}
	num, _ := l[1].(int64)
	since, _ := l[5].(int64)
	attempts, _ := l[8].(int64)
	last, _ := l[9].(int64)
	state, _ := l[7].(string)
	o.num, o.Since, o.Attempts, o.State = uint64(num), time.UnixMilli(since).UTC(), int(attempts), ObligationState(state)
	for i, s := range map[int]*string{0: &o.Run, 2: &o.Workflow, 3: &o.Tag, 6: &o.Why, 10: &o.claimedBy, 11: &o.home} {
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

// unwritten makes an obligation of a line of the run's safe state.
func (r *Run) unwritten(line SafeWrite, res SafeResult, failure *StepError) *obligation {
	o := &obligation{num: r.num, home: r.eng.journal.Identity(), Obligation: Obligation{ID: obligationID(r.head.id, line.Tag), Run: r.head.id, Workflow: r.head.workflow, Tag: line.Tag,
		Value: line.Value, Since: time.Now().UTC().Truncate(time.Millisecond), Why: res.Detail, State: Owed}}
	switch {
	case failure == nil:
		o.State = Unconfirmed
	case failure.Unknown || failure.Type == typeInDoubt:
		o.State = Unknown
	}
	return o
}

const typeInDoubt = "InDoubt"

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Recovered says what Recover found.
type Recovered struct {
	Runs int // live runs, which go on in Run
	Held int // of these: held by an operator's word, or not to be replayed
}

// Recover finds all live runs in the journal. They go on when Run is called,
// which reads what each did once more, at its turn: here no more of a record than
// a page is in memory.
func (e *Engine) Recover(ctx context.Context) (Recovered, error) {
	var out Recovered
	programs, lost := map[string]Workflow{}, map[uint64]string{}
	if err := e.loadAlarms(ctx); err != nil {
		return out, fmt.Errorf("cannot recover alarms: %w", err)
	}
	for _, d := range slices.Backward(e.journal.Report().Damaged) {
		lost[d.Run] = d.What // the first that is said of it
	}
	err := e.journal.LiveHeaders(ctx, 0, func(l journal.LiveRun) bool {
		var r *Run
		err := l.Err
		if err == nil {
			r, err = e.revive(ctx, l.Header, programs, lost[l.Header.Run])
		}
		if ctx.Err() != nil {
			return false
		}
		if err != nil { // it costs this run, not the start
			e.alarmFor("unread", l.Header.ID, fmt.Sprintf("a live run does not go on, and its safe state is not written: %v", err))
			return true
		}
		out.Runs++
		if r.held || r.loss != "" || r.recordFault != nil {
			out.Held++
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lastID = latest(e.lastID, idTime(r.head.id, r.head.created))
		e.runs[r.head.id] = r
		if r.head.dedup != "" {
			e.dedup[r.head.dedup] = r.head.id
		}
		e.recovered = append(e.recovered, r)
		return true
	})
	e.alarmLosses()
	if err == nil {
		err = e.loadObligations(ctx)
	}
	if err == nil {
		err = e.journal.Ended(ctx, 0, func(r journal.EndedRun) bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.lastID = latest(e.lastID, idTime(r.Header.ID, r.Header.Created))
			return r.Err != nil // the newest that can be read is enough
		})
	}
	if err != nil {
		return out, fmt.Errorf("cannot recover runs: %w", err)
	}
	return out, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// revive makes a live run of what the journal has of it. What cannot be read of
// what it did is the run's own misfortune: it will be HELD. lost says what the
// journal has lost of it; "": nothing. Without its notes or its mailbox it cannot
// even be held, for what is put on record then would replace what is there.
func (e *Engine) revive(ctx context.Context, head journal.Header, programs map[string]Workflow, lost string) (*Run, error) {
	h, err := decodeHeader(head)
	r := e.newRun(head.Run, h)
	r.recovered, r.status, r.state, r.recordFault = true, Enqueued, isa88.Starting, err
	if err == nil {
		r.wf, r.recordFault = e.program(ctx, h, programs)
	}
	if err := r.readRecord(ctx); err != nil {
		r.cancel(context.Canceled)
		return nil, err
	}
	if err := e.journal.Messages(ctx, r.num, 0, func(jm journal.Message) bool {
		m, err := mailbox.Read(jm)
		if err != nil {
			r.recordFault = err
			return true
		}
		r.inbox.Put(m)
		return true
	}); err != nil {
		r.cancel(context.Canceled)
		return nil, err
	}
	if lost != "" {
		r.lossUnrecorded = true
		switch {
		case r.loss == "":
			r.loss = lost
		case !strings.Contains(r.loss, lost): // it has lost something before
			r.loss += "; " + lost
		}
	}
	if r.held {
		r.state = isa88.Held
	}
	for _, m := range r.inbox.All() {
		r.anticipate(&m)
	}
	r.watchDeadline()
	return r, nil
}

// program finds what a run was started with: the registered workflow if its
// source is the same, else the one that the journal has pinned.
func (e *Engine) program(ctx context.Context, h header, cache map[string]Workflow) (Workflow, error) {
	e.mu.Lock()
	wf, ok := e.workflows[h.workflow]
	e.mu.Unlock()
	if ok && wf.Source.Hash == h.hash {
		return wf, nil
	}
	if h.hash == "" {
		return wf, fmt.Errorf("workflow %s is not in this program", h.workflow)
	}
	key := h.hash + " " + h.workflow
	if wf, ok := cache[key]; ok {
		return wf, nil
	}
	if e.cfg.Loader == nil {
		return wf, fmt.Errorf("workflow %s has changed, and there is nothing to load its old source with", h.workflow)
	}
	src, err := e.journal.Script(ctx, h.hash)
	if err != nil {
		return wf, fmt.Errorf("cannot read the source of workflow %s: %w", h.workflow, err)
	}
	wf, err = e.cfg.Loader.Load(src, h.workflow)
	if err != nil {
		return wf, fmt.Errorf("cannot load the pinned source of workflow %s: %w", h.workflow, err)
	}
	cache[key] = wf
	return wf, nil
}

// restoreNote takes up what the engine noted before.
func (r *Run) restoreNote(rec *journal.Record) {
	if rec.Kind == record.KindCompleted {
		c, err := record.ReadCompleted(rec)
		if err != nil {
			r.recordFault = err
			return
		}
		r.recordedCompletion = &completion{status: Status(c.Status), state: isa88.State(c.State), err: (*RunError)(c.Error), result: slices.Clone(c.Result), safeAt: c.SafeAt}
		return
	}
	n, err := record.ReadNote(rec)
	if err != nil {
		r.recordFault = err
		return
	}
	switch n := n.(type) {
	case record.Started:
		r.startedAt = rec.Time
	case record.Recovered:
		r.recoveries++
	case record.Held:
		if n.Why == onPowerLoss {
			r.heldWhy, r.heldAt = heldByPowerLoss, rec.Time.UTC()
		}
	case record.Lost:
		r.loss = n.What
	case record.SafeState:
		r.safeNoted = &n
	case record.Settled:
		if r.safeNoted != nil {
			settleLine(r.safeNoted.Lines, n)
		}
	case record.Asked:
		r.asked = questionOf(n)
	case record.Command:
		r.restoreCommand(n)
	case record.Stale:
		r.inbox.Note(n.Message, "")
	case record.Resolved:
		r.inbox.Note(n.Message, "")
		r.asked = nil
		if n.Decision == "retry" {
			r.loss = "" // if there was a loss, an operator has said to go on
		}
	}
}

// restoreCommand takes up an operator command that the engine has decided on.
func (r *Run) restoreCommand(n record.Command) {
	r.decided([]Fate{Fate(n.Fate)})
	r.inbox.Note(n.Message, n.UUID)
	if !n.Taken {
		return
	}
	m := message{Number: n.Message, Word: isa88.Command(n.Command), Actor: n.Actor, Reason: n.Reason}
	switch m.Word {
	case isa88.Hold:
		r.held = true
	case isa88.Resume:
		r.held, r.heldWhy = false, ""
	case isa88.Stop, isa88.Abort: // it did not come to its end before the process did
		r.cancel(terminationBy(&m))
	}
}

// restoreShown takes up what the program told the outside, and which messages
// it has taken. What cannot be read is for the replay to say, with its place.
func (r *Run) restoreShown(rec *journal.Record) {
	switch rec.Kind {
	case record.KindEvent:
		if told, err := record.ReadTold(rec); err == nil {
			r.events[told.Key] = slices.Clone(told.Value)
		}
	case record.KindProgress:
		if told, err := record.ReadTold(rec); err == nil {
			r.events["phase.last_message"] = value.AppendString(nil, told.Key)
		}
	case record.KindReceived:
		fates, taken, _ := record.MessagesOf(rec)
		r.decided(fatesOf(fates))
		for _, m := range taken {
			r.inbox.Note(m.Number, m.UUID)
		}
	}
}

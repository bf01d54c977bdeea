package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/engine/isa88"
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
		if r.held || r.lost != "" || r.badRec != nil {
			out.Held++
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lastID = later(e.lastID, idTime(r.head.id, r.head.created))
		e.runs[r.head.id] = r
		if r.head.dedup != "" {
			e.dedup[r.head.dedup] = r.head.id
		}
		e.waiting = append(e.waiting, r)
		return true
	})
	e.tellLosses()
	if err == nil {
		err = e.loadObligations(ctx)
	}
	if err == nil {
		err = e.journal.Ended(ctx, 0, func(r journal.EndedRun) bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.lastID = later(e.lastID, idTime(r.Header.ID, r.Header.Created))
			return r.Err != nil // the newest that can be read is enough
		})
	}
	if err != nil {
		return out, fmt.Errorf("cannot recover runs: %w", err)
	}
	return out, nil
}

func later(a, b time.Time) time.Time {
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
	r.resumed, r.status, r.state, r.badRec = true, Enqueued, isa88.Starting, err
	if err == nil {
		r.wf, r.badRec = e.program(ctx, h, programs)
	}
	if err := r.readRecord(ctx); err != nil {
		r.cancel(context.Canceled)
		return nil, err
	}
	if err := e.journal.Messages(ctx, r.num, 0, func(jm journal.Message) bool {
		m, err := decodeMessage(jm)
		if err != nil {
			r.badRec = err
			return true
		}
		r.had(m.num, m.uuid)
		r.inbox = append(r.inbox, m)
		return true
	}); err != nil {
		r.cancel(context.Canceled)
		return nil, err
	}
	if lost != "" {
		r.unsaid = true
		switch {
		case r.lost == "":
			r.lost = lost
		case !strings.Contains(r.lost, lost): // it has lost something before
			r.lost += "; " + lost
		}
	}
	if r.held {
		r.state = isa88.Held
	}
	for i := range r.inbox {
		r.arrived(&r.inbox[i])
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

// readNote takes up what the engine noted before.
func (r *Run) readNote(rec *journal.Record) {
	v, err := value.Decode(rec.Data)
	l, ok := v.([]any)
	if err != nil || !ok || len(l) == 0 {
		r.badRec = fmt.Errorf("note %d cannot be read", rec.Seq&^laneNotes)
		return
	}
	if rec.Kind == kindEnding {
		r.endNoted = endingOf(l)
		return
	}
	switch l[0] {
	case "started":
		r.started = rec.Time
	case "recovered":
		r.recovers++
	case "held":
		if len(l) > 1 && l[1] == "on_power_loss" {
			r.heldWhy, r.heldAt = "on_power_loss is hold", rec.Time.UTC()
		}
	case "lost":
		if len(l) > 1 {
			r.lost, _ = l[1].(string)
		}
	case "safe":
		r.safeNoted = safeNoteOf(l)
	case "settled":
		if len(l) > 3 && r.safeNoted != nil {
			tag, _ := l[1].(string)
			ok, _ := l[2].(bool)
			detail, _ := l[3].(string)
			r.safeNoted.lines = settle(r.safeNoted.lines, tag, ok, detail)
		}
	case "asked":
		r.asked = questionOf(l)
	case "command":
		for _, f := range fatesOf(rec) {
			r.decided([]Fate{f})
			r.readCommand(f, l)
		}
	case "resolved", "moot":
		if len(l) > 1 {
			num, _ := l[1].(int64)
			r.had(uint64(num), "")
		}
		if l[0] == "resolved" {
			r.asked = nil
		}
		if l[0] == "resolved" && len(l) > 2 && l[2] == "retry" {
			r.lost = "" // if there was a loss, an operator has said to go on
		}
	}
}

// readCommand takes up an operator command that the engine has decided on.
func (r *Run) readCommand(f Fate, l []any) {
	m := message{num: f.Message, word: isa88.Command(f.Command)}
	m.actor, m.reason = f.Actor, f.Reason
	if len(l) > 8 {
		m.uuid, _ = l[8].(string)
	}
	r.had(m.num, m.uuid)
	if !f.Taken {
		return
	}
	switch m.word {
	case isa88.Hold:
		r.held = true
	case isa88.Resume:
		r.held, r.heldWhy = false, ""
	case isa88.Stop, isa88.Abort: // it did not come to its end before the process did
		r.cancel(endedBy(&m))
	}
}

func endingOf(l []any) *endState {
	if len(l) < 4 {
		return nil
	}
	st := &endState{safeFrom: laneSafe}
	status, _ := l[0].(string)
	state, _ := l[1].(string)
	st.status, st.state = Status(status), isa88.State(state)
	if e, ok := l[2].([]any); ok && len(e) >= 4 {
		st.err = &RunError{}
		st.err.Type, _ = e[0].(string)
		st.err.Message, _ = e[1].(string)
		st.err.Step, _ = e[2].(string)
		st.err.Traceback, _ = e[3].(string)
	}
	if l[3] != nil {
		st.result, _ = value.Encode(l[3]) // it has been decoded just now
	}
	if len(l) > 4 {
		from, _ := l[4].(int64)
		st.safeFrom = uint32(from)
	}
	return st
}

// readShown takes up what the program told the outside, and which messages it
// has taken.
func (r *Run) readShown(rec *journal.Record) {
	fs, err := value.Split(rec.Data, nil)
	if err != nil || len(fs) < 2 {
		return // the replay says so, with its place
	}
	switch rec.Kind {
	case kindEvent:
		if key, err := fs[0].Text(); err == nil {
			r.events[key] = slices.Clone(fs[1])
		}
	case kindProgress:
		r.events["phase.last_message"] = slices.Clone(fs[0])
	case kindReceived:
		r.decided(fatesOf(rec))
		if len(fs) > 5 {
			came(fs[5], r.had)
		}
	}
}

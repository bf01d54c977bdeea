package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/journal"
)

// info is a run as it stands now. What it shows may not be on disk yet.
func (r *Run) info() RunInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := RunInfo{ID: r.head.id, Workflow: r.head.workflow, Status: r.status, State: r.state, Queue: "default",
		Partition: r.head.partition, Priority: r.head.priority, DedupID: r.head.dedup, Inputs: r.head.inputs, Result: r.result, Error: r.err,
		Events: maps.Clone(r.events), CreatedAt: r.head.created, Recoveries: r.recoveries, InDoubt: r.doubt, SafeState: r.safeResults,
		Commands: CommandModeName(r.head.commands.String()), CurrentStep: r.currentStep, Waits: r.waits.at(r.currentStep), Held: r.heldBy(), Pending: r.pending()}
	if r.operator != nil {
		w := *r.operator
		out.Operator = &w
	}
	if !r.startedAt.IsZero() {
		t := r.startedAt.UTC().Truncate(time.Millisecond)
		out.StartedAt = &t
	}
	if !r.head.deadline.IsZero() {
		t := r.head.deadline
		out.Deadline = &t
	}
	return out
}

// Show returns one run. All that it says is on disk.
func (e *Engine) Show(ctx context.Context, id string) (RunInfo, error) {
	out, err := e.show(ctx, id)
	for _, o := range e.Obligations() {
		if err == nil && o.Run == id {
			out.Obligations = append(out.Obligations, o)
		}
	}
	return out, err
}

func (e *Engine) show(ctx context.Context, id string) (RunInfo, error) {
	if r := e.live(id); r != nil {
		out := r.info()
		if err := e.journal.SyncRun(ctx, r.num); err != nil {
			return out, ctx.Err() // a journal that has failed is said in Health; the run is still to be seen
		}
		return out, nil
	}
	run, err := e.headOf(ctx, id)
	if err != nil {
		return RunInfo{}, err
	}
	if run.Summary == nil {
		if r := e.live(id); r != nil {
			return r.info(), nil
		}
		return RunInfo{}, problem(Unavailable, "run %s is not up yet", id)
	}
	out, err := decodeSummary(run.Summary)
	if err != nil {
		return out, problem(Unavailable, "cannot read the summary of run %s: %v", id, err)
	}
	return out, nil
}

// Runs lists runs, newest first.
func (e *Engine) Runs(ctx context.Context, f Filter) ([]RunInfo, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	e.mu.Lock()
	live := slices.Collect(maps.Values(e.runs))
	e.mu.Unlock()
	nums := map[string]bool{}
	var out []RunInfo
	for _, r := range live {
		nums[r.head.id] = true
		if i := r.info(); f.matches(i) {
			out = append(out, i)
		}
	}
	_ = e.journal.SyncContext(ctx) // as in Show: a journal that has failed is said in Health
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ended := 0
	take := func(r journal.EndedRun) bool {
		h := r.Header
		if nums[h.ID] {
			return true
		}
		i, err := decodeSummary(r.Summary)
		if err = cmp.Or(r.Err, err); err != nil { // it costs this run, not the list
			i = RunInfo{ID: cmp.Or(h.ID, fmt.Sprintf("#%d", h.Run)), Status: Error, State: isa88.Error, CreatedAt: h.Created, Error: &RunError{Type: "RecordUnreadable", Message: err.Error()}}
		}
		if r.Err != nil || f.matches(i) { // what it was is not known
			out = append(out, i)
			ended++
		}
		return ended < f.Limit && (f.Since.IsZero() || r.Err != nil || !h.Created.Before(f.Since))
	}
	if f.Status == "" || f.Status.Ended() { // else none of the history is asked for
		err := e.listEnded(ctx, f, take)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, problem(Unavailable, "cannot list ended runs: %v", err)
		}
	}
	slices.SortFunc(out, func(a, b RunInfo) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(len(out), f.Limit)], nil
}

// listEnded calls take with the ended runs that f may want, newest first.
func (e *Engine) listEnded(ctx context.Context, f Filter, take func(journal.EndedRun) bool) error {
	if term := f.term(); term != "" {
		return e.journal.EndedBy(ctx, term, 0, take)
	}
	return e.journal.Ended(ctx, 0, take)
}

func (f *Filter) matches(i RunInfo) bool {
	return (f.Status == "" || f.Status == i.Status) && (f.Workflow == "" || f.Workflow == i.Workflow) &&
		(f.Partition == "" || f.Partition == i.Partition) && (f.Since.IsZero() || !i.CreatedAt.Before(f.Since))
}

// Await returns when something about a run has changed since version, or when
// it has ended. Version 0 returns at once.
func (e *Engine) Await(ctx context.Context, id string, version uint64) (now uint64, ended bool, err error) {
	r := e.live(id)
	if r == nil {
		run, err := e.headOf(ctx, id)
		if err == nil && run.Summary == nil {
			err = problem(Unavailable, "run %s is not up yet", id)
		}
		return version, err == nil, err
	}
	for {
		r.mu.Lock()
		v, over := r.version, r.ended
		if over || version == 0 || v > version {
			r.mu.Unlock()
			return max(v, 1), over, nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		c := r.changed
		r.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
			return v, false, ctx.Err()
		}
	}
}

// AwaitEnd returns nil when a run is live no more, or never was; the error is that of ctx.
func (e *Engine) AwaitEnd(ctx context.Context, id string) error {
	r := e.live(id)
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Health is the engine at a glance.
type Health struct {
	Running      int     `json:"running"`
	Enqueued     int     `json:"enqueued"`
	Held         int     `json:"held"`
	InDoubt      int     `json:"in_doubt"`
	Alarms       []Alarm `json:"alarms"`
	JournalError string  `json:"journal_error"` // it accepts nothing more
	JournalRoom  string  `json:"journal_room"`  // why it has no room; what is essential is recorded, and no effect begins

	Obligations []Obligation `json:"obligations"` // lines of safe states that are still to be written

	Journal JournalInfo `json:"journal"`
}

// Health counts live runs and lists alarms.
func (e *Engine) Health() Health {
	h := Health{Alarms: e.Alarms(), JournalRoom: e.journalRoom(), Obligations: e.Obligations()}
	e.mu.Lock()
	live := slices.Collect(maps.Values(e.runs))
	e.mu.Unlock()
	for _, r := range live {
		r.mu.Lock()
		switch {
		case r.doubt != nil:
			h.InDoubt++
			h.Held++
		case r.state == isa88.Held:
			h.Held++
		}
		if r.status == Enqueued {
			h.Enqueued++
		} else {
			h.Running++
		}
		r.mu.Unlock()
	}
	h.Journal = journalInfo(e.journal.Stats(), time.Now())
	if err := e.journal.Err(); err != nil {
		h.JournalError = err.Error()
	}
	return h
}

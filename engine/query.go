package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// info is a run as it stands now. What it shows may not be on disk yet.
func (r *Run) info() RunInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := RunInfo{ID: r.head.id, Workflow: r.head.workflow, Status: r.status, State: r.state, Queue: "default",
		Partition: r.head.partition, Priority: r.head.priority, DedupID: r.head.dedup, Inputs: r.head.inputs, Result: r.result, Error: r.err,
		Events: maps.Clone(r.events), CreatedAt: r.head.created, Recoveries: r.recovers, InDoubt: r.doubt, SafeState: r.safeDone,
		Commands: CommandModeName(r.head.commands.String()), CurrentStep: r.step}
	if !r.started.IsZero() {
		t := r.started.UTC().Truncate(time.Millisecond)
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
	if r := e.live(id); r != nil {
		out := r.info()
		if err := e.journal.Sync(); err != nil {
			return out, nil // a journal that has failed is said in Health; the run is still to be seen
		}
		return out, nil
	}
	run, err := e.load(id)
	if err != nil {
		return RunInfo{}, err
	}
	if run.End == nil {
		if r := e.live(id); r != nil {
			return r.info(), nil
		}
		return RunInfo{}, problem(Unavailable, "run %s is not up yet", id)
	}
	out, err := decodeSummary(run.End)
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
	_ = e.journal.Sync() // as in Show: a journal that has failed is said in Health
	var bad error
	ended := 0
	err := e.journal.Ended(0, func(h journal.Header, summary []byte) bool {
		if nums[h.ID] {
			return true
		}
		i, err := decodeSummary(summary)
		if err != nil {
			bad = fmt.Errorf("run %s: %w", h.ID, err)
			return false
		}
		if f.matches(i) {
			out = append(out, i)
			ended++
		}
		return ended < f.Limit && (f.Since.IsZero() || !h.Created.Before(f.Since))
	})
	if err = cmp.Or(err, bad); err != nil {
		return nil, problem(Unavailable, "cannot list ended runs: %v", err)
	}
	slices.SortFunc(out, func(a, b RunInfo) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(len(out), f.Limit)], nil
}

func (f *Filter) matches(i RunInfo) bool {
	return (f.Status == "" || f.Status == i.Status) && (f.Workflow == "" || f.Workflow == i.Workflow) &&
		(f.Partition == "" || f.Partition == i.Partition) && (f.Since.IsZero() || !i.CreatedAt.Before(f.Since))
}

// Steps lists a run's recorded steps in order, its safe state last.
func (e *Engine) Steps(ctx context.Context, id string) ([]StepInfo, error) {
	run, err := e.load(id)
	if err != nil {
		return nil, err
	}
	out := []StepInfo{}
	for i := range run.Records {
		rec := &run.Records[i]
		if rec.Seq&laneNotes != 0 && rec.Seq&laneSafe == 0 || rec.Kind != kindBegun && rec.Kind != kindDone {
			continue
		}
		fs, err := split(rec, 5, nil)
		if err != nil {
			return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
		}
		if rec.Kind == kindBegun {
			name, err := fs[0].Text()
			if err != nil {
				return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
			}
			out = append(out, StepInfo{Seq: rec.Seq, Name: name, Status: "STARTED", Args: fs[1], Attempts: int(number(fs[3])), Count: 1, StartedAt: rec.Time})
			continue
		}
		s := StepInfo{Seq: rec.Seq, Status: "SUCCESS", StartedAt: rec.Time, Args: fs[1], Count: max(1, int(rec.Count))}
		if n := len(out); n > 0 && out[n-1].Seq == rec.Seq {
			s, out = out[n-1], out[:n-1]
			s.Status = "SUCCESS"
		} else if s.Name, err = fs[0].Text(); err != nil {
			return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
		}
		done := rec.Time
		s.Result, s.Attempts, s.CompletedAt = fs[3], int(number(fs[4])), &done
		if s.Error, err = errorOf(fs[2]); err != nil {
			return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
		}
		if s.Error != nil {
			s.Status = "ERROR"
		}
		if len(fs) > 5 {
			v, _ := value.Decode(fs[5])
			s.Recovered, _ = v.(bool)
		}
		out = append(out, s)
	}
	// A long receive leaves a beginning, and its end is no step.
	return slices.DeleteFunc(out, func(s StepInfo) bool { return s.Name == "rt.recv" || s.Name == "rt.recvCommand" }), nil
}

func number(r value.Raw) int64 {
	v, err := value.Decode(r)
	n, ok := v.(int64)
	if err != nil || !ok {
		return 0
	}
	return n
}

// Log returns the items of a run's stream behind place after; "" is all streams.
// rt.progress appends to the stream "log".
func (e *Engine) Log(ctx context.Context, id, stream string, after uint32) ([]LogEntry, error) {
	run, err := e.load(id)
	if err != nil {
		return nil, err
	}
	out := []LogEntry{}
	for i := range run.Records {
		rec := &run.Records[i]
		if rec.Seq >= laneNotes || rec.Seq+1 <= after || rec.Kind != kindProgress && rec.Kind != kindStream {
			continue
		}
		fs, err := split(rec, 2, nil)
		if err != nil {
			return nil, problem(Unavailable, "cannot read the log of run %s: %v", id, err)
		}
		l := LogEntry{Seq: rec.Seq + 1, Stream: "log", Time: rec.Time, Value: fs[1]}
		if rec.Kind == kindStream {
			l.Stream, err = fs[0].Text()
		} else {
			l.Value, err = value.Encode(value.NewMap("ts", rec.Time.Format("2006-01-02T15:04:05.000Z07:00"), "message", fs[0], "extra", fs[1]))
		}
		if err != nil {
			return nil, problem(Unavailable, "cannot read the log of run %s: %v", id, err)
		}
		if stream == "" || stream == l.Stream {
			out = append(out, l)
		}
	}
	return out, nil
}

// Await returns when something about a run has changed since version, or when
// it has ended. Version 0 returns at once.
func (e *Engine) Await(ctx context.Context, id string, version uint64) (now uint64, ended bool, err error) {
	r := e.live(id)
	if r == nil {
		run, err := e.load(id)
		if err == nil && run.End == nil {
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

// Health is the engine at a glance.
type Health struct {
	Running      int     `json:"running"`
	Enqueued     int     `json:"enqueued"`
	Held         int     `json:"held"`
	InDoubt      int     `json:"in_doubt"`
	Alarms       []Alarm `json:"alarms"`
	JournalError string  `json:"journal_error"`
}

// Health counts live runs and lists alarms.
func (e *Engine) Health() Health {
	e.mu.Lock()
	h := Health{Alarms: append([]Alarm{}, e.alarms...)}
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
	if err := e.journal.Err(); err != nil {
		h.JournalError = err.Error()
	}
	return h
}

package engine

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/internal/nearest"
	"holdfast/journal"
)

// Start starts a run. It is on disk when Start returns. A start with the ID of
// a run that exists, or with the dedup id of a live one, returns that run.
func (e *Engine) Start(ctx context.Context, q StartRequest) (Started, error) {
	h, wf, err := e.prepare(q)
	if err != nil {
		return Started{}, err
	}
	data, err := h.encode()
	if err != nil {
		return Started{}, problem(BadRequest, "cannot start %s: %v", q.Workflow, err)
	}
	for {
		old, busy, err := e.reserve(&h)
		if err != nil || old != "" {
			return Started{ID: old, Deduplicated: old != ""}, err
		}
		if busy == nil {
			break
		}
		select {
		case <-busy: // another start of the same id is on its way to the disk
		case <-ctx.Done():
			return Started{}, ctx.Err()
		}
	}
	defer e.release(h.id, h.dedup)
	if h.id == q.ID {
		if old, err := e.ended(ctx, &h); old != "" || err != nil {
			return Started{ID: old, Deduplicated: old != ""}, err
		}
	}
	if wf.Source.Hash != "" {
		if err := e.journal.PutScript(wf.Source.Hash, wf.Source.Bundle); err != nil {
			return Started{}, problem(Unavailable, "cannot start %s: %v", q.Workflow, err)
		}
	}
	r := e.newRun(e.journal.NextRun(), h)
	r.wf, r.status, r.state = wf, Enqueued, isa88.Starting
	if err := r.log.Commit(journal.Change{Run: r.num, Start: &journal.Header{Run: r.num, ID: h.id, Created: h.created, Script: h.hash, Data: data}}); err != nil {
		r.cancel(context.Canceled)
		return Started{}, problem(Unavailable, "cannot start %s: %v", q.Workflow, err)
	}
	r.watchDeadline()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runs[h.id] = r
	if h.dedup != "" {
		e.dedup[h.dedup] = h.id
	}
	if e.phase == phaseRunning {
		e.launch(r)
	} // else it goes on at the next start
	return Started{ID: h.id}, nil
}

// prepare checks a request against its workflow.
func (e *Engine) prepare(q StartRequest) (header, Workflow, error) {
	switch {
	case q.Queue != "" && q.Queue != "default":
		return header{}, Workflow{}, problem(Refused, "cannot start %s: queues other than default are not available yet", q.Workflow)
	case q.Partition != "" || q.Priority != 0:
		return header{}, Workflow{}, problem(Refused, "cannot start %s: partition and priority are not available yet", q.Workflow)
	case q.Timeout < 0:
		return header{}, Workflow{}, problem(BadRequest, "cannot start %s: the timeout %v is negative", q.Workflow, q.Timeout)
	case !validID(q.ID) || !validID(q.DedupID):
		return header{}, Workflow{}, problem(BadRequest, "cannot start %s: an id has 1 to 128 characters of [A-Za-z0-9_.:-]", q.Workflow)
	}
	e.mu.Lock()
	wf, ok := e.workflows[q.Workflow]
	names := make([]string, 0, len(e.workflows))
	for n := range e.workflows {
		names = append(names, n)
	}
	phase, notLoaded := e.phase, e.notLoaded
	e.mu.Unlock()
	if phase != phaseRunning {
		return header{}, wf, problem(Unavailable, "cannot start %s: the engine is not running", q.Workflow)
	}
	if !ok && len(notLoaded) > 0 {
		return header{}, wf, notAmong(q.Workflow, notLoaded)
	}
	if !ok {
		p := problem(NotFound, "cannot start %s: no such workflow", q.Workflow)
		if near := nearest.Word(q.Workflow, names); near != "" {
			return header{}, wf, p.hint("did you mean %s?", near)
		}
		return header{}, wf, p.hint("holdfast workflows lists what there is")
	}
	inputs, err := bindInputs(wf, q.Inputs)
	if err == nil {
		err = value.Fits(len(inputs))
	}
	if err != nil {
		return header{}, wf, problem(BadRequest, "cannot start %s: %v", q.Workflow, err)
	}
	h := header{id: q.ID, box: e.journal.Identity(), workflow: wf.Name, hash: wf.Source.Hash, inputs: inputs, dedup: q.DedupID,
		commands: wf.Commands, stopGrace: cmp.Or(wf.StopGrace, DefaultStopGrace), powerLoss: wf.OnPowerLoss, safeState: wf.SafeState}
	limit := wf.Timeout
	if q.Timeout > 0 {
		limit = q.Timeout
	}
	h.created = time.Now().UTC().Truncate(time.Millisecond)
	if limit > 0 {
		h.deadline = h.created.Add(limit)
	}
	return h, wf, nil
}

// bindInputs checks given inputs against the declared ones, and fills in defaults.
func bindInputs(wf Workflow, given value.Raw) (value.Raw, error) {
	in, err := argsMap(given)
	if err != nil {
		return nil, fmt.Errorf("inputs: %w", err)
	}
	byName := make(map[string]any, in.Len()) // there may be very many
	for _, p := range in.Pairs {
		if name, ok := p.Key.(string); ok {
			byName[name] = p.Value
		}
	}
	out := &value.Map{}
	var names []string
	declared := make(map[string]bool, len(wf.Inputs))
	for _, p := range wf.Inputs {
		names = append(names, p.Name)
		declared[p.Name] = true
		v, ok := byName[p.Name]
		switch {
		case ok:
			out.Set(p.Name, v)
		case p.Required:
			return nil, fmt.Errorf("input %q is missing", p.Name)
		default:
			out.Set(p.Name, p.Default)
		}
	}
	for _, p := range in.Pairs {
		name, ok := p.Key.(string)
		if !ok {
			return nil, fmt.Errorf("input name %v is not a string", p.Key)
		}
		if declared[name] {
			continue
		}
		if !wf.AnyInput {
			if len(names) == 0 {
				return nil, fmt.Errorf("unknown input %q, the workflow has none", name)
			}
			return nil, fmt.Errorf("unknown input %q, allowed are %s", name, strings.Join(names, ", "))
		}
		out.Pairs = append(out.Pairs, value.Pair{Key: name, Value: p.Value})
	}
	return value.Encode(out)
}

// reserve gives h its id, or finds the run that has it already. busy is closed
// when a start of the same id has ended, one way or the other.
func (e *Engine) reserve(h *header) (existing string, busy chan struct{}, err error) {
	given := h.id != ""
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.dedup != "" {
		if id, ok := e.dedup[h.dedup]; ok {
			return id, nil, nil
		}
		if b, ok := e.starting["dedup:"+h.dedup]; ok {
			return "", b, nil
		}
	}
	if !given {
		h.id = e.newID(h.created)
	} else {
		if r, ok := e.runs[h.id]; ok {
			if err := sameWorkflow(h, r.head.workflow); err != nil {
				return "", nil, err
			}
			return r.head.id, nil, nil
		}
		if b, ok := e.starting[h.id]; ok {
			return "", b, nil
		}
	}
	done := make(chan struct{})
	e.starting[h.id] = done
	if h.dedup != "" {
		e.starting["dedup:"+h.dedup] = done
	}
	return "", nil, nil
}

func sameWorkflow(h *header, other string) error {
	if other == h.workflow {
		return nil
	}
	return problem(Refused, "cannot start %s: run %s exists, and is of workflow %s", h.workflow, h.id, other)
}

// ended looks among the runs that have ended for one of h's id.
func (e *Engine) ended(ctx context.Context, h *header) (existing string, err error) {
	refs, err := e.journal.Find(ctx, h.id, 1)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", problem(Unavailable, "cannot start %s: %v", h.workflow, err)
	}
	if len(refs) == 0 || refs[0].ID != h.id {
		return "", nil
	}
	old, err := e.journal.Head(ctx, refs[0].Run)
	if err != nil {
		return "", problem(Unavailable, "cannot start %s: %v", h.workflow, err)
	}
	head, err := decodeHeader(old.Header)
	if err != nil {
		return "", problem(Unavailable, "cannot start %s: %v", h.workflow, err)
	}
	if err := sameWorkflow(h, head.workflow); err != nil {
		return "", err
	}
	return h.id, nil
}

func (e *Engine) release(id, dedup string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done := e.starting[id]; done != nil {
		close(done)
	}
	delete(e.starting, id)
	if dedup != "" {
		delete(e.starting, "dedup:"+dedup)
	}
}

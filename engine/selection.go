package engine

import (
	"cmp"
	"context"
	"slices"

	"holdfast/engine/isa88"
	"holdfast/journal"
)

// maxReason bounds the reason of a command to a selection, in bytes: it is kept
// once for each run.
const maxReason = 4096

// Selection says which live runs are meant: All, or those of a Workflow. A
// Partition is refused: partitions are not available yet.
type Selection struct {
	All       bool
	Workflow  string
	Partition string
}

// Dispatch is what a command to a selection has come to, each part in the order
// in which the runs were started.
type Dispatch struct {
	Told    []Receipt // runs that have the command in their mailbox, on disk
	Refused []Refusal // runs whose state does not allow it
}

// Refusal is a run to which a command was not given.
type Refusal struct {
	Run   string
	State isa88.State // which does not allow the command
}

// CommandAll sends an operator command to every live run of a selection, waiting
// or executing: those that were there when it was called, and have not ended
// before their mailbox was reached. What is told is on disk as one when
// CommandAll returns: after a power cut all of them have been told, or none.
// STOP and ABORT are told to every run, whatever state its script names.
func (e *Engine) CommandAll(_ context.Context, s Selection, c isa88.Command, reason, actor string) (Dispatch, error) {
	if len(reason) > maxReason {
		return Dispatch{}, problem(BadRequest, "the reason has %d bytes, at most %d can be kept", len(reason), maxReason)
	}
	m, err := commandMessage(c, reason, actor)
	if err != nil {
		return Dispatch{}, err
	}
	m.Parse()
	runs, err := e.selected(s)
	if err != nil {
		return Dispatch{}, err
	}
	// While all deliveries are held up none of the runs can end, nor be told anything else,
	// before all have been told. Two calls hold them up in the same order.
	for _, r := range runs {
		r.delivery.Lock()
	}
	defer func() {
		for _, r := range runs {
			r.delivery.Unlock()
		}
	}()
	return e.deliverAll(runs, m)
}

// deliverAll puts a command into the mailboxes of runs. The caller holds up their deliveries.
func (e *Engine) deliverAll(runs []*Run, m message) (Dispatch, error) {
	var (
		out     Dispatch
		told    []*Run
		changes []journal.Change
	)
	now, data := acceptedAt(), m.Encode()
	for _, r := range runs {
		r.mu.Lock()
		switch state := r.state; {
		case r.ended:
		case m.Word == isa88.Stop || m.Word == isa88.Abort || m.Word.Allowed(state):
			number := r.inbox.Number()
			told = append(told, r)
			out.Told = append(out.Told, Receipt{Run: r.head.id, Message: number})
			changes = append(changes, journal.Change{Run: r.num, Inbox: []journal.Message{{Number: number, Time: now, Data: data}}, Essential: true})
		default:
			out.Refused = append(out.Refused, Refusal{Run: r.head.id, State: state})
		}
		r.mu.Unlock()
	}
	if len(told) == 0 {
		return out, nil
	}
	if err := e.journal.Writer().Commit(changes...); err != nil {
		return Dispatch{}, problem(Unavailable, "cannot tell %d runs %s: %v", len(told), m.Word, err)
	}
	for i, r := range told {
		m.Number, m.At = out.Told[i].Message, now
		r.admit(m)
	}
	return out, nil
}

// selected returns the live runs of a selection, in the order of their starts.
func (e *Engine) selected(s Selection) ([]*Run, error) {
	switch {
	case s.All == (s.Workflow != "" || s.Partition != ""):
		return nil, problem(BadRequest, "the runs are selected either by all, or by workflow and partition")
	case s.Partition != "":
		return nil, problem(Refused, "runs cannot be selected by partition: partitions are not available yet")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var runs []*Run
	for _, r := range e.runs {
		if s.All || r.head.workflow == s.Workflow {
			runs = append(runs, r)
		}
	}
	if _, known := e.workflows[s.Workflow]; !s.All && !known && len(runs) == 0 {
		return nil, problem(NotFound, "there is no workflow %s", s.Workflow).hint("holdfast workflows lists them")
	}
	slices.SortFunc(runs, func(a, b *Run) int { return cmp.Compare(a.num, b.num) })
	return runs, nil
}

package control

import (
	"context"
	"errors"
	"math"
	"slices"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/internal/control/wire"
)

func (s *Server) command(ctx context.Context, r *request) (any, error) {
	var in wire.Command
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	c, err := isa88.Parse(string(in.Command))
	if err != nil {
		return nil, badRequest("%v", err)
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	receipt, err := s.cfg.Engine.Command(ctx, id, c, in.Reason, r.actor)
	if err != nil {
		return nil, err
	}
	return wire.Sent{Run: id, Command: c, Accepted: true, Message: receipt.Message}, nil
}

// commandMany gives a command to all live runs of a selection whose state
// allows it. A run that moves on in between is told of, with its error, and
// does not keep the others from being told.
func (s *Server) commandMany(ctx context.Context, r *request) (any, error) {
	var in wire.Commands
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	c, err := isa88.Parse(string(in.Command))
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if in.All == (in.Workflow != "" || in.Partition != "") {
		return nil, badRequest("the runs are selected either by all, or by workflow and partition")
	}
	if in.Workflow != "" && !s.hasWorkflow(in.Workflow) {
		return nil, &wire.Error{Code: wire.NotFound, Message: "there is no workflow " + in.Workflow, Hint: "holdfast workflows lists them"}
	}
	sent := []wire.Sent{}
	for _, status := range []engine.Status{engine.Running, engine.Enqueued} {
		runs, err := s.cfg.Engine.Runs(ctx, engine.Filter{Status: status, Workflow: in.Workflow, Partition: in.Partition, Limit: math.MaxInt32})
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			if !c.Allowed(run.State) {
				continue
			}
			one := wire.Sent{Run: run.ID, Command: c}
			receipt, err := s.cfg.Engine.Command(ctx, run.ID, c, in.Reason, r.actor)
			if err != nil {
				one.Error = tell(err)
			} else {
				one.Accepted, one.Message = true, receipt.Message
			}
			sent = append(sent, one)
		}
	}
	return sent, nil
}

// hasWorkflow reports whether a workflow is registered.
func (s *Server) hasWorkflow(name string) bool {
	return slices.ContainsFunc(s.cfg.Engine.Workflows(), func(w engine.WorkflowInfo) bool { return w.Name == name })
}

// fate waits until it is decided what becomes of a command, for wait_ms at most.
func (s *Server) fate(ctx context.Context, r *request) (any, error) {
	wait, err := r.millis("wait_ms")
	if err != nil {
		return nil, err
	}
	number, err := r.pathNumber("message")
	if err != nil {
		return nil, err
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	ctx, stop := untilStopping(ctx)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	sent := wire.Sent{Run: id, Accepted: true, Message: number}
	fate, err := s.cfg.Engine.Fate(limited, engine.Receipt{Run: id, Message: number})
	switch {
	case err == nil:
		sent.Fate = &fate
		sent.Command = isa88.Command(fate.Command)
	case errors.Is(context.Cause(ctx), errStopping):
		return nil, errStopping
	case limited.Err() == nil || ctx.Err() != nil:
		return nil, err
	}
	return sent, nil
}

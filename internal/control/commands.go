package control

import (
	"context"
	"errors"
	"time"

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

// commandMany gives a command to all live runs of a selection, as one. Those
// whose state does not allow it are told of, with that state.
func (s *Server) commandMany(ctx context.Context, r *request) (any, error) {
	var in wire.Commands
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	c, err := isa88.Parse(string(in.Command))
	if err != nil {
		return nil, badRequest("%v", err)
	}
	d, err := s.cfg.Engine.CommandAll(ctx, engine.Selection{All: in.All, Workflow: in.Workflow, Partition: in.Partition}, c, in.Reason, r.actor)
	if err != nil {
		return nil, err
	}
	sent := make([]wire.Sent, 0, len(d.Told)+len(d.Refused))
	for _, t := range d.Told {
		sent = append(sent, wire.Sent{Run: t.Run, Command: c, Accepted: true, Message: t.Message})
	}
	for _, n := range d.Refused {
		why := "not allowed in " + string(n.State)
		sent = append(sent, wire.Sent{Run: n.Run, Command: c, Fate: &engine.Fate{Command: string(c), Fate: why, State: n.State},
			Error: &wire.Error{Code: wire.Refused, Message: why}})
	}
	return sent, nil
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
	default:
		sent.Outlook = s.cfg.Engine.Outlook(id)
	}
	return sent, nil
}

// fates waits until it is decided what becomes of many commands, for wait_ms at most.
func (s *Server) fates(ctx context.Context, r *request) (any, error) {
	var in wire.Fates
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.WaitMS < 0 || in.WaitMS > mostWait.Milliseconds() {
		return nil, badRequest("wait_ms is %d, not a whole number from 0 to %d", in.WaitMS, mostWait.Milliseconds())
	}
	ctx, stop := untilStopping(ctx)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, time.Duration(in.WaitMS)*time.Millisecond)
	defer cancel()
	fates, err := s.cfg.Engine.Fates(limited, in.Messages)
	switch {
	case errors.Is(context.Cause(ctx), errStopping):
		return nil, errStopping
	case err != nil:
		return nil, err
	}
	all := make([]wire.Sent, len(fates))
	for i, m := range in.Messages {
		all[i] = wire.Sent{Run: m.Run, Accepted: true, Message: m.Message, Fate: fates[i]}
		if fates[i] == nil {
			all[i].Outlook = s.cfg.Engine.Outlook(m.Run)
		} else {
			all[i].Command = isa88.Command(fates[i].Command)
		}
	}
	return all, nil
}

// commands lists every command that a run was sent.
func (s *Server) commands(ctx context.Context, r *request) (any, error) {
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return answerOf(s.cfg.Engine.Commands(ctx, id))
}

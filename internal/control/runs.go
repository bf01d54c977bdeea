package control

import (
	"context"
	"math"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/control/wire"
)

func (s *Server) start(ctx context.Context, r *request) (any, error) {
	var in wire.Start
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.TimeoutMS < 0 || in.TimeoutMS > math.MaxInt64/int64(time.Millisecond) {
		return nil, badRequest("timeout_ms is %d, not a time that can be kept", in.TimeoutMS)
	}
	given := value.Raw(in.Inputs)
	inputs, err := value.Decode(given)
	if err != nil {
		return nil, badRequest("the inputs cannot be read: %v", err)
	}
	if inputs == nil {
		if given, err = value.Encode(&value.Map{}); err != nil {
			return nil, err
		}
	} else if _, ok := inputs.(*value.Map); !ok {
		return nil, badRequest("the inputs are not a JSON object")
	}
	return answerOf(s.cfg.Engine.Start(ctx, engine.StartRequest{
		Workflow: in.Workflow, Inputs: given, ID: in.ID, DedupID: in.DedupID,
		Timeout: time.Duration(in.TimeoutMS) * time.Millisecond,
		Queue:   in.Queue, Partition: in.Partition, Priority: in.Priority,
	}))
}

// answerOf returns an answer as a handler does.
func answerOf[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// find returns the id of the request's run.
func (s *Server) find(r *request) (string, error) {
	return s.cfg.Engine.Find(r.http.Context(), r.http.PathValue("run"))
}

func (s *Server) runs(ctx context.Context, r *request) (any, error) {
	f := engine.Filter{
		Status: engine.Status(r.query.Get("status")), Workflow: r.query.Get("workflow"), Partition: r.query.Get("partition"),
	}
	switch f.Status {
	case "", engine.Enqueued, engine.Running, engine.Success, engine.Error, engine.Cancelled:
	default:
		return nil, badRequest("status is %q, allowed are ENQUEUED, RUNNING, SUCCESS, ERROR, CANCELLED", f.Status)
	}
	limit, err := r.number("limit", math.MaxInt32)
	if err != nil {
		return nil, err
	}
	f.Limit = int(limit)
	if f.Since, err = r.moment("since"); err != nil {
		return nil, err
	}
	runs, err := s.cfg.Engine.Runs(ctx, f)
	if err != nil {
		return nil, err
	}
	for i := range runs {
		tidy(&runs[i])
	}
	return array(runs), nil
}

func (s *Server) show(ctx context.Context, r *request) (any, error) {
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	info, err := s.cfg.Engine.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	tidy(&info)
	return info, nil
}

// tidy makes a run's JSON what the contract says: an object of events, times in UTC.
func tidy(i *engine.RunInfo) {
	if i.Events == nil {
		i.Events = map[string]value.Raw{}
	}
	i.CreatedAt = i.CreatedAt.UTC()
	for _, t := range []**time.Time{&i.StartedAt, &i.CompletedAt, &i.Deadline} {
		if *t != nil {
			utc := (*t).UTC()
			*t = &utc
		}
	}
}

func (s *Server) send(ctx context.Context, r *request) (any, error) {
	var in wire.Message
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return answerOf(s.cfg.Engine.Send(ctx, id, engine.Message{Topic: in.Topic, Body: value.Raw(in.Body), UUID: in.UUID, Actor: r.actor}))
}

func (s *Server) cancel(ctx context.Context, r *request) (any, error) {
	var in wire.Cancel
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return answerOf(wire.Done{Run: id}, s.cfg.Engine.Cancel(ctx, id, in.Reason, r.actor))
}

func (s *Server) resolve(ctx context.Context, r *request) (any, error) {
	var in wire.Resolve
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	switch in.Decision {
	case "done", "retry", "fail":
	default:
		return nil, badRequest("the decision is %q, allowed are done, retry, fail", in.Decision)
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return answerOf(wire.Done{Run: id}, s.cfg.Engine.Resolve(ctx, id, engine.Answer{Decision: in.Decision, Value: value.Raw(in.Value), Actor: r.actor}))
}

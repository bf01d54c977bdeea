package control

import (
	"context"

	"holdfast/internal/control/wire"
)

// alarms lists what needs a human.
func (s *Server) alarms(context.Context, *request) (any, error) {
	return array(s.cfg.Engine.Alarms()), nil
}

// ack says that somebody knows of an alarm.
func (s *Server) ack(ctx context.Context, r *request) (any, error) {
	var in wire.Ack
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	return s.cfg.Engine.Acknowledge(ctx, in.Alarm, r.actor)
}

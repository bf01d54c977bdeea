package control

import (
	"context"

	"holdfast/internal/control/wire"
)

// obligations lists what is owed of safe states.
func (s *Server) obligations(context.Context, *request) (any, error) {
	return array(s.cfg.Engine.Obligations()), nil
}

// waive gives up what is owed.
func (s *Server) waive(ctx context.Context, r *request) (any, error) {
	var in wire.Waive
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if err := s.cfg.Engine.Waive(ctx, in.Obligation, in.Reason, r.actor); err != nil {
		return nil, err
	}
	return in, nil
}

package control

import (
	"context"
	"time"

	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
)

func (s *Server) status(context.Context, *request) (any, error) {
	st := wire.Status{
		Version: s.cfg.Version, State: wire.StateRunning, StartedAt: s.cfg.StartedAt.UTC(),
		UptimeMS: time.Since(s.cfg.StartedAt).Milliseconds(), Socket: s.cfg.SocketPath,
		Connections: []wire.Link{},
	}
	if s.ready() {
		st.Engine = s.cfg.Engine.Health()
	} else {
		st.State = wire.StateRecovering
	}
	for _, l := range s.cfg.Links.Links() {
		w := wire.Link{
			Name: l.Name, Driver: l.Driver, State: l.State.String(), Since: l.Since.UTC(), LastError: l.LastError,
			Requests: l.Requests, Errors: l.Errors, Samples: l.Samples, Reconnects: l.Reconnects, Overruns: l.Overruns,
		}
		if !l.LastData.IsZero() {
			at := l.LastData.UTC()
			w.LastData = &at
		}
		st.Connections = append(st.Connections, w)
	}
	st.Tags = count(s.cfg.Tags.Snapshot())
	return st, nil
}

func count(samples []tag.Sample) (c wire.TagCount) {
	for _, s := range samples {
		switch {
		case s.Status.IsGood():
			c.Good++
		case s.Status.IsUncertain():
			c.Uncertain++
		default:
			c.Bad++
		}
	}
	return c
}

func (s *Server) workflows(context.Context, *request) (any, error) {
	return array(s.cfg.Engine.Workflows()), nil
}

// array makes an empty JSON array of nothing.
func array[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

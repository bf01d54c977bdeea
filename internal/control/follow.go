package control

import (
	"context"
	"math"
	"time"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

func (s *Server) logRequest(r *request) (id string, after uint32, err error) {
	n, err := r.number("after", math.MaxUint32)
	if err != nil {
		return "", 0, err
	}
	id, err = s.find(r)
	return id, uint32(n), err
}

// logFollow streams the log of a run until the run has ended.
func (s *Server) logFollow(_ context.Context, r *request) (any, error) {
	id, after, err := s.logRequest(r)
	if err != nil {
		return nil, err
	}
	f := &follower{engine: s.cfg.Engine, id: id, name: r.query.Get("stream"), after: after}
	return stream(func(ctx context.Context, emit func(wire.Line) error) error {
		return f.follow(ctx, func(ctx context.Context) error {
			if err := f.commands.read(ctx, s.cfg.Engine, id); err != nil {
				return err
			}
			err := f.entries(ctx, func(l wire.Line) error {
				if err := f.commands.tell(emit, l.Entry.Time); err != nil {
					return err
				}
				return emit(l)
			})
			if err != nil {
				return err
			}
			return f.commands.tell(emit, time.Time{})
		})
	}), nil
}

// runFollow streams the log of a run and, whenever its status, its state or its
// question to the operator changes, the run; the last line is the run that has ended.
func (s *Server) runFollow(_ context.Context, r *request) (any, error) {
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	f := &follower{engine: s.cfg.Engine, id: id, name: logStream}
	return stream(func(ctx context.Context, emit func(wire.Line) error) error {
		var last engine.RunInfo
		return f.follow(ctx, func(ctx context.Context) error {
			// The run first: what its end has logged is then in the log that is read.
			info, err := s.cfg.Engine.Show(ctx, id)
			if err != nil {
				return err
			}
			if err := f.entries(ctx, emit); err != nil {
				return err
			}
			same := info.Status == last.Status && info.State == last.State && (info.InDoubt == nil) == (last.InDoubt == nil) && sameWord(info.Held, last.Held)
			last = info
			if same {
				return nil
			}
			tidy(&info)
			return emit(wire.Line{Run: &info})
		})
	}), nil
}

// sameWord reports whether two words are one.
func sameWord(a, b *engine.Word) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Command == b.Command && a.Actor == b.Actor && a.Reason == b.Reason && a.At.Equal(b.At)
}

// logStream is the stream that rt.progress writes to.
const logStream = "log"

// follower looks at a run each time that it has changed.
type follower struct {
	engine Follower
	id     string
	name   string // of the log's stream
	after  uint32

	commands followedCommands // told in a log, in their place
}

// follow calls look now, after each change, and once after the run has ended. It
// rests where the run changes all the time, but not beyond its end.
func (f *follower) follow(ctx context.Context, look func(context.Context) error) error {
	var p pace
	for version := uint64(0); ; {
		now, ended, err := f.engine.Await(ctx, f.id, version)
		if err != nil {
			return err
		}
		if err := look(ctx); err != nil || ended {
			return err
		}
		version = now
		if err := f.rest(ctx, p.next(time.Now())); err != nil {
			return err
		}
	}
}

// rest waits for d, or until the run has ended.
func (f *follower) rest(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	resting, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if err := f.engine.AwaitEnd(resting, f.id); err != nil && resting.Err() == nil {
		return err
	}
	return ctx.Err()
}

// entries emits what is new in the log.
func (f *follower) entries(ctx context.Context, emit func(wire.Line) error) error {
	var gone error
	err := f.engine.EachLogEntry(ctx, f.id, f.name, f.after, func(l engine.LogEntry) bool {
		l.Time = l.Time.UTC()
		if gone = emit(wire.Line{Entry: &l}); gone != nil {
			return false
		}
		f.after = l.Seq
		return true
	})
	if gone != nil {
		return gone
	}
	return err
}

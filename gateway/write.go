package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"holdfast/gateway/tag"
)

// writeRequest asks a link to write one tag.
type writeRequest struct {
	tag       *entry
	value     tag.Value // in engineering units
	raw       tag.Value // as the device takes it
	called    time.Time // when Write was called
	session   *session
	withdrawn func() error // why the caller does not want it any more; nil: it does
	reply     chan writeReply
}

// writeReply always comes once the link took the request.
type writeReply struct {
	outcome tag.Outcome
	err     error // where nothing was sent because a guard, or the caller, said no
	again   bool  // nothing was sent: an interlock of another link has to be read again first
}

// Write sends v, in engineering units, to the tag's device, if the tag's type
// and guards permit it at the moment of sending. It never retries, and it never
// waits for a link that was lost. Once the write is on the wire it waits for the
// outcome even if ctx ends, for as long as the driver's request timeout.
//
// The error says that nothing was sent: a *tag.Refusal, or ctx's. All else is
// an Outcome. What has been written, or may have been, makes the image's sample
// of the tag out of date: the next Read asks the device.
func (g *Gateway) Write(ctx context.Context, p tag.Path, v tag.Value) (tag.Outcome, error) {
	begin := time.Now()
	before := tag.None()
	out, err := func() (tag.Outcome, error) {
		e, err := g.find(p)
		if err != nil {
			return tag.Outcome{}, err
		}
		before = g.last(e)
		return g.write(ctx, e, v, begin)
	}()
	g.audit(ctx, p, before, v, out, err, time.Since(begin))
	return out, err
}

// last returns the value that the image has of the tag; None if it has none,
// or one from before another write.
func (g *Gateway) last(e *entry) tag.Value {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.cells[e.number]
	if c.dirty {
		return tag.None()
	}
	return c.exact
}

// audit leaves one line per attempt.
func (g *Gateway) audit(ctx context.Context, p tag.Path, before, v tag.Value, out tag.Outcome, err error, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("tag", string(p))}
	if !before.IsNone() {
		attrs = append(attrs, slog.String("before", before.String()))
	}
	attrs = append(attrs, slog.String("value", v.String()))
	var refusal *tag.Refusal
	switch {
	case err == nil:
		attrs = append(attrs, slog.String("outcome", out.Result.String()), slog.String("status", out.Status.String()))
		if out.Detail != "" {
			attrs = append(attrs, slog.String("detail", out.Detail))
		}
		if out.Result != tag.Accepted {
			level = slog.LevelWarn
		}
	case errors.As(err, &refusal):
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("outcome", "refused"), slog.String("detail", refusal.Message))
	default:
		attrs = append(attrs, slog.String("outcome", "withdrawn"), slog.String("detail", err.Error()))
	}
	g.log.LogAttrs(context.WithoutCancel(ctx), level, "tag write", append(attrs, slog.Duration("latency", took))...)
}

// attempts is how often an interlock of another link is read before a write
// gives up because the sample is too old whenever its turn comes.
const attempts = 3

func (g *Gateway) write(ctx context.Context, e *entry, v tag.Value, called time.Time) (tag.Outcome, error) {
	raw, err := e.admit(v)
	if err != nil {
		return tag.Outcome{}, err
	}
	if err := ctx.Err(); err != nil {
		return tag.Outcome{}, err
	}
	for n := 1; ; n++ {
		s, code, err := e.link.wait(ctx)
		if err != nil {
			return tag.Outcome{}, err
		}
		if s == nil {
			return tag.Outcome{Result: tag.Rejected, Status: code, Detail: fmt.Sprintf("connection %s is not up, nothing was sent", e.Connection)}, nil
		}
		if err := g.readLocks(ctx, e, called); err != nil {
			return tag.Outcome{}, err
		}
		r := &writeRequest{tag: e, value: v, raw: raw, called: called, session: s, withdrawn: ctx.Err, reply: make(chan writeReply, 1)}
		select {
		case e.link.writes <- r:
		case <-s.lost:
			return tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: fmt.Sprintf("connection %s was lost before the write was sent", e.Connection)}, nil
		case <-ctx.Done():
			return tag.Outcome{}, ctx.Err()
		}
		reply := <-r.reply
		if !reply.again || n == attempts {
			return reply.outcome, reply.err
		}
	}
}

// readLocks makes the image young enough for the interlocks of other links.
// The caller's goroutine does it: a link never waits for another.
func (g *Gateway) readLocks(ctx context.Context, e *entry, called time.Time) error {
	for _, k := range e.locks {
		if k.tag.link == e.link {
			continue
		}
		if _, err := g.Read(ctx, k.Tag, k.notBefore(called)); err != nil {
			return err
		}
	}
	return nil
}

// write serves one write. The error says that the link is lost.
func (l *link) write(ctx, wire context.Context, s *session, r *writeRequest) error {
	if r.session != s {
		r.reply <- writeReply{outcome: tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: "the link was lost before the write was sent"}}
		return nil
	}
	reply, err := l.guard(ctx, s, r)
	if reply == nil && r.withdrawn() != nil {
		reply = &writeReply{err: r.withdrawn()}
	}
	if reply == nil && ctx.Err() != nil {
		reply = &writeReply{outcome: tag.Outcome{Result: tag.Rejected, Status: tag.BadShutdown, Detail: "the gateway stops, nothing was sent"}}
	}
	if reply == nil {
		reply = &writeReply{}
		reply.outcome, err = l.send(wire, r)
	}
	r.reply <- *reply
	return err
}

// sendTimeout bounds a driver that does not keep its own request timeout.
const sendTimeout = time.Minute

// send puts the write on the wire. The error says that the link is lost.
func (l *link) send(wire context.Context, r *writeRequest) (tag.Outcome, error) {
	ctx, cancel := context.WithTimeout(wire, sendTimeout)
	defer cancel()
	outs, err := l.conn.Driver.Write(ctx, []tag.Write{{Item: r.tag.Item, Value: r.raw}})
	if err != nil {
		err = fmt.Errorf("cannot write %s: %w", r.tag.Path, err)
		l.asked(err)
		return tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: err.Error()}, err
	}
	out := tag.Outcome{Result: tag.Unknown, Status: tag.BadInternalError}
	if len(outs) == 1 {
		out = outs[0]
	} else {
		out.Detail = fmt.Sprintf("the driver returned %d outcomes for one write", len(outs))
	}
	l.sent[r.tag.Item.Handle] = time.Now()
	if out.Result == tag.Unknown {
		err = fmt.Errorf("no answer to the write of %s: %s", r.tag.Path, out.Status)
	}
	l.asked(err)
	if out.Result != tag.Rejected {
		l.g.mu.Lock()
		c := &l.g.cells[r.tag.number]
		c.dirty, c.wrote = true, time.Now()
		l.g.mu.Unlock()
	}
	return out, err
}

// maxWrites is how many writes are served before the readers and the scans have their turn.
const maxWrites = 32

// requests serves the writes and reads that wait. It reports whether there were any.
func (l *link) requests(ctx, wire context.Context, s *session) (busy bool, err error) {
writes:
	for range maxWrites {
		select {
		case w := <-l.writes:
			busy = true
			if err := l.write(ctx, wire, s, w); err != nil {
				return busy, err
			}
		default:
			break writes
		}
	}
	select {
	case r := <-l.reads:
		return true, l.answer(ctx, s, r)
	default:
		return busy, nil
	}
}

package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// question is a step without effect, of any name, that waits and then answers
// with what answer returns at its call.
type question struct {
	name   string
	wait   time.Duration
	answer func() (any, error)
}

func (q question) Name() string         { return q.name }
func (question) Params() []engine.Param { return nil }
func (q question) Run(ctx context.Context, a engine.Args) (any, error) {
	select {
	case <-time.After(q.wait):
		return q.answer()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// line is what tags.read returns.
func line(v any, at time.Time) *value.Map {
	return value.NewMap("value", v, "quality", "Good", "timestamp", at.UTC().Format(time.RFC3339Nano))
}

// polling is a workflow that looks at two tags each second, n times, as long as
// they say what one and two return; with takes it asks for commands too.
func polling(n int, takes bool, one, two func() (any, error)) engine.Workflow {
	nap := question{"sleep.sleep_chunked", time.Second, func() (any, error) {
		return value.NewMap("slept_ms", int64(1000), "chunks", int64(4), "chunk_ms", int64(250)), nil
	}}
	return engine.Workflow{Name: "polling", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		sum := 0
		for range n {
			for _, c := range []engine.Call{
				{Step: nap, Args: args("total_ms", int64(1000), "chunk_ms", int64(250))},
				{Step: question{"tags.read", 0, one}, Args: args("path", "hall2.line4.tank1.level")},
				{Step: question{"tags.read", 0, two}, Args: args("path", "hall2.line4.tank1.temperature")},
			} {
				out, err := r.Step(c)
				if err != nil && engine.IsFatal(err) {
					return nil, err
				}
				sum += len(out)
			}
			if takes {
				if _, err := r.RecvCommand("RUNNING", "cmd", 0, 10); err != nil {
					return nil, err
				}
			}
		}
		return int64(sum), nil
	})}
}

// A loop of a wait and of reads costs a few bytes a record, beside what the
// reads have to say that is new.
func TestRecordBytes(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	still := func() (any, error) { return line(20.5, at), nil }
	moving := func() (any, error) {
		n := count.Add(1)
		return line(float64(n), at.Add(time.Duration(n)*time.Second)), nil
	}
	down := func() (any, error) {
		return nil, engine.Errorf("NotConnected", "the link hall2 has no connection: dial tcp 10.1.2.3:502: no route to host")
	}
	for _, c := range []struct {
		name     string
		takes    bool
		one, two func() (any, error)
		most     int
	}{
		{"equal", false, still, still, 7},
		{"equal and commands", true, still, still, 6},
		{"one changes", false, still, moving, 32},
		{"both change", false, moving, moving, 56},
		{"one fails", false, still, down, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const rounds = 500
				b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, polling(rounds, c.takes, c.one, c.two))
				defer b.shutdown()
				id := b.start(engine.StartRequest{Workflow: "polling"})
				longResult(b, id)
				data, n := 0, 0
				for _, rec := range b.record(id).Records {
					data += len(rec.Data)
					n++
				}
				s := b.j.Stats()
				t.Logf("%d records, of each %d bytes of data, %d of keys and values, %d of log", n, data/n, s.ValueBytes/int64(n), s.LogWritten/int64(n))
				if data/n > c.most {
					t.Errorf("%d bytes of data a record, at most %d are wanted", data/n, c.most)
				}
			})
		})
	}
}

package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// noop is a step that does nothing, as an effect or as a question.
type noop struct{ effect bool }

func (noop) Name() string                { return "bench.noop" }
func (noop) Params() []engine.Param      { return []engine.Param{{Name: "n"}} }
func (s noop) Effect(a engine.Args) bool { return s.effect }

func (noop) Run(ctx context.Context, a engine.Args) (any, error) { return a.Value("n"), nil }

// steps is a workflow of n steps with different arguments.
func steps(s engine.Step, n int) engine.Workflow {
	return engine.Workflow{Name: "steps", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		var room [64]byte
		for i := range n {
			raw := value.AppendHead(room[:0], value.MajorMap, 1)
			raw = value.AppendInt(value.AppendString(raw, "n"), int64(i))
			if _, err := r.Step(engine.Call{Step: s, Args: raw}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})}
}

// BenchmarkSteps measures b.N steps of a journal on disk, in one run and
// divided over 64: each step with its intent and outcome, or its outcome only.
func BenchmarkSteps(b *testing.B) {
	for _, kind := range []string{"effect", "free"} {
		for _, runs := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/runs=%d", kind, runs), func(b *testing.B) {
				each := (b.N + runs - 1) / runs
				x := boot(b, b.TempDir(), engine.Config{}, journal.Options{}, steps(noop{kind == "effect"}, each))
				defer x.shutdown()
				b.ReportAllocs()
				b.ResetTimer()
				ids := make([]string, runs)
				for i := range ids {
					ids[i] = x.start(engine.StartRequest{Workflow: "steps"})
				}
				for _, id := range ids {
					waitEnd(b, x, id)
				}
				b.StopTimer()
				b.ReportMetric(float64(each*runs)/b.Elapsed().Seconds(), "steps/s")
			})
		}
	}
}

// BenchmarkCommit is the rate of bare commits that a chain of effects is bound by.
func BenchmarkCommit(b *testing.B) {
	j, err := journal.Open(b.TempDir(), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	w, data := j.Writer(), make([]byte, 40)
	b.ResetTimer()
	for i := range b.N {
		if err := w.Commit(journal.Change{Run: 1, Records: []journal.Record{{Seq: uint32(i), Kind: 1, Data: data}, {Seq: uint32(i), Kind: 2, Data: data}}}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

func waitEnd(b *testing.B, x *box, id string) {
	var version uint64
	for {
		now, ended, err := x.e.Await(b.Context(), id, version)
		if err != nil {
			b.Fatal(err)
		}
		if ended {
			return
		}
		version = now
	}
}

// BenchmarkReplay10000 measures from Recover to a program that has replayed
// 10,000 recorded steps.
func BenchmarkReplay10000(b *testing.B) {
	for _, kind := range []string{"effect", "free"} {
		b.Run(kind, func(b *testing.B) {
			dir, replayed := b.TempDir(), make(chan struct{}, 1)
			wf := steps(noop{kind == "effect"}, 10_000)
			inner := wf.Program
			wf.Program = program(func(ctx context.Context, r *engine.Run) (any, error) {
				if res, err := inner.Run(ctx, r); err != nil {
					return res, err
				}
				replayed <- struct{}{}
				return r.Recv("go", 1<<50)
			})
			x := boot(b, dir, engine.Config{}, journal.Options{}, wf)
			x.start(engine.StartRequest{Workflow: "steps"})
			<-replayed
			x.shutdown()
			var total time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				j, err := journal.Open(dir, journal.Options{})
				if err != nil {
					b.Fatal(err)
				}
				e, err := engine.New(engine.Config{}, j)
				if err == nil {
					err = e.Register(wf)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				began := time.Now()
				if _, err := e.Recover(b.Context()); err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(b.Context())
				over := make(chan error, 1)
				go func() { over <- e.Run(ctx) }()
				<-replayed
				total += time.Since(began)
				b.StopTimer()
				stop()
				if err := <-over; err != nil {
					b.Fatal(err)
				}
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "ms/replay")
		})
	}
}

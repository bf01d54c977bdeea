package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// quick is a workflow that ends at once.
func quick() engine.Workflow {
	return engine.Workflow{Name: "quick", Program: program(func(ctx context.Context, r *engine.Run) (any, error) { return "done", nil })}
}

// blocking is a workflow that executes until its gate opens, and takes no command meanwhile.
func blocking(gate <-chan struct{}) engine.Workflow {
	return engine.Workflow{Name: "blocking", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return nil, r.CheckCancelled()
	})}
}

// Runs that are held have no use for a worker: with as many of them as there are
// workers, others start; and they go on when they are told.
func TestHeldRunsGiveTheirWorkerBack(t *testing.T) {
	t.Parallel()
	const workers = 2
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{Workers: workers}, journal.Options{}, waiter(), quick())
	var held []string
	for range workers + 1 {
		id := b.start(engine.StartRequest{Workflow: "waiter"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		if f := b.fate(b.command(id, isa88.Hold)); f != "taken" {
			t.Fatalf("HOLD is %s", f)
		}
		b.await(id, func(i engine.RunInfo) bool { return i.State == isa88.Held })
		held = append(held, id)
	}
	if got := b.result(b.start(engine.StartRequest{Workflow: "quick"})); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{Workers: workers}, journal.Options{}, waiter(), quick())
	defer b.shutdown()
	for _, id := range held {
		b.await(id, func(i engine.RunInfo) bool { return i.State == isa88.Held && i.Status == engine.Running })
	}
	if got := b.result(b.start(engine.StartRequest{Workflow: "quick"})); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
	for _, id := range held {
		if f := b.fate(b.command(id, isa88.Resume)); f != "taken" {
			t.Errorf("RESUME is %s", f)
		}
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
			t.Error(err)
		}
		if got := b.result(id); got.Status != engine.Success {
			t.Errorf("run is %+v", got)
		}
	}
}

// longWait is a step that waits an hour.
type longWait struct{}

func (longWait) Name() string                    { return "test.long_wait" }
func (longWait) Params() []engine.Param          { return nil }
func (longWait) Waits(engine.Args) time.Duration { return time.Hour }

func (longWait) Run(ctx context.Context, a engine.Args) (any, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// A run that waits long, for a message or in a step, gives its worker back. When
// what it waits for comes it goes on at once, though all workers are taken.
func TestParkedRunsGiveTheirWorkerBack(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	parked := engine.Workflow{Name: "parked", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Recv("go", time.Hour)
	})}
	asleep := engine.Workflow{Name: "asleep", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Step: longWait{}, Args: args()})
	})}
	b := boot(t, t.TempDir(), engine.Config{Workers: 3}, journal.Options{}, parked, asleep, quick(), blocking(gate))
	defer b.shutdown()
	var ids []string
	for n := range 100 {
		name, step := "parked", "rt.recv"
		if n%2 == 1 {
			name, step = "asleep", "test.long_wait"
		}
		id := b.start(engine.StartRequest{Workflow: name, ID: fmt.Sprintf("%s-%d", name, n)})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == step })
		ids = append(ids, id)
	}
	if got := b.result(b.start(engine.StartRequest{Workflow: "quick"})); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
	for range 3 { // all workers are taken
		id := b.start(engine.StartRequest{Workflow: "blocking"})
		b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	}
	waits := b.start(engine.StartRequest{Workflow: "quick"})
	for n, id := range ids {
		if n%2 == 1 {
			if err := b.e.Cancel(t.Context(), id, "", "eva"); err != nil {
				t.Error(err)
			}
			b.result(id)
			continue
		}
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: value.AppendString(nil, "on")}); err != nil {
			t.Error(err)
		}
		if got := b.result(id); got.Status != engine.Success {
			t.Errorf("run is %+v", got)
		}
	}
	if i, err := b.e.Show(t.Context(), waits); err != nil || i.Status != engine.Enqueued {
		t.Errorf("with all workers taken, a new run is %+v, %v", i, err)
	}
	close(gate)
	if got := b.result(waits); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
}

// Runs in doubt, and runs that cannot be replayed, wait for a person and not on a worker.
func TestRunsThatAskGiveTheirWorkerBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	different := func(life int) engine.Workflow {
		return engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			if err := r.SetEvent("life", int64(life)); err != nil {
				return nil, err
			}
			return r.Recv("go", time.Hour)
		})}
	}
	b := boot(t, dir, engine.Config{Workers: 2}, journal.Options{}, different(1), quick())
	var ids []string
	for range 3 {
		id := b.start(engine.StartRequest{Workflow: "w"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		ids = append(ids, id)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{Workers: 2}, journal.Options{}, different(2), quick())
	defer b.shutdown()
	for _, id := range ids {
		b.await(id, func(i engine.RunInfo) bool { return i.Error != nil && i.Error.Type == "NonDeterminism" })
	}
	if got := b.result(b.start(engine.StartRequest{Workflow: "quick"})); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
}

package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// With one worker, taken by a run that executes, the others wait; those that
// wait can be held, stopped, aborted and cancelled all the same.
func TestCommandsWhileEnqueued(t *testing.T) {
	t.Parallel()
	for _, mode := range []engine.CommandMode{engine.ByEngine, engine.ByScript} {
		wf := waiter()
		wf.Commands = mode
		gate := make(chan struct{})
		b := boot(t, t.TempDir(), engine.Config{Workers: 1}, journal.Options{}, wf, blocking(gate))
		first := b.start(engine.StartRequest{Workflow: "blocking"})
		b.await(first, func(i engine.RunInfo) bool { return i.Status == engine.Running })
		var ids []string
		for range 4 {
			ids = append(ids, b.start(engine.StartRequest{Workflow: "waiter"}))
		}
		if h := b.e.Health(); h.Enqueued != 4 || h.Running != 1 || h.Held != 0 || h.InDoubt != 0 || h.JournalError != "" {
			t.Errorf("health is %+v", h)
		}
		if f := b.fate(b.command(ids[0], isa88.Stop)); f != "taken" {
			t.Errorf("STOP is %s", f)
		}
		if f := b.fate(b.command(ids[1], isa88.Abort)); f != "taken" {
			t.Errorf("ABORT is %s", f)
		}
		if err := b.e.Cancel(t.Context(), ids[2], "", "eva"); err != nil {
			t.Error(err)
		}
		for i, want := range []isa88.State{isa88.Stopped, isa88.Aborted, isa88.Aborted} {
			if got := b.result(ids[i]); got.State != want || got.Status != engine.Cancelled || got.StartedAt != nil {
				t.Errorf("run %d is %+v", i, got)
			}
		}
		if f := b.fate(b.command(ids[3], isa88.Resume)); f != "not allowed in STARTING" {
			t.Errorf("RESUME is %s", f)
		}
		if f := b.fate(b.command(ids[3], isa88.Hold)); f != "taken" {
			t.Errorf("HOLD is %s", f)
		}
		close(gate)
		b.result(first)
		if i := b.await(ids[3], func(i engine.RunInfo) bool { return i.Status == engine.Running }); i.State != isa88.Held {
			t.Errorf("run is %+v", i)
		}
		if f := b.fate(b.command(ids[3], isa88.Resume)); f != "taken" {
			t.Errorf("RESUME is %s", f)
		}
		if _, err := b.e.Send(t.Context(), ids[3], engine.Message{Topic: "go"}); err != nil {
			t.Error(err)
		}
		if got := b.result(ids[3]); got.Status != engine.Success {
			t.Errorf("run is %+v", got)
		}
		b.shutdown()
	}
}

// Many runs share few workers, over restarts, and all end.
func TestFewWorkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var devices sync.Map // one for each run
	wf := engine.Workflow{Name: "chain", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		d, _ := devices.LoadOrStore(r.ID(), &device{})
		for i := int64(1); i <= 3; i++ {
			if err := write(r, d.(*device), i); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})}
	b := boot(t, dir, engine.Config{Workers: 2}, journal.Options{}, wf)
	var ids []string
	for range 40 {
		ids = append(ids, b.start(engine.StartRequest{Workflow: "chain"}))
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{Workers: 1}, journal.Options{}, wf)
	defer b.shutdown()
	for _, id := range ids {
		if got := b.result(id); got.Status != engine.Success {
			t.Errorf("run is %+v", got)
		}
		if d, _ := devices.Load(id); !slices.Equal(d.(*device).written(), []int64{1, 2, 3}) {
			t.Errorf("run %s wrote %v", id, d.(*device).written())
		}
	}
}

// Await misses no change, not even the first.
func TestAwaitSeesTheFirstChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		block := engine.Workflow{Name: "block", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			<-gate
			return nil, nil
		})}
		b := boot(t, t.TempDir(), engine.Config{Workers: 1}, journal.Options{}, block)
		defer b.shutdown()
		first := b.start(engine.StartRequest{Workflow: "block"})
		b.await(first, func(i engine.RunInfo) bool { return i.Status == engine.Running })
		second := b.start(engine.StartRequest{Workflow: "block"})
		v, ended, err := b.e.Await(t.Context(), second, 0)
		if err != nil || ended {
			t.Fatalf("got %v, %v", ended, err)
		}
		gate <- struct{}{} // the first ends, the second begins: one change
		if _, ended, err = b.e.Await(t.Context(), second, v); err != nil || ended {
			t.Errorf("got %v, %v", ended, err)
		}
		close(gate)
		longResult(b, second)
	})
}

// Starts of one id, or of one dedup id, at the same time make one run.
func TestStartsAtOnce(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter())
	defer b.shutdown()
	for _, q := range []engine.StartRequest{{ID: "one"}, {DedupID: "same"}, {ID: "dedup:same", DedupID: "other"}} {
		q.Workflow = "waiter"
		var mu sync.Mutex
		var wg sync.WaitGroup
		made, ids := 0, map[string]bool{}
		for range 16 {
			wg.Go(func() {
				s, err := b.e.Start(t.Context(), q)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[s.ID] = true
				if !s.Deduplicated {
					made++
				}
			})
		}
		wg.Wait()
		if made != 1 || len(ids) != 1 {
			t.Errorf("%+v: %d runs made, ids %v", q, made, ids)
		}
	}
}

// Ids grow with each start, even if the clock has been set back between two lives.
func TestIDsGrow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{}, waiter())
	last := ""
	start := func(b *box) {
		for range 50 {
			id := b.start(engine.StartRequest{Workflow: "waiter"})
			if id <= last {
				t.Errorf("%s behind %s", id, last)
			}
			last = id
			b.command(id, isa88.Abort)
		}
	}
	start(b)
	b.shutdown()
	synctest.Test(t, func(t *testing.T) { // where the year is 2000
		b := boot(t, dir, engine.Config{}, journal.Options{}, waiter())
		defer b.shutdown()
		start(b)
	})
}

// An ended run is let go: neither the engine's context nor a deadline's timer keeps it.
func TestEndedRunsAreLetGo(t *testing.T) {
	// The journal's buffers for a move, of the order of what is measured here, are not made meanwhile.
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{MoveWithin: time.Hour}, engine.Workflow{Name: "w", AnyInput: true,
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) { return nil, nil })})
	defer b.shutdown()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	const n, size = 200, 100_000
	for i := range n {
		id := b.start(engine.StartRequest{Workflow: "w", Timeout: time.Hour, Inputs: args("i", i, "bulk", string(make([]byte, size)))})
		b.result(id)
	}
	if grown := heap() - before; grown > n*size/2 {
		t.Errorf("%d ended runs keep %s", n, fmt.Sprint(grown/1000, " kB"))
	}
}

// AwaitEnd waits through all changes for the end, and no longer than its context.
func TestAwaitEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter())
		defer b.shutdown()
		id := b.start(engine.StartRequest{Workflow: "waiter"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		if err := b.e.AwaitEnd(ctx, id); err != context.DeadlineExceeded || time.Since(begun) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		ended := make(chan error, 1)
		go func() { ended <- b.e.AwaitEnd(t.Context(), id) }()
		b.fate(b.command(id, isa88.Hold))
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("it returned %v when the run was held", err)
		default:
		}
		b.command(id, isa88.Stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := b.result(id); got.State != isa88.Stopped {
			t.Errorf("the run had not ended: %+v", got)
		}
		for _, id := range []string{id, "none"} {
			if err := b.e.AwaitEnd(t.Context(), id); err != nil {
				t.Errorf("run %s is not live: %v", id, err)
			}
		}
	})
}

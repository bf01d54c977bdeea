package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// flaky is a workflow of one user step that fails until it is told otherwise.
type flaky struct {
	mu      sync.Mutex
	tries   int
	succeed bool
	options engine.StepOptions
}

func (f *flaky) workflow() engine.Workflow {
	return engine.Workflow{Name: "flaky", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Name: "my.step", Args: args(), Options: f.options, Body: func(context.Context) (any, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.tries++
			if !f.succeed {
				return nil, errors.New("no answer")
			}
			return f.tries, nil
		}})
	})}
}

func (f *flaky) tried() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries
}

// HOLD and STOP do not wait until a pause between two attempts is over.
func TestCommandsInRetryPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{options: engine.StepOptions{MaxAttempts: 9, Interval: time.Hour}}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, f.workflow())
		defer b.shutdown()
		id := b.start(engine.StartRequest{Workflow: "flaky"})
		time.Sleep(30 * time.Minute)
		if fate := b.fate(b.command(id, isa88.Hold)); fate != "taken" {
			t.Errorf("HOLD is %s", fate)
		}
		time.Sleep(10 * time.Hour)
		if i, err := b.e.Show(t.Context(), id); err != nil || i.State != isa88.Held || f.tried() != 1 {
			t.Errorf("run is %+v after %d attempts", i, f.tried())
		}
		if fate := b.fate(b.command(id, isa88.Resume)); fate != "taken" {
			t.Errorf("RESUME is %s", fate)
		}
		time.Sleep(90 * time.Minute)
		if f.tried() != 3 {
			t.Errorf("%d attempts", f.tried())
		}
		before := time.Now()
		b.command(id, isa88.Stop)
		got := longResult(b, id)
		if got.State != isa88.Stopped || time.Since(before) > time.Minute {
			t.Errorf("stopped after %v: %+v", time.Since(before), got)
		}
		steps, err := b.e.Steps(t.Context(), id)
		if err != nil || len(steps) != 1 || steps[0].Error == nil || steps[0].Error.Type != "Stopped" {
			t.Errorf("steps are %+v, %v", steps, err)
		}
	})
}

// A pause that a restart cuts short is not an interrupted attempt: nobody is
// asked, nothing fails, and the attempts count on.
func TestRestartInRetryPause(t *testing.T) {
	t.Parallel()
	for _, policy := range []engine.Interrupted{engine.RetryInterrupted, engine.HoldInterrupted, engine.FailInterrupted} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			f := &flaky{options: engine.StepOptions{MaxAttempts: 3, Interval: time.Hour, OnInterrupted: policy}}
			b := boot(t, dir, engine.Config{}, journal.Options{}, f.workflow())
			id := b.start(engine.StartRequest{Workflow: "flaky"})
			time.Sleep(time.Minute)
			b.shutdown()
			b = boot(t, dir, engine.Config{}, journal.Options{}, f.workflow())
			time.Sleep(time.Minute)
			b.shutdown()
			b = boot(t, dir, engine.Config{}, journal.Options{}, f.workflow())
			defer b.shutdown()
			got := longResult(b, id)
			if got.Status != engine.Error || got.Error.Message != "no answer" || f.tried() != 3 {
				t.Errorf("policy %d: run is %+v, %v, after %d attempts", policy, got, got.Error, f.tried())
			}
			steps, err := b.e.Steps(t.Context(), id)
			if err != nil || len(steps) != 1 || steps[0].Attempts != 3 || steps[0].Recovered {
				t.Errorf("steps are %+v, %v", steps, err)
			}
		})
	}
}

// What a user step that was cut short leads to is its author's choice.
func TestInterruptedUserStep(t *testing.T) {
	t.Parallel()
	for policy, want := range map[engine.Interrupted]engine.Status{engine.RetryInterrupted: engine.Success, engine.HoldInterrupted: engine.Running, engine.FailInterrupted: engine.Error} {
		dir := t.TempDir()
		f := &flaky{succeed: true, options: engine.StepOptions{OnInterrupted: policy}}
		o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
		b := boot(t, dir, engine.Config{}, o, f.workflow())
		id := b.start(engine.StartRequest{Workflow: "flaky"})
		<-cut
		b.crash()
		b = boot(t, dir, engine.Config{}, journal.Options{}, f.workflow())
		if want == engine.Running {
			i := b.await(id, isState(isa88.Held))
			if i.InDoubt == nil || f.tried() != 1 {
				t.Errorf("run is %+v after %d attempts", i, f.tried())
			}
			if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Value: encoded("by hand"), Actor: "eva"}); err != nil {
				t.Error(err)
			}
			if got := b.result(id); string(got.Result) != string(encoded("by hand")) {
				t.Errorf("run is %+v", got)
			}
		} else if got := b.result(id); got.Status != want || f.tried() != map[engine.Status]int{engine.Success: 2, engine.Error: 1}[want] {
			t.Errorf("policy %d: run is %+v after %d attempts", policy, got, f.tried())
		}
		b.shutdown()
	}
}

// A step that answers the engine's stop with context.Canceled has not failed.
func TestShutdownIsNoFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	working := make(chan struct{}, 2)
	lives := 0
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		lives++
		return r.Step(engine.Call{Name: "my.step", Args: args(), Body: func(ctx context.Context) (any, error) {
			if lives == 2 {
				return "whole", nil
			}
			working <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-working
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if got := b.result(id); got.Status != engine.Success {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
}

// Where a restart finds a STOP waiting, no further attempt is made.
func TestStopBeforeFurtherAttempt(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
	wf := gated(d, 2)
	b := boot(t, dir, engine.Config{}, o, wf)
	id := b.start(engine.StartRequest{Workflow: "chain"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "dev.write" })
	rc := b.command(id, isa88.Stop)
	close(d.block)
	<-cut
	b.crash()
	d.set(0) // as if the write had not been
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	got := b.result(id)
	if f := b.fate(rc); f != "taken" || got.State != isa88.Stopped || !slices.Equal(d.written(), []int64{1, 0}) {
		t.Errorf("STOP is %q, run is %+v, wrote %v", f, got, d.written())
	}
}

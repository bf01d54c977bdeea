package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/journal"
)

// A step that waited shows how long it took, also where it left no beginning.
func TestStepsShowHowLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			if err := sleep(r, 300*time.Millisecond); err != nil {
				return nil, err
			}
			return nil, sleep(r, 3*time.Second)
		})}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
		defer b.shutdown()
		id := b.start(engine.StartRequest{Workflow: "w"})
		longResult(b, id)
		steps, err := b.e.Steps(t.Context(), id)
		if err != nil || len(steps) != 2 {
			t.Fatalf("steps are %+v, %v", steps, err)
		}
		for i, want := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
			if took := steps[i].CompletedAt.Sub(steps[i].StartedAt); took != want {
				t.Errorf("step %d took %v, want %v", i, took, want)
			}
		}
	})
}

// A list of live runs does not read the history; a list of all has both.
func TestRunsByStatus(t *testing.T) {
	t.Parallel()
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, gated(d, 1), engine.Workflow{Name: "quick", Program: program(func(context.Context, *engine.Run) (any, error) { return nil, nil })})
	defer b.shutdown()
	ended := b.start(engine.StartRequest{Workflow: "quick"})
	b.result(ended)
	live := b.start(engine.StartRequest{Workflow: "chain"})
	b.await(live, func(i engine.RunInfo) bool { return i.CurrentStep == "dev.write" })
	for status, want := range map[engine.Status][]string{"": {live, ended}, engine.Running: {live}, engine.Success: {ended}, engine.Error: {}} {
		runs, err := b.e.Runs(t.Context(), engine.Filter{Status: status})
		got := []string{}
		for _, r := range runs {
			got = append(got, r.ID)
		}
		if err != nil || len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("status %q: %v, %v; want %v", status, got, err, want)
		}
	}
	close(d.block)
	b.result(live)
}

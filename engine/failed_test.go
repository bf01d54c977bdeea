package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// Once the journal has failed nothing is acknowledged and no effect begins;
// what there is can be seen, and the next life goes on from what is on disk.
func TestJournalFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, d := t.TempDir(), &device{}
		d.block = make(chan struct{})
		var failing atomic.Bool
		o := journal.Options{BeforeAppend: func(uint64, journal.Change) error {
			if failing.Load() {
				return errCut
			}
			return nil
		}}
		wfs := []engine.Workflow{chain(d, 3), waiter(), {Name: "done", Program: program(func(context.Context, *engine.Run) (any, error) { return nil, nil })}}
		b := boot(t, dir, engine.Config{}, o, wfs...)
		ended := b.start(engine.StartRequest{Workflow: "done"})
		working, waiting, held := b.start(engine.StartRequest{Workflow: "chain"}), b.start(engine.StartRequest{Workflow: "waiter"}), b.start(engine.StartRequest{Workflow: "waiter"})
		b.command(held, isa88.Hold)
		synctest.Wait()
		failing.Store(true)
		ctx := t.Context()
		_, err1 := b.e.Start(ctx, engine.StartRequest{Workflow: "done"})
		_, err2 := b.e.Send(ctx, waiting, engine.Message{Topic: "go"})
		_, err3 := b.e.Command(ctx, held, isa88.Resume, "", "")
		_, err4 := b.e.Command(ctx, working, isa88.Stop, "", "")
		_, err5 := b.e.Command(ctx, ended, isa88.Reset, "", "")
		err6 := b.e.Cancel(ctx, waiting, "", "")
		for i, err := range []error{err1, err2, err3, err4, err5, err6} {
			var p *engine.Problem
			if !errors.As(err, &p) || i != 4 && p.Code != engine.Unavailable {
				t.Errorf("call %d: %v", i+1, err)
			}
		}
		d.block <- struct{}{} // the write on the wire ends
		synctest.Wait()
		if w := d.written(); !slices.Equal(w, []int64{1}) {
			t.Errorf("wrote %v", w)
		}
		for id, want := range map[string]engine.Status{ended: engine.Success, working: engine.Running, waiting: engine.Running, held: engine.Running} {
			if i, err := b.e.Show(ctx, id); err != nil || i.Status != want {
				t.Errorf("run is %+v, %v", i, err)
			}
		}
		if runs, err := b.e.Runs(ctx, engine.Filter{}); err != nil || len(runs) != 4 {
			t.Errorf("runs are %+v, %v", runs, err)
		}
		if h := b.e.Health(); h.JournalError == "" {
			t.Errorf("health is %+v", h)
		}
		b.crash()
		close(d.block)
		b = boot(t, dir, engine.Config{}, journal.Options{}, wfs...)
		defer b.shutdown()
		if got := b.result(working); got.Status != engine.Success || !slices.Equal(d.written(), []int64{1, 2, 3}) {
			t.Errorf("run is %+v, wrote %v", got, d.written())
		}
		synctest.Wait()
		if i, err := b.e.Show(ctx, held); err != nil || i.State != isa88.Held {
			t.Errorf("run is %+v, %v", i, err)
		}
		for _, id := range []string{waiting, held} {
			b.command(id, isa88.Abort)
			b.result(id)
		}
	})
}

// clumsy is a write that panics where it is told to.
type clumsy struct {
	writeStep
	prepare, run bool
}

func (c clumsy) Prepare(context.Context, engine.Args) (any, error) {
	if c.prepare {
		panic("in Prepare")
	}
	return nil, nil
}

func (c clumsy) Run(ctx context.Context, a engine.Args) (any, error) {
	if c.run {
		panic("in Run")
	}
	return c.writeStep.Run(ctx, a)
}

// A panic in the step that writes the safe state does not take the process down.
func TestSafeStatePanic(t *testing.T) {
	t.Parallel()
	for _, step := range []clumsy{{prepare: true}, {run: true}} {
		synctest.Test(t, func(t *testing.T) {
			step.d = &device{}
			b := boot(t, t.TempDir(), engine.Config{SafeWrite: step}, journal.Options{}, safeWorkflow(&device{refuse: errors.New("broken")}))
			defer b.shutdown()
			got := longResult(b, b.start(engine.StartRequest{Workflow: "chain"}))
			if got.Status != engine.Error || len(got.SafeState) != 2 || got.SafeState[0].OK || got.SafeState[1].OK {
				t.Errorf("run is %+v", got)
			}
		})
	}
}

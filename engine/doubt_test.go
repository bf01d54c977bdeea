package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

var errCut = errors.New("the power is cut")

// cutAfter makes the journal keep the first n changes, and nothing more.
func cutAfter(n uint64) journal.Options {
	return journal.Options{BeforeAppend: func(k uint64, _ journal.Change) error {
		if k > n {
			return errCut
		}
		return nil
	}}
}

// life runs until the run has ended or the journal is cut.
func (b *box) life(id string) {
	b.t.Helper()
	for {
		var version uint64
		ctx, cancel := context.WithCancel(b.t.Context())
		go func() {
			defer cancel()
			<-b.dead()
		}()
		for {
			now, ended, err := b.e.Await(ctx, id, version)
			if ended || err != nil {
				cancel()
				return
			}
			version = now
		}
	}
}

// dead is closed once the journal accepts nothing more.
func (b *box) dead() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		for b.j.Sync() == nil && b.j.Err() == nil {
			select {
			case <-b.over:
				return
			default:
			}
		}
	}()
	return c
}

// interruptedWrite leaves a run of chain(3) with a second write that has begun
// and of which no outcome is on record. The device holds what happened says.
func interruptedWrite(t *testing.T, dir string, d *device, happened int64) string {
	t.Helper()
	cut := make(chan struct{})
	d.block = make(chan struct{}, 1)
	d.block <- struct{}{}
	// Changes: start, intent 1, outcome 1, intent 2. The next is lost.
	var changes uint64
	o := journal.Options{BeforeAppend: func(k uint64, c journal.Change) error {
		for _, r := range c.Records {
			if r.Seq == 1 && r.Kind == 2 {
				close(cut)
				return errCut
			}
		}
		changes = k
		return nil
	}}
	b := boot(t, dir, engine.Config{}, o, chain(d, 3))
	id := b.start(engine.StartRequest{Workflow: "chain"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "dev.write" && len(d.written()) == 1 })
	d.block <- struct{}{}
	<-cut
	b.stop()
	<-b.over
	if err := b.j.Close(); err == nil {
		t.Fatalf("the journal was to fail after %d changes", changes)
	}
	d.block = nil
	d.mu.Lock()
	d.value, d.writes = happened, nil
	d.mu.Unlock()
	return id
}

func TestInterruptedWriteByEvidence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		now   int64
		wrote []int64
	}{
		{"it had its effect", 2, []int64{3}},
		{"it had none", 1, []int64{2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), &device{}
			id := interruptedWrite(t, dir, d, c.now)
			b := boot(t, dir, engine.Config{}, journal.Options{}, chain(d, 3))
			defer b.shutdown()
			if got := b.result(id); got.Status != engine.Success || !slices.Equal(d.written(), c.wrote) {
				t.Errorf("run is %+v, wrote %v, want %v", got, d.written(), c.wrote)
			}
			steps, err := b.e.Steps(t.Context(), id)
			if err != nil || len(steps) != 3 || steps[1].Recovered != (c.now == 2) {
				t.Errorf("steps are %+v, %v", steps, err)
			}
		})
	}
}

func TestInDoubtIsHeldAndAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		status engine.Status
		wrote  []int64
	}{
		{"done", engine.Success, []int64{3}},
		{"retry", engine.Success, []int64{2, 3}},
		{"fail", engine.Error, nil},
	} {
		t.Run(c.answer, func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), &device{}
			id := interruptedWrite(t, dir, d, 77)
			b := boot(t, dir, engine.Config{}, journal.Options{}, chain(d, 3))
			defer func() { b.shutdown() }()
			held := b.await(id, isState(isa88.Held))
			if held.InDoubt == nil || held.InDoubt.Step != "dev.write" || held.InDoubt.Why != "it is 77" {
				t.Fatalf("run is %+v", held)
			}
			if f := b.fate(b.command(id, isa88.Resume)); !strings.HasPrefix(f, "not allowed while a step is in doubt") {
				t.Errorf("RESUME is %q", f)
			}
			// The question outlives another restart.
			b.shutdown()
			b = boot(t, dir, engine.Config{}, journal.Options{}, chain(d, 3))
			b.await(id, isState(isa88.Held))
			if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: c.answer, Actor: "eva"}); err != nil {
				t.Fatal(err)
			}
			if got := b.result(id); got.Status != c.status || !slices.Equal(d.written(), c.wrote) {
				t.Errorf("run is %+v, wrote %v, want %v", got, d.written(), c.wrote)
			}
		})
	}
}

func TestResolveRefused(t *testing.T) {
	t.Parallel()
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, gated(d, 1))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	var p *engine.Problem
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); !errors.As(err, &p) || p.Code != engine.Refused {
		t.Errorf("got %v", err)
	}
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "maybe"}); !errors.As(err, &p) || p.Code != engine.BadRequest {
		t.Errorf("got %v", err)
	}
	close(d.block)
	b.result(id)
}

// A program that does not do what its record says is HELD, with both sides shown.
func TestMismatchIsHeld(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	first := int64(1)
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := write(r, d, first); err != nil {
			return nil, err
		}
		_, err := r.Recv("go", 1<<50)
		return nil, err
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	first = 5
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	got := b.await(id, isState(isa88.Held))
	want := `the program does not match its record at place 0: recorded dev.write(path="dev", value=1), the program asks for dev.write(path="dev", value=5) at an unknown line`
	if got.Error == nil || got.Error.Type != "NonDeterminism" || got.Error.Message != want {
		t.Errorf("error is %+v", got.Error)
	}
	b.command(id, isa88.Stop)
	if got := b.result(id); got.State != isa88.Stopped || !slices.Equal(d.written(), []int64{1}) {
		t.Errorf("run is %+v, wrote %v", got, d.written())
	}
}

// safeBox is a workflow with a safe state of two lines that fails after one write.
func safeWorkflow(d *device) engine.Workflow {
	wf := chain(d, 3)
	wf.SafeState = []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(100))}, {Tag: "pump", Value: encoded(int64(200))}}
	return wf
}

func TestSafeState(t *testing.T) {
	t.Parallel()
	d, safe := &device{refuse: errors.New("broken")}, &device{}
	b := boot(t, t.TempDir(), engine.Config{SafeWrite: writeStep{safe}}, journal.Options{}, safeWorkflow(d))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	got := b.result(id)
	if got.Status != engine.Error || !slices.Equal(safe.written(), []int64{100, 200}) || len(got.SafeState) != 2 || !got.SafeState[1].OK {
		t.Errorf("run is %+v, safe state %v", got, safe.written())
	}
}

// Cut after any change, the end is the same: the safe state is reached.
func TestSafeStateCrashMatrix(t *testing.T) {
	t.Parallel()
	for k := uint64(1); ; k++ {
		d, safe, dir := &device{refuse: errors.New("broken")}, &device{}, t.TempDir()
		cfg := engine.Config{SafeWrite: writeStep{safe}}
		b := boot(t, dir, cfg, cutAfter(k), safeWorkflow(d))
		s, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "chain", ID: "run"})
		for err != nil && b.j.Err() == nil {
			s, err = b.e.Start(t.Context(), engine.StartRequest{Workflow: "chain", ID: "run"})
		}
		if err != nil {
			b.stop()
			<-b.over
			b.j.Close()
			continue
		}
		b.life(s.ID)
		whole := b.j.Err() == nil
		b.stop()
		<-b.over
		b.j.Close()
		if whole {
			t.Logf("cut after each of %d changes", k)
			break
		}
		b = boot(t, dir, cfg, journal.Options{}, safeWorkflow(d))
		got := b.result(s.ID)
		w := safe.written()
		if got.Status != engine.Error || len(w) < 2 || w[len(w)-1] != 200 || !slices.Contains(w, 100) {
			t.Errorf("cut after %d: run is %+v, safe state %v", k, got, w)
		}
		b.shutdown()
	}
}

// Cut after any change of a chain of writes, every value is written, in order,
// and none twice but the one that the cut fell upon.
func TestChainCrashMatrix(t *testing.T) {
	t.Parallel()
	const n = 6
	for k := uint64(1); ; k++ {
		d, dir := &device{}, t.TempDir()
		b := boot(t, dir, engine.Config{}, cutAfter(k), chain(d, n))
		id := b.start(engine.StartRequest{Workflow: "chain"})
		b.life(id)
		whole := b.j.Err() == nil
		b.stop()
		<-b.over
		b.j.Close()
		if whole {
			t.Logf("cut after each of %d changes", k)
			break
		}
		b = boot(t, dir, engine.Config{}, journal.Options{}, chain(d, n))
		got := b.result(id)
		if w := d.written(); got.Status != engine.Success || fmt.Sprint(w) != "[1 2 3 4 5 6]" {
			t.Errorf("cut after %d: run is %+v, wrote %v", k, got, w)
		}
		b.shutdown()
	}
}

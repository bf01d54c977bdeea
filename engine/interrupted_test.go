package engine_test

import (
	"context"
	"errors"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// postStep is an effect of which nobody can tell what it has done, like an HTTP POST.
type postStep struct{ sent *device }

func (postStep) Name() string            { return "dev.post" }
func (postStep) Params() []engine.Param  { return []engine.Param{{Name: "value", Required: true}} }
func (postStep) Effect(engine.Args) bool { return true }
func (s postStep) Run(_ context.Context, a engine.Args) (any, error) {
	v, err := a.Int("value")
	if err == nil {
		s.sent.set(v)
	}
	return value.NewMap("status", int64(200)), err
}

// on_interrupted is heeded for a step that is made of a built-in one, whether
// or not that can tell what it has done.
func TestInterruptedBuiltIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy engine.Interrupted
		step   func(d *device) engine.Step
		state  isa88.State
		sent   int
	}{
		{"post, retry", engine.RetryInterrupted, func(d *device) engine.Step { return postStep{d} }, isa88.Complete, 2},
		{"post, hold", engine.HoldInterrupted, func(d *device) engine.Step { return postStep{d} }, isa88.Held, 1},
		{"post, fail", engine.FailInterrupted, func(d *device) engine.Step { return postStep{d} }, isa88.Error, 1},
		{"write, evidence", engine.RetryInterrupted, func(d *device) engine.Step { return writeStep{d} }, isa88.Complete, 1},
		{"write, hold", engine.HoldInterrupted, func(d *device) engine.Step { return writeStep{d} }, isa88.Held, 1},
		{"write, fail", engine.FailInterrupted, func(d *device) engine.Step { return writeStep{d} }, isa88.Error, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), &device{}
			wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
				return r.Step(engine.Call{Name: "mine", Step: c.step(d), Args: args("path", "dev", "value", 5),
					Options: engine.StepOptions{OnInterrupted: c.policy}})
			})}
			o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
			b := boot(t, dir, engine.Config{}, o, wf)
			id := b.start(engine.StartRequest{Workflow: "w"})
			<-cut
			b.crash()
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
			defer b.shutdown()
			got := b.await(id, func(i engine.RunInfo) bool { return i.Status.Ended() || i.State == isa88.Held })
			if got.State != c.state || len(d.written()) != c.sent {
				t.Fatalf("run is %+v, %v, sent %v", got, got.Error, d.written())
			}
			if c.state == isa88.Error && got.Error.Type != "Interrupted" {
				t.Errorf("error is %+v", got.Error)
			}
			if c.state != isa88.Held {
				return
			}
			if got.InDoubt == nil || got.InDoubt.Step != "mine" {
				t.Fatalf("question is %+v", got.InDoubt)
			}
			if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Value: encoded("by hand"), Actor: "eva"}); err != nil {
				t.Fatal(err)
			}
			if got := b.result(id); string(got.Result) != string(encoded("by hand")) || len(d.written()) != c.sent {
				t.Errorf("run is %+v, sent %v", got, d.written())
			}
		})
	}
}

// What it asks about a write says what there is to see.
func TestInterruptedWriteOnHoldShowsEvidence(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Name: "mine", Step: writeStep{d}, Args: args("path", "dev", "value", 5),
			Options: engine.StepOptions{OnInterrupted: engine.HoldInterrupted}})
	})}
	o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
	b := boot(t, dir, engine.Config{}, o, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-cut
	b.crash()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	got := b.await(id, isState(isa88.Held))
	want := "the process ended while the step was at work, and its option on_interrupted is hold; what can be seen says that it had its effect"
	if got.InDoubt == nil || got.InDoubt.Why != want {
		t.Fatalf("question is %+v", got.InDoubt)
	}
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(id); string(got.Result) != string(encoded(value.NewMap("outcome", "accepted"))) {
		t.Errorf("run is %+v", got)
	}
}

// countStep is an effect whose result a program needs.
type countStep struct{ postStep }

func (countStep) Resolved(_ engine.Args, given any) (any, error) {
	n, ok := given.(int64)
	if !ok {
		return nil, errors.New("the value has to be a number")
	}
	return value.NewMap("rows_affected", n), nil
}

// An answer of done with a value that the step cannot have had is refused where
// it is given, and the question stays.
func TestDoneNeedsTheStepsResult(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Step: countStep{postStep{d}}, Args: args("value", 5), Options: engine.StepOptions{OnInterrupted: engine.HoldInterrupted}})
	})}
	o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
	b := boot(t, dir, engine.Config{}, o, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-cut
	b.crash()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.await(id, isState(isa88.Held))
	for _, bad := range []value.Raw{nil, encoded("3"), encoded(value.NewMap("n", 3))} {
		var p *engine.Problem
		err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Value: bad})
		if !errors.As(err, &p) || p.Code != engine.BadRequest || p.Message != "cannot answer run "+id+" with done: dev.post: the value has to be a number" {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if i, err := b.e.Show(t.Context(), id); err != nil || i.InDoubt == nil {
		t.Fatalf("run is %+v, %v", i, err)
	}
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Value: encoded(int64(3))}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(id); string(got.Result) != string(encoded(value.NewMap("rows_affected", int64(3)))) {
		t.Errorf("run is %+v", got)
	}
}

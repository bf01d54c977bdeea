package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// growing is a step whose parameters another version has more of.
type growing struct{ params []engine.Param }

func (growing) Name() string             { return "test.growing" }
func (s growing) Params() []engine.Param { return s.params }

func (growing) Run(ctx context.Context, a engine.Args) (any, error) {
	return value.NewMap("path", a.Value("path"), "args", int64(len(a.Values.Pairs))), nil
}

// growingCalls is a workflow of two calls, each with all of the step's parameters as
// the front end gives them, and a wait for a message.
func growingCalls(s growing, waiting chan<- struct{}, own any) engine.Workflow {
	return engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for _, path := range []string{"a", "b"} {
			given := value.NewMap("path", path)
			for _, p := range s.params[1:] {
				given.Set(p.Name, p.Default)
			}
			if own != nil && path == "b" {
				given.Set("timeout_ms", own)
			}
			enc, err := value.Encode(given)
			if err != nil {
				return nil, err
			}
			if _, err := r.Step(engine.Call{Step: s, Args: enc}); err != nil {
				return nil, err
			}
		}
		waiting <- struct{}{}
		return r.Recv("go", 1<<50)
	})}
}

// A record that was made before a step got a further parameter replays: the
// record does not hold what a call leaves to the step's defaults.
func TestStepGrowsParameter(t *testing.T) {
	t.Parallel()
	dir, waiting := t.TempDir(), make(chan struct{}, 1)
	before := growing{[]engine.Param{{Name: "path", Required: true}, {Name: "timeout_ms", Default: int64(1000)}}}
	b := boot(t, dir, engine.Config{}, journal.Options{}, growingCalls(before, waiting, int64(5)))
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-waiting
	b.shutdown()

	after := growing{[]engine.Param{{Name: "path", Required: true}, {Name: "quality", Default: "Good"}, {Name: "timeout_ms", Default: int64(1000)}, {Name: "note"}}}
	b = boot(t, dir, engine.Config{}, journal.Options{}, growingCalls(after, waiting, int64(5)))
	defer b.shutdown()
	<-waiting
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: encoded("on")}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(id); got.Status != engine.Success {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil || len(steps) != 2 {
		t.Fatalf("steps are %+v, %v", steps, err)
	}
	for i, want := range []string{`{"path":"a"}`, `{"path":"b","timeout_ms":5}`} {
		if got, err := steps[i].Args.MarshalJSON(); err != nil || string(got) != want {
			t.Errorf("step %d has arguments %s, %v, not %s", i, got, err, want)
		}
	}
}

// A program that gives a value of its own for a parameter which the record has
// not, or has another one for, does not match its record.
func TestStepGrowsParameterWithAnotherValue(t *testing.T) {
	t.Parallel()
	dir, waiting := t.TempDir(), make(chan struct{}, 1)
	s := growing{[]engine.Param{{Name: "path", Required: true}, {Name: "timeout_ms", Default: int64(1000)}}}
	b := boot(t, dir, engine.Config{}, journal.Options{}, growingCalls(s, waiting, nil))
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-waiting
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, growingCalls(s, waiting, int64(7)))
	defer b.shutdown()
	got := b.await(id, func(i engine.RunInfo) bool { return i.State == isa88.Held })
	if got.Error == nil || !strings.Contains(got.Error.Message, `recorded test.growing(path="b"), the program asks for test.growing(path="b", timeout_ms=7)`) {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
}

// boxed is an effect that notes by which key it was attempted, and fails the
// first time of each life.
type boxed struct{ keys chan string }

func (boxed) Name() string            { return "test.boxed" }
func (boxed) Params() []engine.Param  { return nil }
func (boxed) Effect(engine.Args) bool { return true }

func (s boxed) Run(ctx context.Context, a engine.Args) (any, error) {
	s.keys <- a.Key.String()
	if a.Attempt == 1 {
		return nil, errors.New("not yet")
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// All attempts of a step have one key, also after a restart; a run of the same
// id on another box has another one.
func TestKeyOfStep(t *testing.T) {
	t.Parallel()
	s, dir := boxed{make(chan string, 10)}, t.TempDir()
	var lives atomic.Int32
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		lives.Add(1)
		return r.Step(engine.Call{Step: s, Args: args(), Options: engine.StepOptions{MaxAttempts: 9}})
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	b.start(engine.StartRequest{Workflow: "w", ID: "fill-7"})
	first, second := <-s.keys, <-s.keys
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	third := <-s.keys
	b.shutdown()
	if first != second || second != third || lives.Load() != 2 || !strings.HasSuffix(first, "/fill-7/0") {
		t.Errorf("in %d lives the keys were %s, %s, %s", lives.Load(), first, second, third)
	}
	b = boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.start(engine.StartRequest{Workflow: "w", ID: "fill-7"})
	if other := <-s.keys; other == first || !strings.HasSuffix(other, "/fill-7/0") {
		t.Errorf("two boxes have the key %s", other)
	}
}

package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// pulse is a write that is sent and not answered, until it is told otherwise.
type pulse struct {
	d      *device
	tells  bool // whether the tag holds the target afterwards
	answer chan struct{}
}

func (p *pulse) send(v int64) (any, error) {
	p.d.set(v)
	select {
	case <-p.answer:
		return value.NewMap("outcome", "accepted"), nil
	default:
	}
	return nil, &engine.StepError{Type: "OutcomeUnknown", Message: "sent and not answered", Unknown: true,
		Doubt: &engine.Doubt{Tag: "dev", Why: "sent and not answered", Target: encoded(v)}}
}

func (*pulse) Name() string            { return "dev.pulse" }
func (*pulse) Effect(engine.Args) bool { return true }
func (*pulse) Params() []engine.Param  { return []engine.Param{{Name: "value", Required: true}} }
func (p *pulse) Run(_ context.Context, a engine.Args) (any, error) {
	v, err := a.Int("value")
	if err != nil {
		return nil, err
	}
	return p.send(v)
}

// proving is a pulse that looks for evidence.
type proving struct{ pulse }

func (p *proving) Recover(context.Context, engine.Args) (engine.Recovery, error) {
	if p.tells {
		return engine.Recovery{Verdict: engine.Done, Result: value.NewMap("outcome", "confirmed")}, nil
	}
	return engine.Recovery{Result: value.NewMap("outcome", "confirmed"), Doubt: engine.Doubt{Tag: "dev", Why: "it may have acted and come back"}}, nil
}

// What is sent and not answered, and of which no evidence tells, is a question
// to the operator: of a built-in step and of one of the program's own, with
// attempts left or not, unless the program catches it.
func TestUnansweredIsAsked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		call func(d *device, p *pulse, q *proving) engine.Call
		why  string
	}{
		{"built-in", func(_ *device, p *pulse, _ *proving) engine.Call {
			return engine.Call{Step: p}
		}, "sent and not answered"},
		{"built-in that looks for evidence", func(_ *device, _ *pulse, q *proving) engine.Call {
			return engine.Call{Step: q}
		}, "it may have acted and come back"},
		{"built-in with attempts left", func(_ *device, _ *pulse, q *proving) engine.Call {
			return engine.Call{Step: q, Options: engine.StepOptions{MaxAttempts: 3}}
		}, "it may have acted and come back"},
		{"the program's own", func(_ *device, p *pulse, _ *proving) engine.Call {
			return engine.Call{Name: "mine", Body: func(context.Context) (any, error) { return p.send(5) }}
		}, "sent and not answered"},
		{"the program's own with attempts left", func(_ *device, p *pulse, _ *proving) engine.Call {
			return engine.Call{Name: "mine", Options: engine.StepOptions{MaxAttempts: 3}, Body: func(context.Context) (any, error) { return p.send(5) }}
		}, "sent and not answered"},
	} {
		for _, answer := range []string{"done", "retry", "fail"} {
			t.Run(c.name+", "+answer, func(t *testing.T) {
				t.Parallel()
				dir, d := t.TempDir(), &device{}
				p := pulse{d: d, answer: make(chan struct{}, 1)}
				q := &proving{p}
				wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
					call := c.call(d, &p, q)
					call.Args = args("value", 5)
					return r.Step(call)
				})}
				b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
				id := b.start(engine.StartRequest{Workflow: "w"})
				got := b.await(id, isState(isa88.Held))
				if got.InDoubt == nil || got.InDoubt.Tag != "dev" || got.InDoubt.Why != c.why {
					t.Fatalf("question is %+v", got.InDoubt)
				}
				// Another life asks again, and sends nothing.
				b.shutdown()
				b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
				got = b.await(id, isState(isa88.Held))
				if got.InDoubt == nil || got.InDoubt.Tag != "dev" || got.InDoubt.Why != c.why || !slices.Equal(d.written(), []int64{5}) {
					t.Fatalf("question is %+v, wrote %v", got.InDoubt, d.written())
				}
				p.answer <- struct{}{}
				if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: answer, Actor: "eva"}); err != nil {
					t.Fatal(err)
				}
				want := map[string]struct {
					status engine.Status
					wrote  []int64
				}{"done": {engine.Success, []int64{5}}, "retry": {engine.Success, []int64{5, 5}}, "fail": {engine.Error, []int64{5}}}[answer]
				if got := b.result(id); got.Status != want.status || !slices.Equal(d.written(), want.wrote) {
					t.Errorf("run is %+v, %v, wrote %v", got, got.Error, d.written())
				}
				b.shutdown()
			})
		}
	}
}

// After an answer of retry the old question is not asked again: a step that a
// power cut then meets is judged by its own option.
func TestRetryClosesTheQuestion(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	p := pulse{d: d, answer: make(chan struct{}, 2)}
	wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Name: "mine", Args: args(), Body: func(context.Context) (any, error) { return p.send(5) }})
	})}
	o, cut := cutAt(func(c journal.Change) bool { return len(c.Records) == 1 && c.Records[0].Kind == 2 })
	b := boot(t, dir, engine.Config{}, o, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, isState(isa88.Held))
	p.answer <- struct{}{}
	p.answer <- struct{}{}
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "retry", Actor: "eva"}); err != nil {
		t.Fatal(err)
	}
	<-cut
	b.crash()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if got := b.result(id); got.Status != engine.Success || !slices.Equal(d.written(), []int64{5, 5, 5}) {
		t.Errorf("run is %+v, wrote %v", got, d.written())
	}
}

// A program that catches it gets the failure; evidence that proves it done makes
// it a success; STOP ends it.
func TestUnansweredIsNotAsked(t *testing.T) {
	t.Parallel()
	d := &device{}
	p := pulse{d: d}
	program1 := func(call engine.Call) engine.Workflow {
		call.Args = args("value", 5)
		return engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) { return r.Step(call) })}
	}
	for _, c := range []struct {
		call   engine.Call
		status engine.Status
		text   string
	}{
		{engine.Call{Step: &p, Caught: true}, engine.Error, "sent and not answered"},
		{engine.Call{Step: &proving{pulse{d: d, tells: true}}}, engine.Success, ""},
		{engine.Call{Step: &proving{p}, Caught: true}, engine.Error, "sent and not answered"},
		{engine.Call{Name: "mine", Caught: true, Body: func(context.Context) (any, error) { return p.send(5) }}, engine.Error, "sent and not answered"},
	} {
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, program1(c.call))
		got := b.result(b.start(engine.StartRequest{Workflow: "w"}))
		if got.Status != c.status || c.text != "" && !strings.HasPrefix(got.Error.Message, c.text) {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
		b.shutdown()
	}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, program1(engine.Call{Step: &p}))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, isState(isa88.Held))
	b.command(id, isa88.Stop)
	if got := b.result(id); got.State != isa88.Stopped {
		t.Errorf("run is %+v", got)
	}
}

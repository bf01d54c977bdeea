package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// What a run is told when it sends: to itself, to one that has ended, to none.
func TestSendTo(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := r.Send(r.ID(), engine.Message{Topic: "self", Body: encoded("echo")}); err != nil {
			return nil, err
		}
		echo, err := r.Recv("self", 0)
		if err != nil || string(echo) != string(encoded("echo")) {
			return nil, errors.Join(err, errors.New("no echo"))
		}
		var types []string
		for to, m := range map[string]engine.Message{
			"gone":   {Topic: "x"},
			"nobody": {Topic: "x"},
			r.ID():   {Body: args("cmd", "PAUSE")},
		} {
			err := r.Send(to, m)
			var failure *engine.StepError
			if !errors.As(err, &failure) || engine.IsFatal(err) {
				return nil, errors.Join(err, errors.New("not refused"))
			}
			types = append(types, failure.Type)
		}
		slices.Sort(types)
		return strings.Join(types, " "), nil
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf, waiter())
	defer b.shutdown()
	b.start(engine.StartRequest{Workflow: "waiter", ID: "gone"})
	b.command("gone", isa88.Abort)
	b.result("gone")
	if got := b.result(b.start(engine.StartRequest{Workflow: "w"})); string(got.Result) != string(encoded("BadArgument NoSuchRun RunEnded")) {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
}

// Commands can be drained from other topics too.
func TestRecvCommandOnOtherTopic(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for {
			if cmd, err := r.RecvCommand("RUNNING", "line 2", 1<<50, 5); err != nil || !cmd.IsNil() {
				return cmd, err
			}
		}
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	var rcs []engine.Receipt
	for _, body := range []value.Raw{args("cmd", "RESUME"), args("cmd", "pause"), args("cmd", "hold")} {
		rc, err := b.e.Send(t.Context(), id, engine.Message{Topic: "line 2", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		rcs = append(rcs, rc)
	}
	got := b.result(id)
	v, err := value.Decode(got.Result)
	m, _ := v.(*value.Map)
	if word, _ := m.Get("cmd"); err != nil || word != "HOLD" {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
	for i, want := range []string{"not allowed in RUNNING", "not a command", "taken"} {
		if f := b.fate(rcs[i]); f != want {
			t.Errorf("message %d is %q, want %q", i, f, want)
		}
	}
}

// A run whose error has a message that is too long ends all the same, with its
// beginning; and so does one whose events are too much for its summary.
func TestLongMessage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 10<<20)
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for _, key := range []string{"a", "b", "c"} {
			if err := r.SetEvent(key, long[:15<<20]); err != nil {
				return nil, err
			}
		}
		_, err := r.Step(engine.Call{Name: "step", Args: args(), Body: func(context.Context) (any, error) { return nil, errors.New(long) }})
		var failure *engine.StepError
		if !errors.As(err, &failure) || len(failure.Message) > 70_000 {
			return nil, nil
		}
		return nil, &engine.RunError{Type: "Own", Message: long, Traceback: long}
	})}
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.result(id)
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	got := b.result(id)
	if got.Status != engine.Error || got.Error.Type != "Own" || !strings.HasPrefix(got.Error.Message, "ää") || len(got.Error.Message)+len(got.Error.Traceback) > 140_000 || len(got.Events) > 0 {
		t.Errorf("ended as %s with %.300v and %d events", got.Status, got.Error, len(got.Events))
	}
}

// What is too long, or cannot be read, is refused before it is on record; what
// a program makes too long is its own failure, and holds nobody.
func TestTooLong(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, 17<<20))
	raw := value.Raw(value.AppendString(nil, long)) // as nothing that keeps to the bounds would make it
	wf := engine.Workflow{Name: "w", AnyInput: true, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		var types []string
		_, err1 := r.Step(engine.Call{Name: "result", Args: args(), Body: func(context.Context) (any, error) { return long, nil }})
		_, err2 := r.Step(engine.Call{Name: "args", Args: args("x", raw), Body: func(context.Context) (any, error) { return nil, nil }})
		for _, err := range []error{err1, err2, r.SetEvent("e", long), r.Progress(long, nil), r.WriteStream("s", long)} {
			var failure *engine.StepError
			if !errors.As(err, &failure) {
				return nil, errors.Join(err, errors.New("no failure"))
			}
			types = append(types, failure.Type)
		}
		if !slices.Equal(slices.Compact(types), []string{"LimitExceeded"}) {
			return nil, errors.New(strings.Join(types, " "))
		}
		return long, nil
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf, waiter())
	defer b.shutdown()
	if got := b.result(b.start(engine.StartRequest{Workflow: "w"})); got.Status != engine.Error || got.Error.Type != "LimitExceeded" {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
	id := b.start(engine.StartRequest{Workflow: "waiter"})
	_, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "w", Inputs: args("x", raw)})
	errs := []error{err}
	for _, m := range []engine.Message{{Topic: "go", Body: raw}, {Topic: "go", Body: value.Raw{0xff}}, {Topic: "go", Body: append(bytes.Repeat([]byte{0x81}, value.MaxDepth+1), 0xf6)}, {Topic: long}, {Topic: "go", UUID: long}, {Topic: "\x00engine"}} {
		_, err := b.e.Send(t.Context(), id, m)
		errs = append(errs, err)
	}
	for i, err := range errs {
		var p *engine.Problem
		if !errors.As(err, &p) || p.Code != engine.BadRequest || len(p.Message) > 200 {
			t.Errorf("%d: %.300v", i, err)
		}
	}
	if err := b.e.Cancel(t.Context(), id, "", ""); err != nil {
		t.Error(err)
	}
	b.result(id)
}

// Cancel and deadline end a run wherever it stands, and its safe state is written.
func TestCancelAnywhere(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	inDoubt := interruptedWrite(t, dir, d, 77)
	safe := &device{}
	holdable := waiter()
	holdable.SafeState = []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}
	b := boot(t, dir, engine.Config{SafeWrite: writeStep{safe}}, journal.Options{}, chain(d, 3), holdable)
	defer b.shutdown()
	b.await(inDoubt, isState(isa88.Held))
	held, waiting := b.start(engine.StartRequest{Workflow: "waiter"}), b.start(engine.StartRequest{Workflow: "waiter"})
	b.command(held, isa88.Hold)
	b.await(held, isState(isa88.Held))
	b.await(waiting, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	for _, id := range []string{inDoubt, held, waiting} {
		if err := b.e.Cancel(t.Context(), id, "", "eva"); err != nil {
			t.Error(err)
		}
		if got := b.result(id); got.Status != engine.Cancelled || got.State != isa88.Aborted || got.Error.Type != "Cancelled" || got.InDoubt != nil {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
	}
	if !slices.Equal(safe.written(), []int64{7, 7}) || len(d.written()) != 0 {
		t.Errorf("safe state %v, wrote %v", safe.written(), d.written())
	}
}

package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// gated is a workflow of n writes, each of which waits for the device's gate.
func gated(d *device, n int64) engine.Workflow {
	wf := chain(d, n)
	d.block, d.atGate = make(chan struct{}), make(chan struct{}, n)
	return wf
}

func (b *box) command(id string, c isa88.Command) engine.Receipt {
	b.t.Helper()
	rc, err := b.e.Command(b.t.Context(), id, c, "", "eva")
	if err != nil {
		b.t.Fatal(err)
	}
	return rc
}

func (b *box) fate(rc engine.Receipt) string {
	b.t.Helper()
	f, err := b.e.Fate(b.t.Context(), rc)
	if err != nil {
		b.t.Fatal(err)
	}
	return f.Fate
}

func isState(s isa88.State) func(engine.RunInfo) bool {
	return func(i engine.RunInfo) bool { return i.State == s }
}

// HOLD lets the step at work end, begins no other, and outlives a restart.
func TestHoldResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &device{}
	wf := gated(d, 3)
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "chain"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "dev.write" })
	hold := b.command(id, isa88.Hold)
	b.await(id, isState(isa88.Holding))
	if len(d.written()) != 0 {
		t.Fatal("the write went out behind a closed gate")
	}
	d.block <- struct{}{}
	b.await(id, isState(isa88.Held))
	if f := b.fate(hold); f != "taken" {
		t.Errorf("HOLD is %s", f)
	}
	if f := b.fate(b.command(id, isa88.Hold)); f != "not allowed in HELD" {
		t.Errorf("second HOLD is %s", f)
	}
	b.shutdown()
	if !slices.Equal(d.written(), []int64{1}) {
		t.Fatalf("wrote %v while held", d.written())
	}
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.await(id, isState(isa88.Held))
	close(d.block)
	if f := b.fate(b.command(id, isa88.Resume)); f != "taken" {
		t.Errorf("RESUME is %s", f)
	}
	if got := b.result(id); got.Status != engine.Success || !slices.Equal(d.written(), []int64{1, 2, 3}) {
		t.Errorf("run is %+v, wrote %v", got, d.written())
	}
}

func TestStopAndAbort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word  isa88.Command
		state isa88.State
		kind  string
	}{{isa88.Stop, isa88.Stopped, "Stopped"}, {isa88.Abort, isa88.Aborted, "Aborted"}} {
		d := &device{}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, gated(d, 3))
		id := b.start(engine.StartRequest{Workflow: "chain"})
		<-d.atGate // before that an ABORT keeps the write from being sent
		rc := b.command(id, c.word)
		b.await(id, isState(c.word.Next(isa88.Running)))
		close(d.block) // the write on the wire ends: its outcome must be known
		got := b.result(id)
		if got.Status != engine.Cancelled || got.State != c.state || got.Error.Type != c.kind || len(d.written()) != 1 {
			t.Errorf("%s: run is %+v, wrote %v", c.word, got, d.written())
		}
		if f := b.fate(rc); f != "taken" {
			t.Errorf("%s is %s", c.word, f)
		}
		var p *engine.Problem
		if _, err := b.e.Command(t.Context(), id, isa88.Hold, "", ""); !errors.As(err, &p) || p.Code != engine.Refused {
			t.Errorf("HOLD of an ended run: %v", err)
		}
		if c.word == isa88.Stop {
			if f := b.fate(b.command(id, isa88.Reset)); f != "taken" {
				t.Errorf("RESET is %s", f)
			}
			if got := b.result(id); got.State != isa88.Idle {
				t.Errorf("after RESET the state is %s", got.State)
			}
		}
		b.shutdown()
	}
}

// Of several commands that wait at once, ABORT and STOP win; HOLD and RESUME
// are taken in their order. Nothing is dropped unseen.
func TestArbitrationByEngine(t *testing.T) {
	t.Parallel()
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, gated(d, 2))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "dev.write" })
	var got []string
	var rcs []engine.Receipt
	for _, c := range []isa88.Command{isa88.Hold, isa88.Reset, isa88.Resume, isa88.Hold} {
		rcs = append(rcs, b.command(id, c))
	}
	d.block <- struct{}{}
	b.await(id, isState(isa88.Held))
	for _, rc := range rcs {
		got = append(got, b.fate(rc))
	}
	if want := []string{"taken", "not allowed in HELD", "taken", "taken"}; !slices.Equal(got, want) {
		t.Errorf("fates are %q, want %q", got, want)
	}
	stop := b.command(id, isa88.Stop)
	b.result(id)
	if f := b.fate(stop); f != "taken" {
		t.Errorf("STOP is %s", f)
	}
}

func TestUnknownWordRefused(t *testing.T) {
	t.Parallel()
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, gated(d, 1))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	var p *engine.Problem
	_, err := b.e.Send(t.Context(), id, engine.Message{Body: args("cmd", "PAUSE")})
	if !errors.As(err, &p) || p.Code != engine.BadRequest || p.Message != `unknown command "PAUSE", allowed are ABORT, STOP, HOLD, RESUME, RESET` {
		t.Errorf("got %v", err)
	}
	close(d.block)
	b.result(id)
}

// A script that handles commands itself gets the highest that its state allows.
func TestRecvCommand(t *testing.T) {
	t.Parallel()
	ready := make(chan struct{})
	sent := make(chan struct{})
	wf := engine.Workflow{Name: "w", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		first, err := r.RecvCommand("RUNNING", "cmd", 0, 8)
		if err != nil || !first.IsNil() {
			return nil, errors.Join(err, errors.New("a command before any was sent"))
		}
		close(ready)
		<-sent
		got, err := r.RecvCommand("RUNNING", "cmd", 0, 8)
		if err != nil {
			return nil, err
		}
		none, err := r.RecvCommand("HELD", "cmd", 0, 8)
		if err != nil || !none.IsNil() {
			return nil, errors.Join(err, errors.New("a command was left"))
		}
		return got, nil
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-ready
	resume, hold, stop := b.command(id, isa88.Resume), b.command(id, isa88.Hold), b.command(id, isa88.Stop)
	chat, err := b.e.Send(t.Context(), id, engine.Message{Body: encoded("hello")})
	if err != nil {
		t.Fatal(err)
	}
	close(sent)
	got := b.result(id)
	v, err := value.Decode(got.Result)
	m, ok := v.(*value.Map)
	if err != nil || !ok {
		t.Fatalf("result is %v, %v; run %+v", v, err, got.Error)
	}
	if word, _ := m.Get("cmd"); word != "STOP" {
		t.Errorf("got %v", word)
	}
	for rc, want := range map[engine.Receipt]string{resume: "not allowed in RUNNING", hold: "superseded by STOP", stop: "taken", chat: "not a command"} {
		if f := b.fate(rc); f != want {
			t.Errorf("message %d is %q, want %q", rc.Message, f, want)
		}
	}
}

// A message whose UUID was seen is dropped, also behind a restart and after it was taken.
func TestMessageUUID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	took := make(chan struct{}, 4)
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for range 2 {
			if _, err := r.Recv("data", 1<<40); err != nil {
				return nil, err
			}
			took <- struct{}{}
		}
		return nil, nil
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	first, err := b.e.Send(t.Context(), id, engine.Message{Topic: "data", Body: encoded(1), UUID: "u1"})
	if err != nil {
		t.Fatal(err)
	}
	<-took
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	<-took // replayed
	again, err := b.e.Send(t.Context(), id, engine.Message{Topic: "data", Body: encoded(1), UUID: "u1"})
	if err != nil || again != first {
		t.Errorf("got %+v, %v, want %+v", again, err, first)
	}
	second, err := b.e.Send(t.Context(), id, engine.Message{Topic: "data", Body: encoded(2), UUID: "u2"})
	if err != nil || second.Message <= first.Message {
		t.Errorf("got %+v, %v", second, err)
	}
	b.result(id)
}

package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// deaf handles commands itself and never asks for them: it makes a call now and then.
func deaf(grace time.Duration) engine.Workflow {
	return engine.Workflow{Name: "deaf", Commands: engine.ByScript, StopGrace: grace, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for {
			if _, err := r.Recv("nothing", time.Second); err != nil {
				return nil, err
			}
		}
	})}
}

// asker handles commands itself, and asks for them all the time.
func asker() engine.Workflow {
	return engine.Workflow{Name: "asker", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		state := "RUNNING"
		for {
			raw, err := r.RecvCommand(state, "cmd", time.Hour, 5)
			if err != nil {
				return nil, err
			}
			v, err := value.Decode(raw)
			if err != nil {
				return nil, err
			}
			m, ok := v.(*value.Map)
			if !ok {
				continue // what came was not allowed
			}
			word, _ := m.Get("cmd")
			if _, err := r.Recv("go", time.Hour); err != nil { // it takes its time
				return nil, err
			}
			switch word {
			case "HOLD":
				state = "HELD"
			case "RESUME":
				state = "RUNNING"
			default:
				return word, nil
			}
		}
	})}
}

// ABORT is the engine's at once, also where the script handles commands and does not ask.
func TestAbortIsTheEnginesInEveryMode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, deaf(0), asker())
		defer b.shutdown()
		for _, name := range []string{"deaf", "asker"} {
			id := b.start(engine.StartRequest{Workflow: name})
			b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep != "" })
			before := time.Now()
			rc := b.command(id, isa88.Abort)
			got := longResult(b, id)
			if f := b.fate(rc); f != "taken" || got.State != isa88.Aborted || got.Error == nil || got.Error.Type != "Aborted" || time.Since(before) > 0 {
				t.Errorf("%s: ABORT is %s after %v, run is %+v, %v", name, f, time.Since(before), got, got.Error)
			}
		}
	})
}

// STOP is the script's if it asks within stop_grace, and then the engine's.
func TestStopGrace(t *testing.T) {
	t.Parallel()
	for grace, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 3 * time.Second: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			b := boot(t, dir, engine.Config{}, journal.Options{}, deaf(grace))
			id := b.start(engine.StartRequest{Workflow: "deaf"})
			b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep != "" })
			before := time.Now()
			rc := b.command(id, isa88.Stop)
			if i, err := b.e.Show(t.Context(), id); err != nil || i.State != isa88.Running || i.Pending == nil || i.Pending.Command != "STOP" || i.Pending.Actor != "eva" {
				t.Errorf("run is %+v, %v", i, err)
			}
			if o := b.e.Outlook(id); o == nil || o.Commands != "script" || o.StopDue == nil || o.StopDue.Sub(before.Truncate(time.Millisecond)) != want {
				t.Errorf("outlook is %+v", o)
			}
			got := longResult(b, id)
			if f := b.fate(rc); f != "taken" || got.State != isa88.Stopped || time.Since(before) != want {
				t.Errorf("STOP is %s after %v, run is %+v", f, time.Since(before), got)
			}
			b.shutdown()
		})
	}
}

// What the script has asked for in time stays its own, and the time begins anew
// with a restart.
func TestStopAskedForInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := boot(t, dir, engine.Config{}, journal.Options{}, asker(), deaf(0))
		id := b.start(engine.StartRequest{Workflow: "asker"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recvCommand" })
		b.command(id, isa88.Stop)
		i := b.await(id, isState(isa88.Stopping))
		if i.Operator == nil || i.Operator.Command != "STOP" || i.CurrentStep != "rt.recv" {
			t.Errorf("run is %+v", i)
		}
		time.Sleep(20 * time.Second)
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: encoded(nil)}); err != nil {
			t.Fatal(err)
		}
		if got := longResult(b, id); got.Status != engine.Success || string(got.Result) != string(encoded("STOP")) {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
		id = b.start(engine.StartRequest{Workflow: "deaf"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep != "" })
		rc := b.command(id, isa88.Stop)
		time.Sleep(6 * time.Second)
		b.shutdown()
		b = boot(t, dir, engine.Config{}, journal.Options{}, asker(), deaf(0))
		before := time.Now()
		got := longResult(b, id)
		if f := b.fate(rc); f != "taken" || got.State != isa88.Stopped || time.Since(before) != 10*time.Second {
			t.Errorf("STOP is %s after %v, run is %+v", f, time.Since(before), got)
		}
		b.shutdown()
	})
}

// The state follows a command at once: from its arrival where the engine takes
// it, from its handing over where the script does.
func TestStatesFollowAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		computing := make(chan struct{})
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			<-computing // between two steps
			return nil, sleep(r, time.Hour)
		})}
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf, asker())
		id := b.start(engine.StartRequest{Workflow: "w"})
		b.await(id, isState(isa88.Running))
		b.command(id, isa88.Hold)
		if i, err := b.e.Show(t.Context(), id); err != nil || i.State != isa88.Holding || i.Held == nil || i.Held.Actor != "eva" {
			t.Errorf("run is %+v, %v", i, err)
		}
		close(computing)
		b.await(id, isState(isa88.Held))
		b.command(id, isa88.Stop)
		longResult(b, id)

		id = b.start(engine.StartRequest{Workflow: "asker"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recvCommand" })
		for _, c := range []struct {
			word isa88.Command
			mid  isa88.State
			end  isa88.State
		}{{isa88.Hold, isa88.Holding, isa88.Held}, {isa88.Resume, isa88.Resuming, isa88.Running}} {
			b.command(id, c.word)
			b.await(id, isState(c.mid))
			b.shutdown() // a restart does not make it another one
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf, asker())
			b.await(id, func(i engine.RunInfo) bool { return i.State == c.mid && i.CurrentStep == "rt.recv" })
			if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: encoded(nil)}); err != nil {
				t.Fatal(err)
			}
			b.await(id, isState(c.end))
		}
		b.shutdown()
	})
}

// A script that names no state is shown as it was.
func TestStateOfScriptThatNamesNone(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if _, err := r.Recv("cmd", time.Hour); err != nil {
			return nil, err
		}
		if _, err := r.RecvCommand("", "cmd", time.Hour, 5); err != nil {
			return nil, err
		}
		return r.Recv("go", time.Hour)
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.fate(b.command(id, isa88.Hold))
	b.fate(b.command(id, isa88.Hold))
	if i := b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" && i.Waits.For == `topic "go"` }); i.State != isa88.Running || i.Operator == nil {
		t.Errorf("run is %+v", i)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Who held a run, when and why, is shown, is in the daemon's log, and outlives a
// restart and the run's end.
func TestWhoWhenWhy(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), &syncBuffer{}
	boot := func() *box {
		return boot(t, dir, engine.Config{Log: slog.New(slog.NewTextHandler(log, nil))}, journal.Options{}, waiter())
	}
	b := boot()
	id := b.start(engine.StartRequest{Workflow: "waiter"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	say := func(c isa88.Command, reason, actor string) {
		t.Helper()
		rc, err := b.e.Command(t.Context(), id, c, reason, actor)
		if err != nil {
			t.Fatal(err)
		}
		b.fate(rc)
	}
	say(isa88.Hold, "a leak", "ada (uid 1000)")
	for range 2 {
		i := b.await(id, isState(isa88.Held))
		for what, w := range map[string]*engine.Word{"held": i.Held, "operator": i.Operator} {
			if w == nil || w.Command != "HOLD" || w.Actor != "ada (uid 1000)" || w.Reason != "a leak" || time.Since(w.At) > time.Hour || w.At.IsZero() {
				t.Errorf("%s is %+v", what, w)
			}
		}
		b.shutdown()
		b = boot()
	}
	b.await(id, isState(isa88.Held))
	say(isa88.Hold, "again", "bob")
	say(isa88.Resume, "dry", "eva")
	if i := b.await(id, isState(isa88.Running)); i.Held != nil || i.Operator == nil || i.Operator.Command != "RESUME" || i.Operator.Actor != "eva" {
		t.Errorf("run is %+v", i)
	}
	if err := b.e.Cancel(t.Context(), id, "wrong batch", "kim"); err != nil {
		t.Fatal(err)
	}
	b.result(id)
	b.shutdown()
	b = boot()
	defer b.shutdown()
	if i := b.result(id); i.Held != nil || i.Operator == nil || i.Operator.Command != "CANCEL" || i.Operator.Actor != "kim" || i.Operator.Reason != "wrong batch" {
		t.Errorf("run is %+v, %+v", i, i.Operator)
	}
	for _, line := range []string{
		`msg="run is HELD" run=` + id + ` command=HOLD fate=taken state=HELD actor="ada (uid 1000)" reason="a leak"`,
		`msg="command was not taken" run=` + id + ` command=HOLD fate="not allowed in HELD" state=HELD actor=bob reason=again`,
		`msg="run is RESUMED" run=` + id + ` command=RESUME fate=taken state=RUNNING actor=eva reason=dry`,
		`msg="run is being cancelled" run=` + id + ` actor=kim reason="wrong batch"`,
	} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %s:\n%s", line, log)
		}
	}
	list, err := b.e.Commands(t.Context(), id)
	if err != nil || len(list) != 4 {
		t.Fatalf("commands are %+v, %v", list, err)
	}
	for i, want := range []struct{ command, actor, reason, fate string }{
		{"HOLD", "ada (uid 1000)", "a leak", "taken"}, {"HOLD", "bob", "again", "not allowed in HELD"}, {"RESUME", "eva", "dry", "taken"}, {"CANCEL", "kim", "wrong batch", "taken"},
	} {
		c := list[i]
		if c.Command != want.command || c.Actor != want.actor || c.Reason != want.reason || c.Fate != want.fate || c.GivenAt.IsZero() || c.DecidedAt == nil || c.Taken != (want.fate == "taken") {
			t.Errorf("command %d is %+v, want %+v", i, c, want)
		}
	}
}

// What a script has drained is listed with who sent it, too, and so is what still waits.
func TestCommandsToScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{}, asker())
	id := b.start(engine.StartRequest{Workflow: "asker"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recvCommand" })
	b.fate(b.command(id, isa88.Resume)) // not allowed
	b.fate(b.command(id, isa88.Hold))
	b.command(id, isa88.Resume) // waits
	for range 2 {
		list, err := b.e.Commands(t.Context(), id)
		if err != nil || len(list) != 3 {
			t.Fatalf("commands are %+v, %v", list, err)
		}
		for i, want := range []string{"not allowed in RUNNING", "taken", ""} {
			if c := list[i]; c.Fate != want || c.Actor != "eva" || c.GivenAt.IsZero() || (c.DecidedAt == nil) != (want == "") {
				t.Errorf("command %d is %+v", i, c)
			}
		}
		if n, live := b.e.Decided(id); n != 2 || !live {
			t.Errorf("%d are decided, %v", n, live)
		}
		b.shutdown()
		b = boot(t, dir, engine.Config{}, journal.Options{}, asker())
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	}
	b.shutdown()
}

// Nobody speaks in another's name, whatever the body says.
func TestActorCannotBeForged(t *testing.T) {
	t.Parallel()
	got := make(chan value.Raw, 9)
	wf := engine.Workflow{Name: "w", Commands: engine.ByScript, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for _, topic := range []string{"cmd", "cmd", "own", "own"} {
			raw, err := r.Recv(topic, time.Hour)
			if err != nil {
				return nil, err
			}
			got <- raw
		}
		return nil, nil
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	for _, c := range []struct {
		topic string
		body  value.Raw
		actor any
	}{
		{"", args("cmd", "RESET", "actor", "the boss", "reason", "I say so"), "mallory"},
		{"cmd", args("note", 1, "actor", "the boss"), "mallory"},
		{"own", args("cmd", "stop", "actor", "the boss"), "mallory"},
		{"own", args("actor", "an actuator"), "an actuator"}, // no command, and none of the engine's business
	} {
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: c.topic, Body: c.body, Actor: "mallory"}); err != nil {
			t.Fatal(err)
		}
		v, err := value.Decode(<-got)
		if err != nil {
			t.Fatal(err)
		}
		if actor, _ := v.(*value.Map).Get("actor"); actor != c.actor {
			t.Errorf("%s came from %v", value.Short(v, 100), actor)
		}
	}
	b.result(id)
	list, err := b.e.Commands(t.Context(), id)
	if err != nil || len(list) == 0 || list[0].Actor != "mallory" || list[0].Reason != "I say so" {
		t.Errorf("commands are %+v, %v", list, err)
	}
}

// A command that another run sends is that run's.
func TestActorOfSend(t *testing.T) {
	t.Parallel()
	sender := engine.Workflow{Name: "sender", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return nil, r.Send("w1", engine.Message{Body: args("cmd", "HOLD", "actor", "ada")})
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter(), sender)
	defer b.shutdown()
	b.start(engine.StartRequest{Workflow: "waiter", ID: "w1"})
	b.result(b.start(engine.StartRequest{Workflow: "sender", ID: "s1"}))
	if i := b.await("w1", isState(isa88.Held)); i.Held == nil || i.Held.Actor != "run s1" {
		t.Errorf("run is %+v", i.Held)
	}
}

// show says what the step at work waits for, and until when.
func TestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			if err := sleep(r, 10*time.Minute); err != nil {
				return nil, err
			}
			return r.Recv("go", time.Hour)
		})}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
		defer b.shutdown()
		began := time.Now()
		id := b.start(engine.StartRequest{Workflow: "w"})
		i := b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep != "" })
		if w := i.Waits; w == nil || w.Step != i.CurrentStep || w.Until == nil || !w.Until.Equal(began.Add(10*time.Minute)) {
			t.Errorf("it waits for %+v", w)
		}
		time.Sleep(10*time.Minute + time.Second)
		i = b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		if w := i.Waits; w == nil || w.For != `topic "go"` || w.Until == nil || !w.Until.Equal(began.Add(70*time.Minute)) {
			t.Errorf("it waits for %+v", w)
		}
		b.command(id, isa88.Stop)
		if got := longResult(b, id); got.Waits != nil || got.Pending != nil {
			t.Errorf("an ended run waits: %+v", got)
		}
	})
}

// An operator's word that a step was done is recorded as his word.
func TestDoneIsTheWordOfAHuman(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	id := interruptedWrite(t, dir, d, 77)
	b := boot(t, dir, engine.Config{}, journal.Options{}, chain(d, 3))
	defer b.shutdown()
	b.await(id, func(i engine.RunInfo) bool { return i.InDoubt != nil })
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Actor: "ada"}); err != nil {
		t.Fatal(err)
	}
	i := b.result(id)
	if i.Operator == nil || i.Operator.Command != "RESOLVE done" || i.Operator.Actor != "ada" {
		t.Errorf("run is %+v", i)
	}
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, s := range steps {
		if s.ResolvedBy == "ada" && s.Recovered {
			said++
		}
	}
	if said != 1 {
		t.Errorf("steps are %+v", steps)
	}
	if list, err := b.e.Commands(t.Context(), id); err != nil || len(list) != 1 || list[0].Command != "RESOLVE done" || list[0].Actor != "ada" || !list[0].Taken {
		t.Errorf("commands are %+v, %v", list, err)
	}
}

// The fates of many commands come as one, those that are not decided as nil.
func TestFatesOfMany(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter(), deaf(0))
	defer b.shutdown()
	var all []engine.Receipt
	for _, name := range []string{"waiter", "deaf", "waiter"} {
		id := b.start(engine.StartRequest{Workflow: name})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		all = append(all, b.command(id, isa88.Hold))
	}
	b.fate(all[0])
	b.fate(all[2])
	over, cancel := context.WithCancel(t.Context())
	cancel()
	fates, err := b.e.Fates(over, all)
	if err != nil || fates[0] == nil || fates[1] != nil || fates[2] == nil || fates[2].Fate != "taken" || fates[2].Message != all[2].Message {
		t.Errorf("fates are %+v, %v", fates, err)
	}
	if _, err := b.e.Fates(t.Context(), []engine.Receipt{{Run: "nix", Message: 1}}); err == nil {
		t.Error("a fate of no run")
	}
}

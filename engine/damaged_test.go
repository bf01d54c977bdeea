package engine_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// A run of whose record a part may be lost is HELD, in doubt, in every further
// life until an operator answers; the others go on.
func TestDamagedRecordIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"retry", "fail", "STOP"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			damagedRecord(t, answer)
		})
	}
}

func damagedRecord(t *testing.T, answer string) {
	dir, d, safe := t.TempDir(), &device{}, &device{}
	const mark = "a text that stands nowhere else"
	wf := engine.Workflow{Name: "w", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}, OnPowerLoss: engine.HoldAfterLoss,
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			if err := errors.Join(write(r, d, 1), r.Progress(mark, nil), write(r, d, 2)); err != nil {
				return nil, err
			}
			return r.Recv("go", 1<<50)
		})}
	boot := func() *box {
		return boot(t, dir, engine.Config{SafeWrite: writeStep{safe}}, journal.Options{}, wf, waiter())
	}
	b := boot()
	id, other := b.start(engine.StartRequest{Workflow: "w"}), b.start(engine.StartRequest{Workflow: "waiter"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	name := filepath.Join(dir, "journal.db")
	raw, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(raw, []byte(mark)) {
		t.Fatalf("the journal has no mark, %v", err)
	}
	if err := os.WriteFile(name, bytes.ReplaceAll(raw, []byte(mark), []byte(strings.ToUpper(mark))), 0o600); err != nil {
		t.Fatal(err)
	}
	for life := range 2 {
		b = boot()
		got := b.await(id, func(i engine.RunInfo) bool { return i.InDoubt != nil })
		if got.State != isa88.Held || got.Status != engine.Running || got.InDoubt.Step != "" ||
			!strings.Contains(got.InDoubt.Why, "lost") || !strings.Contains(got.InDoubt.Why, "its record goes up to step 3, rt.recv") {
			t.Errorf("run is %+v, %+v", got, got.InDoubt)
		}
		h := b.e.Health()
		if h.InDoubt != 1 || !slices.ContainsFunc(h.Alarms, func(a engine.Alarm) bool { return a.Run == id }) {
			t.Errorf("health is %+v", h)
		}
		if life == 0 && !slices.ContainsFunc(h.Alarms, func(a engine.Alarm) bool { return strings.Contains(a.Message, "journal.db was damaged") }) {
			t.Errorf("the loss is no alarm: %+v", h.Alarms)
		}
		if life == 0 {
			b.shutdown()
		}
	}
	defer func() { b.shutdown() }()
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); err == nil {
		t.Error("done is taken as an answer")
	}
	switch answer {
	case "STOP":
		if f := b.fate(b.command(id, isa88.Stop)); f != "taken" {
			t.Errorf("STOP is %s", f)
		}
		if got := b.result(id); got.State != isa88.Stopped || safe.get() != 7 {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
	case "fail":
		if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "fail", Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		if got := b.result(id); got.Status != engine.Error || got.Error.Type != "RecordLost" || !strings.Contains(got.Error.Message, "by ada") || safe.get() != 7 {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
	case "retry":
		if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "retry"}); err != nil {
			t.Fatal(err)
		}
		b.await(id, func(i engine.RunInfo) bool { return i.InDoubt == nil && i.State == isa88.Held }) // as on_power_loss says
		b.shutdown()
		b = boot() // and the question is not asked again
		if got := b.await(id, func(i engine.RunInfo) bool { return i.State == isa88.Held }); got.InDoubt != nil {
			t.Errorf("in doubt again: %+v", got.InDoubt)
		}
		b.command(id, isa88.Resume)
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	}
	if len(d.written()) != 2 {
		t.Errorf("written: %v", d.written())
	}
	if _, err := b.e.Send(t.Context(), other, engine.Message{Topic: "go"}); err != nil {
		t.Error(err)
	}
	if got := b.result(other); got.Status != engine.Success {
		t.Errorf("the other run is %+v", got)
	}
}

// A run whose program is not there any more is HELD, and goes on when it is back.
func TestProgramNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{}, waiter())
	id := b.start(engine.StartRequest{Workflow: "waiter"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{})
	if got := b.await(id, isState(isa88.Held)); got.Error == nil || got.Error.Message != "workflow waiter is not in this program" {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, waiter())
	defer b.shutdown()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
		t.Error(err)
	}
	if got := b.result(id); got.Status != engine.Success {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
}

// shelf loads the sources that it has.
type shelf map[string]engine.Workflow

func (s shelf) Load(bundle []byte, _ string) (engine.Workflow, error) {
	wf, ok := s[string(bundle)]
	if !ok {
		return wf, errors.New("syntax error")
	}
	return wf, nil
}

// A run keeps the source that it was started with.
func TestPinnedSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	edition := func(text string) engine.Workflow {
		wf := waiter()
		wf.Source = engine.Source{Hash: "hash of " + text, Bundle: []byte(text)}
		wf.Program = program(func(ctx context.Context, r *engine.Run) (any, error) {
			_, err := r.Recv("go", 1<<50)
			return text, err
		})
		return wf
	}
	first, second := edition("first"), edition("second")
	b := boot(t, dir, engine.Config{}, journal.Options{}, first)
	old := b.start(engine.StartRequest{Workflow: "waiter"})
	b.await(old, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	for loader, want := range map[*shelf]string{nil: "has changed, and there is nothing to load its old source with", {}: "cannot load the pinned source of workflow waiter: syntax error"} {
		cfg := engine.Config{}
		if loader != nil {
			cfg.Loader = *loader
		}
		b = boot(t, dir, cfg, journal.Options{}, second)
		if got := b.await(old, isState(isa88.Held)); got.Error == nil || !strings.HasSuffix(got.Error.Message, want) {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
		b.shutdown()
	}
	b = boot(t, dir, engine.Config{Loader: shelf{"first": first}}, journal.Options{}, second)
	defer b.shutdown()
	fresh := b.start(engine.StartRequest{Workflow: "waiter"})
	for id, want := range map[string]string{old: "first", fresh: "second"} {
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
			t.Error(err)
		}
		if got := b.result(id); string(got.Result) != string(encoded(want)) {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
	}
}

// on_power_loss says what a restart does to a run.
func TestOnPowerLoss(t *testing.T) {
	t.Parallel()
	for policy, want := range map[engine.PowerLoss]isa88.State{engine.ResumeAfterLoss: isa88.Running, engine.HoldAfterLoss: isa88.Held, engine.StopAfterLoss: isa88.Stopped} {
		dir, safe := t.TempDir(), &device{}
		wf := waiter()
		wf.OnPowerLoss, wf.Commands = policy, engine.ByScript
		wf.SafeState = []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}
		cfg := engine.Config{SafeWrite: writeStep{safe}}
		b := boot(t, dir, cfg, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "waiter"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		b.shutdown()
		b = boot(t, dir, cfg, journal.Options{}, wf)
		b.await(id, isState(want))
		if want == isa88.Held {
			if f := b.fate(b.command(id, isa88.Resume)); f != "taken" {
				t.Errorf("RESUME is %s", f)
			}
		}
		if want != isa88.Stopped {
			if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
				t.Error(err)
			}
			if got := b.result(id); got.Status != engine.Success || safe.get() != 0 {
				t.Errorf("run is %+v, %v", got, got.Error)
			}
		} else if got := b.result(id); got.Status != engine.Cancelled || safe.get() != 7 {
			t.Errorf("run is %+v, %v", got, got.Error)
		}
		b.shutdown()
	}
}

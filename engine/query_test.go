package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// What steps and logs show of a run: polls as one line with a count, attempts,
// failures, what was recovered, the safe state last.
func TestStepsAndLog(t *testing.T) {
	t.Parallel()
	dir, d, safe := t.TempDir(), &device{}, &device{}
	wf := engine.Workflow{Name: "w", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := errors.Join(write(r, d, 1), r.Progress("one", value.NewMap("n", 1)), write(r, d, 2), r.WriteStream("data", "x")); err != nil {
			return nil, err
		}
		for range 5 {
			if _, err := r.Step(engine.Call{Step: readStep{d}, Args: args()}); err != nil {
				return nil, err
			}
		}
		if _, err := r.Recv("go", time.Hour); err != nil {
			return nil, err
		}
		_, err := r.Step(engine.Call{Name: "fails", Args: args("a", 1), Options: engine.StepOptions{MaxAttempts: 2}, Body: func(context.Context) (any, error) { return nil, errors.New("broken") }})
		return nil, err
	})}
	o, cut := cutAt(func(c journal.Change) bool {
		return len(c.Records) > 0 && c.Records[0].Seq == 2 && c.Records[0].Kind == 2
	})
	cfg := engine.Config{SafeWrite: writeStep{safe}}
	b := boot(t, dir, cfg, o, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-cut
	b.crash()
	b = boot(t, dir, cfg, journal.Options{}, wf)
	defer b.shutdown()
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
		t.Fatal(err)
	}
	b.result(id)
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range steps {
		line := fmt.Sprintf("%s %s attempts=%d count=%d recovered=%v", s.Name, s.Status, s.Attempts, s.Count, s.Recovered)
		if s.Error != nil {
			line += " " + s.Error.Message
		}
		if s.CompletedAt == nil || s.Args == nil {
			t.Errorf("step %+v", s)
		}
		lines = append(lines, line)
	}
	want := `dev.write SUCCESS attempts=1 count=1 recovered=false
dev.write SUCCESS attempts=1 count=1 recovered=true
dev.read SUCCESS attempts=1 count=5 recovered=false
fails ERROR attempts=2 count=1 recovered=false broken
dev.write SUCCESS attempts=1 count=1 recovered=false`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("steps are\n%s", got)
	}
	log, err := b.e.Log(t.Context(), id, "", 0)
	if err != nil || len(log) != 2 || log[0].Stream != "log" || log[1].Stream != "data" || string(log[1].Value) != string(encoded("x")) {
		t.Fatalf("log is %+v, %v", log, err)
	}
	v, err := value.Decode(log[0].Value)
	entry, _ := v.(*value.Map)
	if msg, _ := entry.Get("message"); err != nil || msg != "one" || entry.Len() != 3 {
		t.Errorf("entry is %v, %v", v, err)
	}
	if rest, err := b.e.Log(t.Context(), id, "data", log[1].Seq); err != nil || len(rest) != 0 {
		t.Errorf("rest is %+v, %v", rest, err)
	}
}

// A run is found by a prefix that only it has.
func TestFind(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter())
	defer b.shutdown()
	for _, id := range []string{"line-1", "line-10", "line-2", "tank"} {
		b.start(engine.StartRequest{Workflow: "waiter", ID: id})
	}
	b.command("line-2", isa88.Abort)
	b.result("line-2")
	for ref, want := range map[string]string{
		"line-1": "line-1", "line-10": "line-10", "t": "tank", "line-2": "line-2",
		"line-": "line- is the beginning of several runs: line-1, line-10, line-2",
		"x":     "no such run: x", "": `"" is not a run's id`, "a b": `"a b" is not a run's id`,
	} {
		got, err := b.e.Find(t.Context(), ref)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", ref, got, want)
		}
	}
}

// Lists of runs, live and ended, and what is asked of runs that are not there.
func TestRunsAndUnknown(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter(), chain(&device{}, 1))
	defer b.shutdown()
	var last string
	for range 3 {
		last = b.start(engine.StartRequest{Workflow: "chain"})
		b.result(last)
	}
	live := b.start(engine.StartRequest{Workflow: "waiter"})
	for f, want := range map[engine.Filter]int{{}: 4, {Limit: 2}: 2, {Status: engine.Success}: 3, {Workflow: "waiter"}: 1, {Workflow: "none"}: 0, {Since: time.Now().Add(time.Hour)}: 0, {Partition: "p"}: 0} {
		runs, err := b.e.Runs(t.Context(), f)
		if err != nil || len(runs) != want {
			t.Errorf("%+v: %d runs, %v", f, len(runs), err)
		}
		if f == (engine.Filter{}) && (runs[0].ID != live || runs[1].ID != last) {
			t.Errorf("the newest are %s, %s", runs[0].ID, runs[1].ID)
		}
	}
	ctx := t.Context()
	_, err1 := b.e.Show(ctx, "none")
	_, err2 := b.e.Steps(ctx, "none")
	_, err3 := b.e.Log(ctx, "none", "", 0)
	_, _, err4 := b.e.Await(ctx, "none", 0)
	_, err5 := b.e.Command(ctx, "none", isa88.Hold, "", "")
	_, err6 := b.e.Send(ctx, "none", engine.Message{})
	_, err7 := b.e.Fate(ctx, engine.Receipt{Run: "none", Message: 1})
	err8 := b.e.Cancel(ctx, "none", "", "")
	err9 := b.e.Resolve(ctx, "none", engine.Answer{Decision: "done"})
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9} {
		var p *engine.Problem
		if !errors.As(err, &p) || p.Code != engine.NotFound {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

// Where a run has ended, RESET leaves what is owed of its safe state, and commands
// tell their fate still.
func TestEndedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testEndedRun) // for the pauses between attempts at the safe state
}

func testEndedRun(t *testing.T) {
	d, safe := &device{refuse: errors.New("broken")}, &device{refuse: engine.Errorf("GuardRefused", "out of range")}
	dir := t.TempDir()
	wf := safeWorkflow(d)
	b := boot(t, dir, engine.Config{SafeWrite: writeStep{safe}, Workers: 1}, journal.Options{}, wf)
	defer func() { b.shutdown() }()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	got := b.result(id)
	if got.Status != engine.Error || got.SafeState[0].OK || !strings.Contains(got.SafeState[0].Detail, "out of range") {
		t.Errorf("run is %+v", got)
	}
	synctest.Wait() // until what is owed has been tried, and is not just being sent
	if a := b.e.Health().Alarms; len(a) != 2 || a[0].Run != id || a[0].Message != "safe state of valve not reached: dev.write: GuardRefused: out of range" {
		t.Errorf("alarms are %+v", a)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{SafeWrite: writeStep{safe}}, journal.Options{}, wf)
	rc := b.command(id, isa88.Reset)
	if f, err := b.e.Fate(t.Context(), rc); err != nil || !f.Taken || f.State != isa88.Idle {
		t.Errorf("RESET is %+v, %v", f, err)
	}
	if got := b.result(id); got.State != isa88.Idle || got.Status != engine.Error || len(b.e.Health().Alarms) != 2 || len(got.Obligations) != 2 {
		t.Errorf("run is %+v", got)
	}
	for _, c := range isa88.Commands() {
		var p *engine.Problem
		if _, err := b.e.Command(t.Context(), id, c, "", ""); !errors.As(err, &p) || p.Code != engine.Refused {
			t.Errorf("%s: %v", c, err)
		}
	}
	if f, err := b.e.Fate(t.Context(), engine.Receipt{Run: id, Message: 99}); err != nil || f.Fate != "the run has ended" || f.Taken {
		t.Errorf("got %+v, %v", f, err)
	}
}

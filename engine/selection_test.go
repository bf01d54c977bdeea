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

// tell sends a command to a selection.
func (b *box) tell(s engine.Selection, c isa88.Command) engine.Dispatch {
	b.t.Helper()
	d, err := b.e.CommandAll(b.t.Context(), s, c, "end of shift", "eva")
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// busy writes for ever.
func busy(d *device) engine.Workflow {
	return engine.Workflow{Name: "busy", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		for i := int64(1); ; i++ {
			if err := write(r, d, i); err != nil {
				return nil, err
			}
		}
	})}
}

// runsOf lists the runs of receipts.
func runsOf(rcs []engine.Receipt) (ids []string) {
	for _, rc := range rcs {
		ids = append(ids, rc.Run)
	}
	return ids
}

// STOP and ABORT of all reach each run, waiting or executing, though those that
// end make room for others meanwhile. None is left, and nothing writes any more.
func TestStopAllLeavesNone(t *testing.T) {
	t.Parallel()
	for round, c := range []isa88.Command{isa88.Stop, isa88.Abort, isa88.Stop, isa88.Abort} {
		d := &device{}
		b := boot(t, t.TempDir(), engine.Config{Workers: 3}, journal.Options{}, busy(d))
		var ids []string
		for range 60 {
			ids = append(ids, b.start(engine.StartRequest{Workflow: "busy"}))
		}
		got := b.tell(engine.Selection{All: true}, c)
		if told := runsOf(got.Told); !slices.Equal(told, ids) || len(got.Refused) != 0 {
			t.Errorf("round %d: told %v, refused %v; want %v", round, told, got.Refused, ids)
		}
		for _, id := range ids {
			if i := b.result(id); i.Status != engine.Cancelled || !strings.HasSuffix(i.Error.Message, " by eva: end of shift") {
				t.Errorf("round %d: run is %+v", round, i)
			}
		}
		if h := b.e.Health(); h.Running+h.Enqueued != 0 {
			t.Errorf("round %d: left are %+v", round, h)
		}
		b.shutdown()
	}
}

// Runs that end by themselves meanwhile are no failure, and what is started
// meanwhile is told or goes on: each run has its end in either way.
func TestStopAllWhileRunsComeAndGo(t *testing.T) {
	t.Parallel()
	short := engine.Workflow{Name: "short", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		return nil, write(r, &device{}, 1)
	})}
	b := boot(t, t.TempDir(), engine.Config{Workers: 3}, journal.Options{}, short)
	defer b.shutdown()
	told := map[string]bool{}
	var ids []string
	for range 20 {
		for range 10 {
			ids = append(ids, b.start(engine.StartRequest{Workflow: "short"}))
		}
		got := b.tell(engine.Selection{Workflow: "short"}, isa88.Stop)
		for _, id := range runsOf(got.Told) {
			told[id] = true
		}
		if len(got.Refused) != 0 {
			t.Errorf("refused are %v", got.Refused)
		}
	}
	for _, id := range ids {
		if got := b.result(id); got.State != isa88.Complete && !told[id] {
			t.Errorf("run %s ended in %s without having been told", id, got.State)
		}
	}
}

// All are told in one commit, and a crash at any of them leaves none told.
func TestCommandAllIsOneCommit(t *testing.T) {
	t.Parallel()
	const runs = 50
	deaf := waiter()
	deaf.Commands = engine.ByScript // so that nothing is decided on
	dir := t.TempDir()
	left := -1
	o := journal.Options{BeforeAppend: func(_ uint64, c journal.Change) error {
		if len(c.Inbox) > 0 {
			if left--; left == 0 {
				return errCut
			}
		}
		return nil
	}}
	b := boot(t, dir, engine.Config{}, o, deaf)
	var ids []string
	for range runs {
		id := b.start(engine.StartRequest{Workflow: "waiter"})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		ids = append(ids, id)
	}
	if err := b.j.Sync(); err != nil {
		t.Fatal(err)
	}
	before := b.j.Stats().Commits
	if got := b.tell(engine.Selection{All: true}, isa88.Hold); len(got.Told) != runs {
		t.Errorf("told are %v", got)
	}
	if n := b.j.Stats().Commits - before; n != 1 {
		t.Errorf("%d commits for %d runs", n, runs)
	}
	for i, id := range ids {
		if n := len(b.record(id).Inbox); n != 1 {
			t.Errorf("run %d has %d messages on disk", i, n)
		}
	}
	left = runs / 2
	var p *engine.Problem
	if _, err := b.e.CommandAll(t.Context(), engine.Selection{All: true}, isa88.Stop, "", ""); !errors.As(err, &p) || p.Code != engine.Unavailable {
		t.Errorf("with the journal cut: %v", err)
	}
	b.shutdown()
	left = -1
	b = boot(t, dir, engine.Config{}, o, deaf)
	defer b.shutdown()
	for i, id := range ids {
		if n := len(b.record(id).Inbox); n != 1 {
			t.Errorf("after the restart run %d has %d messages", i, n)
		}
	}
}

// A command that a run's state does not allow is refused, with the state; but
// STOP reaches a run whose script says that it is over.
func TestCommandAllByState(t *testing.T) {
	t.Parallel()
	said := make(chan struct{}, 1)
	liar := engine.Workflow{Name: "liar", Commands: engine.ByScript, Program: program(func(_ context.Context, r *engine.Run) (any, error) {
		if _, err := r.RecvCommand("COMPLETE", "cmd", 0, 1); err != nil {
			return nil, err
		}
		said <- struct{}{}
		return r.RecvCommand("", "cmd", 1<<50, 1)
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter(), liar)
	defer b.shutdown()
	held, going, over := b.start(engine.StartRequest{Workflow: "waiter"}), b.start(engine.StartRequest{Workflow: "waiter"}), b.start(engine.StartRequest{Workflow: "liar"})
	<-said
	b.command(held, isa88.Hold)
	b.await(held, isState(isa88.Held))
	b.await(going, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	got := b.tell(engine.Selection{All: true}, isa88.Hold)
	want := []engine.Refusal{{Run: held, State: isa88.Held}, {Run: over, State: isa88.Complete}}
	if !slices.Equal(runsOf(got.Told), []string{going}) || !slices.Equal(got.Refused, want) {
		t.Errorf("HOLD came to %+v", got)
	}
	b.await(going, isState(isa88.Held))
	if got := b.tell(engine.Selection{Workflow: "liar"}, isa88.Stop); !slices.Equal(runsOf(got.Told), []string{over}) || len(got.Refused) != 0 {
		t.Errorf("STOP of one workflow came to %+v", got)
	}
	b.result(over)
	if got := b.tell(engine.Selection{All: true}, isa88.Stop); !slices.Equal(runsOf(got.Told), []string{held, going}) {
		t.Errorf("STOP came to %+v", got)
	}
	b.result(held)
	b.result(going)
	if got := b.tell(engine.Selection{All: true}, isa88.Stop); len(got.Told)+len(got.Refused) != 0 {
		t.Errorf("with no run left STOP came to %+v", got)
	}
}

func TestBadSelections(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter())
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "waiter"})
	for _, c := range []struct {
		s      engine.Selection
		word   isa88.Command
		reason string
		code   engine.Code
		want   string
	}{
		{engine.Selection{}, isa88.Stop, "", engine.BadRequest, "selected either by all"},
		{engine.Selection{All: true, Workflow: "waiter"}, isa88.Stop, "", engine.BadRequest, "selected either by all"},
		{engine.Selection{Partition: "p"}, isa88.Stop, "", engine.Refused, "partitions are not available yet"},
		{engine.Selection{Workflow: "none"}, isa88.Stop, "", engine.NotFound, "there is no workflow none"},
		{engine.Selection{All: true}, "PAUSE", "", engine.BadRequest, `unknown command "PAUSE"`},
		{engine.Selection{All: true}, isa88.Stop, strings.Repeat("x", 5000), engine.BadRequest, "the reason has 5000 bytes, at most 4096"},
	} {
		var p *engine.Problem
		if _, err := b.e.CommandAll(t.Context(), c.s, c.word, c.reason, ""); !errors.As(err, &p) || p.Code != c.code || !strings.Contains(p.Message, c.want) {
			t.Errorf("%+v %s: %v", c.s, c.word, err)
		}
	}
	if n := len(b.record(id).Inbox); n != 0 {
		t.Errorf("the run has %d messages", n)
	}
	b.command(id, isa88.Abort)
	b.result(id)
}

// Several selections at once, in which the same runs are, all come to an end.
func TestSelectionsAtOnce(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{Workers: 2}, journal.Options{}, waiter())
	defer b.shutdown()
	for i := range 20 {
		b.start(engine.StartRequest{Workflow: "waiter", ID: fmt.Sprint("w", i)})
	}
	done := make(chan error)
	for i := range 8 {
		go func() {
			c := []isa88.Command{isa88.Hold, isa88.Resume}[i%2]
			_, err := b.e.CommandAll(t.Context(), []engine.Selection{{All: true}, {Workflow: "waiter"}}[i/2%2], c, "", "")
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	b.tell(engine.Selection{All: true}, isa88.Stop)
	for i := range 20 {
		b.result(fmt.Sprint("w", i))
	}
}

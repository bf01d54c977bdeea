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

// A shutdown is not a cancel: a program that asks, and acts on the answer,
// would do otherwise when it is replayed.
func TestShutdownIsNoCancel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	working := make(chan struct{})
	var lives atomic.Int32
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := r.Progress("working", nil); err != nil {
			return nil, err
		}
		if lives.Add(1) == 1 {
			close(working)
			<-ctx.Done()
		}
		if r.IsCancelled() {
			return nil, errors.Join(r.Progress("cleaning up", nil), r.CheckCancelled())
		}
		return "whole", r.Progress("done", nil)
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-working
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if got := b.result(id); got.Status != engine.Success {
		t.Errorf("run is %+v, %v", got, got.Error)
	}
}

// A result that a program holds stays as it was when the run goes on live.
func TestReplayedResultIsNotOverwritten(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{value: 1 << 40}
	var lives atomic.Int32
	reading := make(chan struct{})
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		read, err := r.Step(engine.Call{Step: readStep{d}, Args: args()})
		if err != nil {
			return nil, err
		}
		if lives.Add(1) == 1 {
			close(reading)
			<-ctx.Done()
		}
		for range 3 {
			if _, err := r.Recv("go", 0); err != nil {
				return nil, err
			}
		}
		return read, nil
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	<-reading
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if got := b.result(id); string(got.Result) != string(encoded(int64(1<<40))) {
		t.Errorf("result is %x, %v", got.Result, got.Error)
	}
}

// A program that fails where its record goes on does not do what it did: it is HELD.
func TestFailureDuringReplayIsHeld(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	var broken bool
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if broken {
			return nil, errors.New("no such key")
		}
		if err := write(r, d, 1); err != nil {
			return nil, err
		}
		return r.Recv("go", 1<<50)
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	broken = true
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	got := b.await(id, isState(isa88.Held))
	if got.Error == nil || got.Error.Type != "NonDeterminism" || !strings.HasSuffix(got.Error.Message, "it has ended with no such key at ") {
		t.Errorf("error is %+v", got.Error)
	}
	b.shutdown()
	broken = false
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(id); got.Status != engine.Success || len(d.written()) != 1 {
		t.Errorf("run is %+v, wrote %v", got, d.written())
	}
}

// now, random and uuid are the same on replay, as are messages, and the place
// of each poll.
func TestChosenValuesAreReplayed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var seen [][]any
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		now, err1 := r.Now()
		random, err2 := r.Random()
		id, err3 := r.UUID()
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		if random < 0 || random >= 1 || len(id) != 36 || id[14] != '4' {
			return nil, errors.New("random or uuid is off")
		}
		seen = append(seen, []any{now, random, id})
		for range 5 { // one record with a count
			if _, err := r.Recv("nothing", 0); err != nil {
				return nil, err
			}
		}
		_, err := r.Recv("go", 1<<50)
		return value.Tuple{now, random, id}, err
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	for range 3 {
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		b.shutdown()
		b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	}
	defer func() { b.shutdown() }()
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
		t.Fatal(err)
	}
	got := b.result(id)
	if got.Status != engine.Success || len(seen) != 4 || got.Recoveries != 3 {
		t.Fatalf("run is %+v, %v, lives %v", got, got.Error, seen)
	}
	for _, s := range seen {
		if string(encoded(value.Tuple(s))) != string(got.Result) {
			t.Errorf("%v is not %v", s, seen[0])
		}
	}
	if run := b.record(id); len(run.Records) != 3+1+2+4 { // values, polls, receive, notes
		t.Errorf("%d records: %+v", len(run.Records), run.Records)
	}
}

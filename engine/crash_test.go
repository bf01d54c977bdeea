package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// cutAt makes the journal fail at the first change that match accepts, and
// closes the channel then.
func cutAt(match func(journal.Change) bool) (journal.Options, <-chan struct{}) {
	cut := make(chan struct{})
	var once sync.Once
	return journal.Options{BeforeAppend: func(_ uint64, c journal.Change) error {
		if !match(c) {
			return nil
		}
		once.Do(func() { close(cut) })
		return errCut
	}}, cut
}

// crash ends a life whose journal has failed.
func (b *box) crash() {
	b.t.Helper()
	b.stop()
	<-b.over
	if err := b.j.Close(); err == nil {
		b.t.Fatal("the journal was to fail")
	}
}

func hasEnd(c journal.Change) bool { return c.End != nil }

// A STOP or an ABORT that was taken holds, even if the process ends before the run does.
func TestStopSurvivesCrash(t *testing.T) {
	t.Parallel()
	for _, word := range []isa88.Command{isa88.Stop, isa88.Abort} {
		dir, d := t.TempDir(), &device{}
		o, cut := cutAt(hasEnd)
		wf := gated(d, 3)
		b := boot(t, dir, engine.Config{}, o, wf)
		id := b.start(engine.StartRequest{Workflow: "chain"})
		<-d.atGate // before that an ABORT keeps the write from being sent
		rc := b.command(id, word)
		close(d.block)
		<-cut
		b.crash()
		b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
		got := b.result(id)
		if f := b.fate(rc); f != "taken" || got.Status != engine.Cancelled || got.State != map[isa88.Command]isa88.State{isa88.Stop: isa88.Stopped, isa88.Abort: isa88.Aborted}[word] || len(d.written()) != 1 {
			t.Errorf("%s is %q, run is %+v (%v), wrote %v", word, f, got, got.Error, d.written())
		}
		b.shutdown()
	}
}

// The UUID of a command that the engine took has been seen, behind a restart too.
func TestCommandUUIDSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wf := waiter()
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "waiter"})
	hold := engine.Message{Body: args("cmd", "HOLD"), UUID: "h1"}
	first, err := b.e.Send(t.Context(), id, hold)
	if err != nil {
		t.Fatal(err)
	}
	b.await(id, isState(isa88.Held))
	if f := b.fate(b.command(id, isa88.Resume)); f != "taken" {
		t.Fatalf("RESUME is %s", f)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	again, err := b.e.Send(t.Context(), id, hold)
	if err != nil || again != first {
		t.Errorf("got %+v, %v, want %+v", again, err, first)
	}
	next := b.command(id, isa88.Stop)
	if next.Message != first.Message+2 {
		t.Errorf("number %d behind %d", next.Message, first.Message+1)
	}
	b.result(id)
	// Nor does the end of the run make it a stranger.
	if again, err = b.e.Send(t.Context(), id, hold); err != nil || again != first {
		t.Errorf("got %+v, %v, want %+v", again, err, first)
	}
	var p *engine.Problem
	if _, err = b.e.Send(t.Context(), id, engine.Message{Topic: "x", UUID: "h2"}); !errors.As(err, &p) || p.Code != engine.Refused {
		t.Errorf("a new message for an ended run: %v", err)
	}
}

// waiter waits for a message on "go" and returns it.
func waiter() engine.Workflow {
	return engine.Workflow{Name: "waiter", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Recv("go", 1<<50)
	})}
}

// One question takes one answer.
func TestSecondAnswerRefused(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	id := interruptedWrite(t, dir, d, 77)
	wf := chain(d, 3)
	wf.Program = program(func(ctx context.Context, r *engine.Run) (any, error) {
		for i := int64(1); i <= 3; i++ {
			if err := write(r, d, i); err != nil {
				return nil, err
			}
		}
		return r.Recv("go", 1<<50)
	})
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.await(id, isState(isa88.Held))
	var refused, accepted int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Actor: "eva"})
			var p *engine.Problem
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted++
			case errors.As(err, &p) && p.Code == engine.Refused:
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if accepted != 1 || refused != 7 {
		t.Errorf("%d answers accepted, %d refused", accepted, refused)
	}
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	if run := b.record(id); len(run.Inbox) != 0 {
		t.Errorf("left in the mailbox: %+v", run.Inbox)
	}
}

// record reads what the journal has of a run.
func (b *box) record(id string) journal.Run {
	b.t.Helper()
	refs, err := b.j.Find(b.t.Context(), id, 1)
	if err != nil || len(refs) != 1 {
		b.t.Fatalf("found %v, %v", refs, err)
	}
	run, err := journaltest.Load(b.j, refs[0].Run)
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// An answer that was on disk and not taken when the power went is dropped if
// evidence needs none any more: it must not meet a later question.
func TestMootAnswerIsDropped(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	id := interruptedWrite(t, dir, d, 77)
	wf := engine.Workflow{Name: "chain", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for i := int64(1); i <= 3; i++ {
			if err := write(r, d, i); err != nil {
				return nil, err
			}
		}
		return r.Recv("go", 1<<50)
	})}
	o, cut := cutAt(func(c journal.Change) bool { return len(c.Taken) > 0 })
	b := boot(t, dir, engine.Config{}, o, wf)
	b.await(id, isState(isa88.Held))
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "fail", Actor: "eva"}); err != nil {
		t.Fatal(err)
	}
	<-cut
	b.crash()
	d.set(2) // as the write in doubt wanted it
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	if run := b.record(id); len(run.Inbox) != 0 {
		t.Errorf("left in the mailbox: %+v", run.Inbox)
	}
}

// An answer that was on disk and not taken when the power went is taken in the next life.
func TestAnswerSurvivesCrash(t *testing.T) {
	t.Parallel()
	for answer, wrote := range map[string][]int64{"done": {3}, "retry": {2, 3}} {
		dir, d := t.TempDir(), &device{}
		id := interruptedWrite(t, dir, d, 77)
		o, cut := cutAt(func(c journal.Change) bool { return len(c.Taken) > 0 })
		b := boot(t, dir, engine.Config{}, o, chain(d, 3))
		b.await(id, isState(isa88.Held))
		if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: answer, Actor: "eva"}); err != nil {
			t.Fatal(err)
		}
		<-cut
		b.crash()
		b = boot(t, dir, engine.Config{}, journal.Options{}, chain(d, 3))
		if got := b.result(id); got.Status != engine.Success || !slices.Equal(d.written(), wrote) {
			t.Errorf("%s: run is %+v, wrote %v", answer, got, d.written())
		}
		b.shutdown()
	}
}

// A run whose record could not be replayed had its safe state written. When it
// can be replayed again it goes on, and its end writes the safe state anew.
func TestSafeStateIsWrittenAnew(t *testing.T) {
	t.Parallel()
	dir, d, safe := t.TempDir(), &device{}, &device{}
	first := int64(1)
	wf := engine.Workflow{Name: "w", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(100))}, {Tag: "pump", Value: encoded(int64(200))}},
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			if err := write(r, d, first); err != nil {
				return nil, err
			}
			if _, err := r.Recv("go", 1<<50); err != nil {
				return nil, err
			}
			return nil, errors.New("the recipe is bad")
		})}
	cfg := engine.Config{SafeWrite: writeStep{safe}}
	b := boot(t, dir, cfg, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()

	first = 5
	b = boot(t, dir, cfg, journal.Options{}, wf)
	b.await(id, func(i engine.RunInfo) bool { return len(i.SafeState) == 2 })
	if f := b.fate(b.command(id, isa88.Resume)); f != "not allowed while the record cannot be replayed: STOP, ABORT or cancel" {
		t.Errorf("RESUME is %q", f)
	}
	b.shutdown()

	first = 1
	// The power goes when the first line has begun, and again when it is done.
	begun := func(c journal.Change) bool {
		return len(c.Records) == 1 && c.Records[0].Seq&(1<<31) != 0 && c.Records[0].Kind == 2
	}
	o, cut := cutAt(begun)
	b = boot(t, dir, cfg, o, wf)
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
		t.Fatal(err)
	}
	<-cut
	b.crash()
	safe.set(0) // somebody else
	b = boot(t, dir, cfg, journal.Options{}, wf)
	defer b.shutdown()
	got := b.result(id)
	if got.Status != engine.Error || len(got.SafeState) != 2 || !slices.Equal(safe.written(), []int64{100, 200, 100, 0, 200}) && !slices.Equal(safe.written(), []int64{100, 200, 100, 0, 100, 200}) {
		t.Errorf("run is %+v, safe state %v", got, safe.written())
	}
}

// A key that JSON knows twice, and all else that JSON would lose, does not
// keep an ended run from being shown.
func TestSummaryKeepsValues(t *testing.T) {
	t.Parallel()
	odd := &value.Map{Pairs: []value.Pair{{Key: int64(1), Value: "a"}, {Key: "1", Value: []byte{0}}, {Key: value.Tuple{int64(2)}, Value: value.Set{}}}}
	wf := engine.Workflow{Name: "w", AnyInput: true, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return odd, r.SetEvent("odd", odd)
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w", Inputs: args("x", odd)})
	got := b.result(id)
	if string(got.Result) != string(encoded(odd)) || string(got.Events["odd"]) != string(encoded(odd)) || string(got.Inputs) != string(args("x", odd)) {
		t.Errorf("run is %+v", got)
	}
	if runs, err := b.e.Runs(t.Context(), engine.Filter{}); err != nil || len(runs) != 1 {
		t.Errorf("runs are %v, %v", runs, err)
	}
}

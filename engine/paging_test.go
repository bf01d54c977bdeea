package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// wordy is a program with much in its record: steps that repeat one another soon
// and late, so that records refer to others, polls, failures, a log.
func wordy(d *device, rounds int) engine.Workflow {
	return engine.Workflow{Name: "wordy", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for i := range rounds {
			if err := errors.Join(write(r, d, int64(i%3)), write(r, d, int64(100+i%50)), write(r, d, int64(1000+i))); err != nil {
				return nil, err
			}
			for range i % 4 {
				if _, err := r.Step(engine.Call{Step: readStep{d}, Args: args()}); err != nil {
					return nil, err
				}
			}
			if err := errors.Join(r.Progress(fmt.Sprint("round ", i), nil), r.WriteStream("data", i)); err != nil {
				return nil, err
			}
			if _, err := r.Step(engine.Call{Name: "fails", Args: args("a", i%2), Body: func(context.Context) (any, error) { return nil, errors.New("broken") }}); err == nil {
				return nil, errors.New("it did not fail")
			}
		}
		_, err := r.Recv("go", 1<<50)
		return nil, err
	})}
}

// From any place on, steps and log are the rest of the whole, of a live run and
// of one that has ended; and the whole is what the program did.
func TestStepsFromAnyPlace(t *testing.T) {
	t.Parallel()
	const rounds = 400
	d, safe := &device{}, &device{}
	b := boot(t, t.TempDir(), engine.Config{SafeWrite: writeStep{safe}}, journal.Options{}, wordy(d, rounds))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "wordy"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	check := func(when string) {
		t.Helper()
		whole, err := b.e.Steps(t.Context(), id)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		var values []int64
		for _, s := range whole {
			if s.Name == "dev.write" && s.Seq < 1<<30 {
				v, err := value.Decode(s.Args)
				if err != nil {
					t.Fatal(err)
				}
				n, _ := v.(*value.Map).Get("value")
				values = append(values, n.(int64))
			}
		}
		if !slices.Equal(values, d.written()) || len(values) != 3*rounds {
			t.Errorf("%s: %d writes are listed, %d were made", when, len(values), len(d.written()))
		}
		log, err := b.e.Log(t.Context(), id, "", 0)
		if err != nil || len(log) != 2*rounds {
			t.Errorf("%s: the log has %d entries, %v", when, len(log), err)
		}
		for i := 0; i < len(whole); i += 1 + i/7 {
			var got []engine.StepInfo
			if err := b.e.EachStep(t.Context(), id, whole[i].Seq, func(s engine.StepInfo) bool {
				got = append(got, s)
				return len(got) < 100
			}); err != nil {
				t.Fatal(err)
			}
			if want := whole[i:min(len(whole), i+100)]; !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, from %d on:\ngot  %+v\nwant %+v", when, whole[i].Seq, got[0], want[0])
			}
		}
		for i := range log {
			var got []engine.LogEntry
			if err := b.e.EachLogEntry(t.Context(), id, "", log[i].Seq, func(l engine.LogEntry) bool {
				got = append(got, l)
				return len(got) < 3
			}); err != nil {
				t.Fatal(err)
			}
			if want := log[i+1 : min(len(log), i+4)]; len(want) != len(got) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, behind %d: got %+v", when, log[i].Seq, got)
			}
		}
	}
	check("live")
	b.command(id, isa88.Stop)
	b.result(id)
	check("ended")
	if steps, err := b.e.Steps(t.Context(), id); err != nil || steps[len(steps)-1].Seq != 1<<31 {
		t.Errorf("the safe state is not the last: %+v, %v", steps[len(steps)-1], err)
	}
}

// What is asked for with a context ends with it.
func TestQueriesHeedTheirContext(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{SafeWrite: writeStep{&device{}}}, journal.Options{}, wordy(&device{}, 300), chain(&device{}, 1))
	defer b.shutdown()
	for range 3 {
		b.result(b.start(engine.StartRequest{Workflow: "chain"}))
	}
	live, ended := b.start(engine.StartRequest{Workflow: "wordy"}), b.start(engine.StartRequest{Workflow: "wordy"})
	for _, id := range []string{live, ended} {
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	}
	b.command(ended, isa88.Abort)
	b.result(ended)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, id := range []string{live, ended} {
		_, err1 := b.e.Runs(gone, engine.Filter{})
		_, err2 := b.e.Steps(gone, id)
		_, err3 := b.e.Log(gone, id, "", 0)
		_, err4 := b.e.Find(gone, id[:len(id)-1])
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("question %d about %s: %v", i+1, id, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		if err := b.e.EachStep(ctx, id, 0, func(engine.StepInfo) bool {
			if n++; n == 500 {
				cancel()
			}
			return true
		}); n != 500 || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %d steps, %v", id, n, err)
		}
	}
	for _, ask := range []func() error{
		func() error { _, err := b.e.Show(gone, ended); return err },
		func() error { _, _, err := b.e.Await(gone, ended, 0); return err },
		func() error { _, err := b.e.Send(gone, ended, engine.Message{Topic: "x", UUID: "u"}); return err },
		func() error { _, err := b.e.Fate(gone, engine.Receipt{Run: ended, Message: 1}); return err },
		func() error { _, err := b.e.Start(gone, engine.StartRequest{Workflow: "chain", ID: ended}); return err },
	} {
		if err := ask(); !errors.Is(err, context.Canceled) {
			t.Errorf("of a run that has ended: %v", err)
		}
	}
}

// An entry that goes bad while the journal is open costs its own run, not the
// start: without its header a run does not go on, without a part of what it did
// it is HELD, and the others go on.
func TestBadEntriesAtStart(t *testing.T) {
	t.Parallel()
	const inHeader = "a text in one header and nowhere else"
	dir, d := t.TempDir(), &device{}
	wf := engine.Workflow{Name: "w", AnyInput: true, Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := errors.Join(write(r, d, 1), r.Progress("begun "+r.ID(), nil)); err != nil {
			return nil, err
		}
		return r.Recv("go", 1<<50)
	})}
	quiet := engine.Workflow{Name: "quiet", AnyInput: true, Program: waiter().Program}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf, quiet)
	ids := []string{
		b.start(engine.StartRequest{Workflow: "quiet", Inputs: args("x", inHeader)}),
		b.start(engine.StartRequest{Workflow: "w", ID: "spoilt-run"}), b.start(engine.StartRequest{Workflow: "w"}),
	}
	for _, id := range ids {
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	}
	b.shutdown()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spoil(t, filepath.Join(dir, "journal.db"), inHeader)
	spoil(t, filepath.Join(dir, "journal.db"), "begun spoilt-run")
	b = bootOn(t, j, engine.Config{}, wf, quiet)
	defer b.shutdown()
	alarms := b.e.Health().Alarms
	if !slices.ContainsFunc(alarms, func(a engine.Alarm) bool {
		return strings.Contains(a.Message, "a live run does not go on") && strings.Contains(a.Message, "header of run 1")
	}) {
		t.Errorf("alarms are %+v", alarms)
	}
	if got := b.await(ids[1], isState(isa88.Held)); got.Error == nil || got.Error.Type != "RecordUnreadable" || !strings.Contains(got.Error.Message, "of run 2: record is damaged") {
		t.Errorf("without a part of its record the run is %+v, %v", got, got.Error)
	}
	b.await(ids[2], func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	if _, err := b.e.Send(t.Context(), ids[2], engine.Message{Topic: "go"}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(ids[2]); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
	if len(d.written()) != 2 {
		t.Errorf("written: %v", d.written())
	}
}

// spoil changes a text that lies in a file, in place.
func spoil(t *testing.T, path, text string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := 0; ; n++ {
		i := bytes.Index(raw[at:], []byte(text))
		if i < 0 {
			break
		}
		at += i + len(text)
		if _, err := f.WriteAt([]byte{raw[at-1] ^ 1}, int64(at-1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil || n == 0 {
		t.Fatalf("%q stands there %d times, %v", text, n, err)
	}
}

// bootOn is boot on a journal that is open.
func bootOn(t *testing.T, j *journal.Journal, cfg engine.Config, ws ...engine.Workflow) *box {
	t.Helper()
	e, err := engine.New(cfg, j)
	if err == nil {
		err = e.Register(ws...)
	}
	if err == nil {
		_, err = e.Recover(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	b := &box{t: t, j: j, e: e, stop: stop, over: make(chan struct{})}
	go func() {
		defer close(b.over)
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	<-e.Ready()
	return b
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// At a start no records are in memory but those that are replayed just then, of
// as many runs as fit: the number of runs does not count.
func TestStartIsBoundedInMemory(t *testing.T) { // alone: it measures memory
	const runs, steps, size, budget = 40, 4, 256 << 10, 3 << 20
	dir := t.TempDir()
	var (
		mu       sync.Mutex
		now, top int           // programs that are replayed
		most     int64         // heap while they are
		live     chan struct{} // gets a token for each that is through
	)
	result := strings.Repeat("x", size)
	wf := engine.Workflow{Name: "large", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		mu.Lock()
		now++
		top = max(top, now)
		if live != nil {
			most = max(most, heap())
		}
		mu.Unlock()
		for i := range steps {
			if _, err := r.Step(engine.Call{Name: "large", Args: args("i", i), Body: func(context.Context) (any, error) { return result + fmt.Sprint(i), nil }}); err != nil {
				return nil, err
			}
		}
		mu.Lock()
		now--
		mu.Unlock()
		if live != nil {
			live <- struct{}{}
		}
		return r.Recv("go", 1<<50)
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	for i := range runs {
		id := b.start(engine.StartRequest{Workflow: "large", ID: fmt.Sprint("r", i)})
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	}
	b.shutdown()
	base := heap()
	live, top = make(chan struct{}, runs), 0
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b = bootOn(t, j, engine.Config{Replaying: budget}, wf)
	for range runs {
		<-live
	}
	t.Logf("%d of %d runs at once, %d KiB of memory for records of %d KiB", top, runs, (most-base)>>10, runs*steps*size>>10)
	t.Logf("parked, they hold %d KiB", (heap()-base)>>10)
	// The last record is given up when it is answered, so that one more may have begun.
	if top > budget/(steps*size)+1 {
		t.Errorf("%d runs were replayed at once", top)
	}
	if most-base > budget+6<<20 {
		t.Errorf("the start took %d KiB of memory", (most-base)>>10)
	}
	b.shutdown()
}

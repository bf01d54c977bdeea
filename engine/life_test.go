package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// chain writes 1 to n.
func chain(d *device, n int64) engine.Workflow {
	return engine.Workflow{Name: "chain", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for i := int64(1); i <= n; i++ {
			if err := write(r, d, i); err != nil {
				return nil, err
			}
		}
		return n, nil
	})}
}

func TestStartToResult(t *testing.T) {
	t.Parallel()
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, chain(d, 5))
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "chain"})
	got := b.result(id)
	if got.Status != engine.Success || got.State != isa88.Complete || string(got.Result) != string(encoded(int64(5))) {
		t.Errorf("run is %+v", got)
	}
	if w := d.written(); !slices.Equal(w, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("wrote %v", w)
	}
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil || len(steps) != 5 || steps[4].Status != "SUCCESS" || steps[4].Name != "dev.write" {
		t.Errorf("steps are %+v, %v", steps, err)
	}
	again, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "chain", ID: id})
	if err != nil || again != (engine.Started{ID: id, Deduplicated: true}) {
		t.Errorf("second start of one id: %+v, %v", again, err)
	}
}

func TestStartRefused(t *testing.T) {
	t.Parallel()
	d := &device{}
	wf := chain(d, 1)
	wf.Inputs = []engine.Input{{Name: "recipe", Required: true}, {Name: "litres", Default: encoded(2.5)}}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	b.start(engine.StartRequest{Workflow: "chain", Inputs: args("recipe", "A")})
	for _, c := range []struct {
		q    engine.StartRequest
		code engine.Code
		want string
	}{
		{engine.StartRequest{Workflow: "chian"}, engine.NotFound, "cannot start chian: no such workflow"},
		{engine.StartRequest{Workflow: "chain"}, engine.BadRequest, `cannot start chain: input "recipe" is missing`},
		{engine.StartRequest{Workflow: "chain", Inputs: args("recipe", "A", "x", 1)}, engine.BadRequest, `cannot start chain: unknown input "x", allowed are recipe, litres`},
		{engine.StartRequest{Workflow: "chain", Queue: "fast"}, engine.Refused, "cannot start chain: queues other than default are not available yet"},
		{engine.StartRequest{Workflow: "chain", ID: "a b"}, engine.BadRequest, "cannot start chain: an id has 1 to 128 characters of [A-Za-z0-9_.:-]"},
	} {
		_, err := b.e.Start(t.Context(), c.q)
		var p *engine.Problem
		if !errors.As(err, &p) || p.Code != c.code || p.Message != c.want {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}

// A run that is at work when the engine stops goes on in the next life, and
// its recorded steps are not run again.
func TestGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &device{}
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		if err := write(r, d, 1); err != nil {
			return nil, err
		}
		now, err := r.Now()
		if err != nil {
			return nil, err
		}
		if _, err := r.Recv("go", time.Hour); err != nil {
			return nil, err
		}
		return now, write(r, d, 2)
	})}
	b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: encoded("now")}); err != nil {
		t.Fatal(err)
	}
	got := b.result(id)
	if got.Status != engine.Success || got.Recoveries != 1 || !slices.Equal(d.written(), []int64{1, 2}) {
		t.Errorf("run is %+v, wrote %v", got, d.written())
	}
}

// Sleeps go on with what is left of their time; deadlines hold across a restart.
func TestTimeAcrossRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			return nil, sleep(r, 10*time.Hour)
		})}
		began := time.Now()
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "w"})
		late := b.start(engine.StartRequest{Workflow: "w", Timeout: 5 * time.Hour})
		time.Sleep(3 * time.Hour)
		b.shutdown()
		time.Sleep(time.Hour) // the box is off
		b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
		defer b.shutdown()
		synctest.Wait()
		if got := longResult(b, late); got.Status != engine.Cancelled || got.Error.Type != "Timeout" || !got.CompletedAt.Equal(began.Add(5*time.Hour)) {
			t.Errorf("run with a limit is %+v", got)
		}
		if got := longResult(b, id); got.Status != engine.Success || got.CompletedAt.Sub(began).Round(time.Second) != 10*time.Hour {
			t.Errorf("sleeper ended after %v: %+v", got.CompletedAt.Sub(began), got)
		}
	})
}

// longResult waits without a time limit, for virtual time.
func longResult(b *box, id string) engine.RunInfo {
	b.t.Helper()
	var version uint64
	for {
		now, ended, err := b.e.Await(b.t.Context(), id, version)
		if err != nil {
			b.t.Fatal(err)
		}
		if ended {
			info, err := b.e.Show(b.t.Context(), id)
			if err != nil {
				b.t.Fatal(err)
			}
			return info
		}
		version = now
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		var at []time.Time
		body := func(ctx context.Context) (any, error) {
			tries++
			at = append(at, time.Now())
			if tries < 4 {
				return nil, errors.New("no answer")
			}
			return "ok", nil
		}
		call := engine.Call{Name: "my.step", Body: body, Args: args(), Options: engine.StepOptions{MaxAttempts: 4, Interval: time.Second, Backoff: 3, MaxInterval: 5 * time.Second}}
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			v, err := r.Step(call)
			return v, err
		})}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
		defer b.shutdown()
		id := b.start(engine.StartRequest{Workflow: "w"})
		got := longResult(b, id)
		if got.Status != engine.Success || len(at) != 4 {
			t.Fatalf("run is %+v after %d attempts", got, len(at))
		}
		for i, want := range []time.Duration{time.Second, 3 * time.Second, 5 * time.Second} {
			if d := at[i+1].Sub(at[i]); d.Round(100*time.Millisecond) != want {
				t.Errorf("pause %d took %v, want %v", i, d, want)
			}
		}
		steps, err := b.e.Steps(t.Context(), id)
		if err != nil || len(steps) != 1 || steps[0].Attempts != 4 {
			t.Errorf("steps are %+v, %v", steps, err)
		}
	})
}

func TestStepFailureEndsRun(t *testing.T) {
	t.Parallel()
	d := &device{refuse: engine.Errorf("DeviceRefused", "exception 2")}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, chain(d, 3))
	defer b.shutdown()
	got := b.result(b.start(engine.StartRequest{Workflow: "chain"}))
	want := engine.RunError{Type: "DeviceRefused", Message: "exception 2", Step: "dev.write"}
	if got.Status != engine.Error || got.State != isa88.Error || *got.Error != want {
		t.Errorf("run is %+v, error %+v", got, got.Error)
	}
}

func TestCancelEndsWaits(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return nil, sleep(r, time.Hour)
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	if err := b.e.Cancel(t.Context(), id, "wrong recipe", "eva"); err != nil {
		t.Fatal(err)
	}
	got := b.result(id)
	if got.Status != engine.Cancelled || got.Error.Message != "cancelled by eva: wrong recipe" {
		t.Errorf("run is %+v, error %+v", got, got.Error)
	}
	var p *engine.Problem
	if err := b.e.Cancel(t.Context(), id, "", ""); !errors.As(err, &p) || p.Code != engine.Refused {
		t.Errorf("cancel of an ended run: %v", err)
	}
}

func TestPanicEndsOneRun(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Name: "boom", Args: args(), Body: func(context.Context) (any, error) { panic("no such thing") }})
	})}
	d := &device{}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf, chain(d, 2))
	defer b.shutdown()
	if got := b.result(b.start(engine.StartRequest{Workflow: "w"})); got.Status != engine.Error || got.Error.Type != "Panic" {
		t.Errorf("run is %+v", got)
	}
	if got := b.result(b.start(engine.StartRequest{Workflow: "chain"})); got.Status != engine.Success {
		t.Errorf("the other run is %+v", got)
	}
}

func TestEventsAndLog(t *testing.T) {
	t.Parallel()
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return nil, errors.Join(r.Progress("one", value.NewMap("n", 1)), r.SetEvent("level", 2.5), r.WriteStream("data", "x"), r.Progress("two", nil))
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "w"})
	got := b.result(id)
	if string(got.Events["level"]) != string(encoded(2.5)) || string(got.Events["phase.last_message"]) != string(encoded("two")) {
		t.Errorf("events are %v", got.Events)
	}
	log, err := b.e.Log(t.Context(), id, "log", 0)
	if err != nil || len(log) != 2 {
		t.Fatalf("log is %v, %v", log, err)
	}
	rest, err := b.e.Log(t.Context(), id, "", log[0].Seq)
	if err != nil || len(rest) != 2 || rest[0].Stream != "data" {
		t.Errorf("behind the first: %+v, %v", rest, err)
	}
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/record"
	"holdfast/journal"
)

// output is one of many outputs: what became of it, and of the STOP to its run.
type output struct {
	stopped  atomic.Bool // STOP was acknowledged
	begun    atomic.Bool // the attempt at work was prepared when it was
	writes   atomic.Int64
	outlawed atomic.Int64 // writes whose attempt was prepared after that
}

// lines writes to many outputs, and can tell nothing about them.
type lines struct {
	mu   sync.Mutex
	of   map[string]*output
	gate chan struct{} // when set, a write waits for it, with a token in wait
	wait chan struct{}
}

func (l *lines) output(a engine.Args) *output {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[a.Key.Run] == nil {
		l.of[a.Key.Run] = &output{}
	}
	return l.of[a.Key.Run]
}

func (*lines) Name() string            { return "line.pulse" }
func (*lines) Params() []engine.Param  { return nil }
func (*lines) Effect(engine.Args) bool { return true }
func (l *lines) Prepare(_ context.Context, a engine.Args) (any, error) {
	x := l.output(a)
	x.begun.Store(x.stopped.Load())
	return nil, nil
}

func (l *lines) Run(_ context.Context, a engine.Args) (any, error) {
	x := l.output(a)
	if l.gate != nil {
		l.wait <- struct{}{}
		<-l.gate
	}
	x.writes.Add(1)
	if x.begun.Load() {
		x.outlawed.Add(1)
	}
	return nil, nil
}

func (l *lines) Recover(context.Context, engine.Args) (engine.Recovery, error) {
	return engine.Recovery{Doubt: engine.Doubt{Why: "nobody can tell"}}, nil
}

// No write goes out after a STOP was acknowledged: not of a run in doubt that is
// answered with retry behind it, nor of one whose answer and STOP cross.
func TestNoWriteAfterStopOfRunInDoubt(t *testing.T) {
	t.Parallel()
	const runs = 300
	dir, l := t.TempDir(), &lines{of: map[string]*output{}, gate: make(chan struct{}), wait: make(chan struct{}, runs)}
	workflow := func(mode engine.CommandMode) engine.Workflow {
		return engine.Workflow{Name: mode.String(), Commands: mode, Program: program(func(_ context.Context, r *engine.Run) (any, error) {
			if _, err := r.Step(engine.Call{Step: l, Args: args()}); err != nil {
				return nil, err
			}
			if mode == engine.ByScript { // it is told of a STOP that came behind the answer
				_, err := r.RecvCommand("", "cmd", 1<<50, 1)
				return nil, err
			}
			_, err := r.Recv("go", 1<<50)
			return nil, err
		})}
	}
	ws := []engine.Workflow{workflow(engine.ByEngine), workflow(engine.ByScript)}
	var cutOff atomic.Bool
	b := boot(t, dir, engine.Config{}, journal.Options{BeforeAppend: func(uint64, journal.Change) error {
		if cutOff.Load() {
			return errCut
		}
		return nil
	}}, ws...)
	var ids []string
	for i := range runs {
		ids = append(ids, b.start(engine.StartRequest{Workflow: ws[i%2].Name, ID: fmt.Sprint("r", i)}))
		<-l.wait
	}
	cutOff.Store(true)
	b.stop()
	close(l.gate)
	<-b.over
	if err := b.j.Close(); err == nil {
		t.Fatal("the journal was to fail")
	}
	l.gate, l.of = nil, map[string]*output{}

	b = boot(t, dir, engine.Config{}, journal.Options{}, ws...)
	defer b.shutdown()
	for _, id := range ids {
		b.await(id, func(i engine.RunInfo) bool { return i.InDoubt != nil })
	}
	var wg sync.WaitGroup
	var crossed, refused atomic.Int64
	for i, id := range ids {
		wg.Go(func() {
			stop := func() {
				if _, err := b.e.Command(t.Context(), id, isa88.Stop, "", "eva"); err != nil {
					t.Error(err)
				}
				l.output(engine.Args{Key: record.Key{Run: id}}).stopped.Store(true)
			}
			retry := func() {
				var p *engine.Problem
				if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "retry", Actor: "eva"}); errors.As(err, &p) && p.Code == engine.Refused {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
			if i%3 > 0 { // one behind the other
				stop()
				retry()
				return
			}
			crossed.Add(1)
			var both sync.WaitGroup
			both.Go(retry)
			if rand.IntN(2) == 0 {
				both.Wait()
			}
			for range rand.IntN(20) {
				runtime.Gosched()
			}
			both.Go(stop)
			both.Wait()
		})
	}
	wg.Wait()
	var wrote int64
	for i, id := range ids {
		got := b.result(id)
		x := l.output(engine.Args{Key: record.Key{Run: id}})
		wrote += x.writes.Load()
		if i%3 > 0 && x.writes.Load() > 0 || x.outlawed.Load() > 0 {
			t.Errorf("run %s has written %d times, %d after STOP was acknowledged", id, x.writes.Load(), x.outlawed.Load())
		}
		if i%2 == 0 && got.State != isa88.Stopped {
			t.Errorf("run %s is %+v", id, got)
		}
	}
	t.Logf("%d runs in doubt, STOP and retry crossed in %d of them, which wrote %d times; %d answers refused", runs, crossed.Load(), wrote, refused.Load())
}

// A STOP or a HOLD that comes while an attempt is prepared is taken before it
// acts, and the attempt is prepared anew.
func TestCommandWhileAttemptIsPrepared(t *testing.T) {
	t.Parallel()
	for _, word := range []isa88.Command{isa88.Stop, isa88.Hold} {
		p := &preparing{writeStep: writeStep{&device{}}, at: make(chan struct{}), on: make(chan struct{})}
		wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
			return r.Step(engine.Call{Step: p, Args: args("path", "dev", "value", 5)})
		})}
		b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "w"})
		<-p.at
		rc := b.command(id, word)
		p.on <- struct{}{}
		if f := b.fate(rc); f != "taken" {
			t.Errorf("%s is %q", word, f)
		}
		if w := p.d.written(); len(w) != 0 {
			t.Errorf("wrote %v after %s", w, word)
		}
		if word == isa88.Hold {
			b.await(id, isState(isa88.Held))
			p.d.set(3) // it is prepared anew with what is so then
			b.command(id, isa88.Resume)
			<-p.at
			p.on <- struct{}{}
			if got := b.result(id); got.Status != engine.Success || p.before.Load() != 3 {
				t.Errorf("run is %+v, prepared with %d", got, p.before.Load())
			}
		} else if got := b.result(id); got.State != isa88.Stopped {
			t.Errorf("run is %+v", got)
		}
		b.shutdown()
	}
}

// preparing is a write whose preparation takes as long as a test wants.
type preparing struct {
	writeStep
	at, on chan struct{}
	before atomic.Int64
}

func (p *preparing) Prepare(context.Context, engine.Args) (any, error) {
	p.at <- struct{}{}
	<-p.on
	p.before.Store(p.d.get())
	return p.d.get(), nil
}

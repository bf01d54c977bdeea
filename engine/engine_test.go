package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// program makes a Program of a function.
type program func(ctx context.Context, r *engine.Run) (any, error)

func (p program) Run(ctx context.Context, r *engine.Run) (any, error) { return p(ctx, r) }

// device stands for the outside world: one value that steps write, and what
// happened to it.
type device struct {
	mu     sync.Mutex
	value  int64
	writes []int64
	refuse error
	block  chan struct{} // when set, a write waits for it
	atGate chan struct{} // when set, gets a token for each write that waits for block
}

func (d *device) set(v int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.value = v
	d.writes = append(d.writes, v)
}

func (d *device) get() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value
}

func (d *device) written() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]int64(nil), d.writes...)
}

// writeStep is an effect with read-back, like tags.write.
type writeStep struct{ d *device }

func (writeStep) Name() string            { return "dev.write" }
func (writeStep) Effect(engine.Args) bool { return true }
func (writeStep) Params() []engine.Param {
	return []engine.Param{{Name: "path", Required: true}, {Name: "value", Required: true}}
}
func (s writeStep) Prepare(context.Context, engine.Args) (any, error) { return s.d.get(), nil }

func (s writeStep) Run(ctx context.Context, a engine.Args) (any, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	v, err := a.Int("value")
	if err != nil {
		return nil, err
	}
	s.d.mu.Lock()
	refuse, block, atGate := s.d.refuse, s.d.block, s.d.atGate
	s.d.mu.Unlock()
	if block != nil {
		select {
		case atGate <- struct{}{}:
		default: // nobody asks for more
		}
		<-block
	}
	if refuse != nil {
		return nil, refuse
	}
	s.d.set(v)
	return value.NewMap("outcome", "accepted"), nil
}

func (s writeStep) Recover(ctx context.Context, a engine.Args) (engine.Recovery, error) {
	target, err := a.Int("value")
	if err != nil {
		return engine.Recovery{}, err
	}
	switch now := s.d.get(); now {
	case target:
		return engine.Recovery{Verdict: engine.Done, Result: value.NewMap("outcome", "accepted")}, nil
	case a.Prepared:
		return engine.Recovery{Verdict: engine.Again}, nil
	default:
		return engine.Recovery{Verdict: engine.InDoubt, Doubt: engine.Doubt{Tag: "dev", Why: fmt.Sprintf("it is %d", now)}}, nil
	}
}

// readStep is a question, like tags.read.
type readStep struct{ d *device }

func (readStep) Name() string           { return "dev.read" }
func (readStep) Params() []engine.Param { return nil }
func (s readStep) Run(context.Context, engine.Args) (any, error) {
	return s.d.get(), nil
}

// sleepStep waits, like sleep.sleep_ms.
type sleepStep struct{}

func (sleepStep) Name() string           { return "sleep" }
func (sleepStep) Params() []engine.Param { return []engine.Param{{Name: "ms", Required: true}} }
func (sleepStep) Waits(a engine.Args) time.Duration {
	d, err := a.Millis("ms")
	if err != nil {
		return 0
	}
	return d
}
func (s sleepStep) Run(ctx context.Context, a engine.Args) (any, error) {
	t := time.NewTimer(time.Until(a.Began.Add(s.Waits(a))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func args(kv ...any) value.Raw {
	raw, err := value.Encode(value.NewMap(kv...))
	if err != nil {
		panic(err)
	}
	return raw
}

func encoded(v any) value.Raw {
	raw, err := value.Encode(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func write(r *engine.Run, d *device, v int64) error {
	_, err := r.Step(engine.Call{Step: writeStep{d}, Args: args("path", "dev", "value", v)})
	return err
}

func sleep(r *engine.Run, d time.Duration) error {
	_, err := r.Step(engine.Call{Step: sleepStep{}, Args: args("ms", d.Milliseconds())})
	return err
}

// box is one life of the process: a journal and an engine on it.
type box struct {
	t    testing.TB
	j    *journal.Journal
	e    *engine.Engine
	stop context.CancelFunc
	over chan struct{}
}

// boot opens the journal in dir, recovers, and runs.
func boot(t testing.TB, dir string, cfg engine.Config, o journal.Options, ws ...engine.Workflow) *box {
	t.Helper()
	b, err := tryBoot(t, dir, cfg, o, ws...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryBoot(t testing.TB, dir string, cfg engine.Config, o journal.Options, ws ...engine.Workflow) (*box, error) {
	j, err := journal.Open(dir, o)
	if err != nil {
		return nil, err
	}
	b := &box{t: t, j: j, over: make(chan struct{})}
	if b.e, err = engine.New(cfg, j); err != nil {
		return nil, err
	}
	if err := b.e.Register(ws...); err != nil {
		return nil, err
	}
	if _, err := b.e.Recover(t.Context()); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	b.stop = stop
	go func() {
		defer close(b.over)
		if err := b.e.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	<-b.e.Ready()
	return b, nil
}

// shutdown ends this life in order.
func (b *box) shutdown() {
	b.t.Helper()
	b.stop()
	<-b.over
	if err := b.j.Close(); err != nil && !errors.Is(err, journal.ErrFailed) {
		b.t.Error(err)
	}
}

func (b *box) start(q engine.StartRequest) string {
	b.t.Helper()
	s, err := b.e.Start(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.ID
}

// await waits until the run is as f wants it.
func (b *box) await(id string, f func(engine.RunInfo) bool) engine.RunInfo {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	var version uint64
	over := false
	for {
		info, err := b.e.Show(ctx, id)
		if err != nil {
			b.t.Fatal(err)
		}
		if f(info) {
			return info
		}
		if over {
			b.t.Fatalf("run has ended as %+v", info)
		}
		if version, over, err = b.e.Await(ctx, id, version); err != nil {
			b.t.Fatalf("run is %+v: %v", info, err)
		}
	}
}

func (b *box) result(id string) engine.RunInfo {
	b.t.Helper()
	return b.await(id, func(i engine.RunInfo) bool { return i.Status.Ended() })
}

package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"holdfast/engine"
	"holdfast/engine/value"
)

// wire is a device with tags behind a link that goes down and comes back. It is
// a step that writes safe states.
type wire struct {
	mu     sync.Mutex
	down   chan struct{} // closed when the link is back; nil: it is up
	tags   map[string]int64
	sent   []string // "tag=value", in order
	refuse error    // of each write on a link that is up
	silent bool     // writes are sent and not answered
	pulse  bool     // a write that is sent twice acts twice
	gate   chan struct{}
	atGate chan struct{}
}

func newWire() *wire { return &wire{tags: map[string]int64{}} }

func (*wire) Name() string            { return "safe.write" }
func (*wire) Effect(engine.Args) bool { return true }
func (*wire) Params() []engine.Param {
	return []engine.Param{{Name: "path", Required: true}, {Name: "value", Required: true}}
}

func (x *wire) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.down = make(chan struct{})
}

func (x *wire) mend() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.down)
	x.down = nil
}

func (x *wire) was() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.sent)
}

func (x *wire) Ready(ctx context.Context, a engine.Args) (engine.Readiness, error) {
	path, _ := a.String("path")
	v, _ := a.Int("value")
	for {
		x.mu.Lock()
		down, holds := x.down, x.tags[path] == v && !x.pulse
		x.mu.Unlock()
		if down == nil {
			return engine.Readiness{Reached: holds, Repeatable: !x.pulse}, nil
		}
		select {
		case <-down:
		case <-ctx.Done():
			return engine.Readiness{}, ctx.Err()
		}
	}
}

func (x *wire) Run(ctx context.Context, a engine.Args) (any, error) {
	path, _ := a.String("path")
	v, _ := a.Int("value")
	x.mu.Lock()
	down, gate, refuse := x.down != nil, x.gate, x.refuse
	x.mu.Unlock()
	switch {
	case down:
		return nil, engine.Errorf("Unreachable", "nothing was sent")
	case refuse != nil:
		return nil, refuse
	}
	if gate != nil {
		x.atGate <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent = append(x.sent, fmt.Sprint(path, "=", v))
	if x.silent {
		return nil, &engine.StepError{Type: "OutcomeUnknown", Message: "not answered", Unknown: true}
	}
	x.tags[path] = v
	return value.NewMap("ok", true), nil
}

// Recover reads the tag back.
func (x *wire) Recover(_ context.Context, a engine.Args) (engine.Recovery, error) {
	path, _ := a.String("path")
	v, _ := a.Int("value")
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.down != nil || x.pulse:
		return engine.Recovery{Doubt: engine.Doubt{Tag: path, Why: "it cannot be read"}}, nil
	case x.tags[path] == v:
		return engine.Recovery{Verdict: engine.Done, Result: value.NewMap("ok", true)}, nil
	}
	return engine.Recovery{Verdict: engine.Again}, nil
}

package controltest

import (
	"context"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
)

// program makes a Program of a function.
type program func(r *engine.Run) (any, error)

// Run calls the function.
func (p program) Run(_ context.Context, r *engine.Run) (any, error) { return p(r) }

// workflows are those of a Daemon; the step of test.doubt calls begun:
//
//	test.count    logs three lines with numbers, and returns its input n
//	test.idle     goes on until it is stopped; the engine handles commands
//	test.script   the same, handling commands itself
//	test.deaf     has commands of its own and never looks for them
//	test.gate     ends when a message comes on topic "go", with that message
//	test.fail     ends with ERROR
//	test.odd      tells, logs, asks and returns what JSON has no form for
//	test.doubt    has a step that never ends, and is in doubt after a restart
func workflows(begun func()) []engine.Workflow {
	five, err := value.Encode(int64(5))
	if err != nil {
		panic(err) // a number can be encoded
	}
	return []engine.Workflow{
		{Name: "test.count", Description: "counts to three", File: "test.star:1", Timeout: time.Hour,
			Inputs: []engine.Input{{Name: "n", Default: five}}, Program: program(countProgram)},
		{Name: "test.idle", File: "test.star:2", Inputs: []engine.Input{{Name: "batch", Required: true}}, Program: program(idleProgram)},
		{Name: "test.script", File: "test.star:3", Commands: engine.ByScript, CommandsWhy: "it reaches recvCommand at test.star:3", Program: program(scriptProgram)},
		{Name: "test.deaf", File: "test.star:4", Commands: engine.ByScript, Program: program(idleForever)},
		{Name: "test.gate", File: "test.star:5", Program: program(gateProgram)},
		{Name: "test.fail", File: "test.star:6", Program: program(failProgram)},
		{Name: "test.odd", File: "test.star:8", AnyInput: true, Program: program(oddProgram)},
		{Name: "test.doubt", File: "test.star:7", Program: doubtProgram(begun)},
	}
}

func countProgram(r *engine.Run) (any, error) {
	for i := range 3 {
		if err := r.Progress("filling", value.NewMap("done", i+1, "of", 3)); err != nil {
			return nil, err
		}
	}
	in, err := value.Decode(r.Inputs())
	if err != nil {
		return nil, err
	}
	n, _ := in.(*value.Map).Get("n")
	return value.NewMap("n", n), nil
}

func idleProgram(r *engine.Run) (any, error) { return idleForever(r) }

func idleForever(r *engine.Run) (any, error) {
	for {
		if _, err := r.Recv("nothing", 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func scriptProgram(r *engine.Run) (any, error) {
	state := "RUNNING"
	for {
		raw, err := r.RecvCommand(state, "cmd", time.Minute, 5)
		if err != nil {
			return nil, err
		}
		got, err := value.Decode(raw)
		if err != nil {
			return nil, err
		}
		m, ok := got.(*value.Map)
		if !ok {
			continue
		}
		switch word, _ := m.Get("cmd"); word {
		case "HOLD":
			state = "HELD"
		case "RESUME":
			state = "RUNNING"
		case "STOP", "ABORT":
			return "stopped", nil
		}
	}
}

func gateProgram(r *engine.Run) (any, error) {
	if err := r.Progress("loop 1/2", nil); err != nil {
		return nil, err
	}
	got, err := r.Recv("go", time.Hour)
	if err != nil {
		return nil, err
	}
	if err := r.Progress("loop 2/2", nil); err != nil {
		return nil, err
	}
	return got, nil
}

func failProgram(r *engine.Run) (any, error) {
	return nil, engine.Errorf("GuardRefused", "line/speed_sp: 500 is above max 100")
}

func doubtProgram(begun func()) program {
	return func(r *engine.Run) (any, error) {
		args, err := value.Encode(value.NewMap("path", "line/speed_sp", "value", 50))
		if err != nil {
			return nil, err
		}
		return r.Step(engine.Call{Step: doubtful{begun}, Args: args})
	}
}

// doubtful is an effect of which nobody can tell whether it was had.
type doubtful struct{ begun func() }

func (doubtful) Name() string { return "tags.write" }
func (doubtful) Params() []engine.Param {
	return []engine.Param{{Name: "path", Required: true}, {Name: "value", Required: true}}
}
func (doubtful) Effect(engine.Args) bool { return true }

// Run never ends by itself: only a restart comes between.
func (d doubtful) Run(ctx context.Context, _ engine.Args) (any, error) {
	d.begun()
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (doubtful) Recover(context.Context, engine.Args) (engine.Recovery, error) {
	encoded := func(n int64) value.Raw { return value.AppendInt(nil, n) }
	return engine.Recovery{Verdict: engine.InDoubt, Doubt: engine.Doubt{
		Tag: "line/speed_sp", Target: encoded(50), Before: encoded(40), Now: encoded(45), Why: "it is neither what was written nor what was there before",
	}}, nil
}

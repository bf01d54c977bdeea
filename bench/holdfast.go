package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	hf "holdfast/engine"
	"holdfast/engine/script"
	"holdfast/engine/value"
	"holdfast/journal"
)

// holdfast is Holdfast's engine on its journal, with a workflow in Go, or, with
// script, in Starlark.
type holdfast struct {
	probe  *probe
	sync   time.Duration
	script bool

	box *box
}

// stepsScript is the same as program.
const stepsScript = `
@workflow(name="steps", commands="engine")
def steps(n=0):
    for i in range(n):
        bench.noop(i)
    i = 0
    while n == 0 and bench.noop(i):
        i += 1
`

// noopStep is an effect that does nothing: its intent is on disk before its
// body runs.
type noopStep struct {
	probe *probe
	run   *runProbe // of the run that it is for; nil: for all
}

func (noopStep) Name() string        { return "bench.noop" }
func (noopStep) Params() []hf.Param  { return []hf.Param{{Name: "n", Required: true}} }
func (noopStep) Effect(hf.Args) bool { return true }
func (s noopStep) Run(_ context.Context, a hf.Args) (any, error) {
	if s.run != nil {
		return s.run.step(), nil
	}
	return s.probe.of(a.Run).step(), nil
}

// program is the workflow in Go.
type program struct{ probe *probe }

func (p program) Run(_ context.Context, r *hf.Run) (any, error) {
	in, err := value.Decode(r.Inputs())
	if err != nil {
		return nil, err
	}
	v, _ := in.(*value.Map).Get("n")
	n, _ := v.(int64)
	noop := noopStep{run: p.probe.of(r.ID())}
	var room [32]byte
	for i := int64(0); i < n || n == 0 && !p.probe.stop.Load(); i++ {
		args := value.AppendHead(room[:0], value.MajorMap, 1)
		args = value.AppendInt(value.AppendString(args, "n"), i)
		if _, err := r.Step(hf.Call{Step: noop, Args: args}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (h *holdfast) open(dir string) error {
	o := journal.Options{}
	if h.sync > 0 {
		o.BeforeSync = func() { time.Sleep(h.sync) }
	}
	wf := hf.Workflow{Name: "steps", AnyInput: true, Program: program{h.probe}}
	var err error
	if h.script {
		h.box, err = openScripts(dir, o, stepsScript, noopStep{probe: h.probe})
	} else {
		h.box, err = openBox(dir, o, nil, wf)
	}
	return err
}

func (h *holdfast) run(ctx context.Context, n int) error {
	id, err := h.box.start(ctx, "steps", value.NewMap("n", int64(n)))
	if err != nil {
		return err
	}
	return h.box.engine.AwaitEnd(ctx, id)
}

func (h *holdfast) settle(ctx context.Context) (int, error) { return h.box.settle(ctx) }

func (h *holdfast) close() error { return h.box.close() }

// box is an engine that runs, and its journal.
type box struct {
	journal *journal.Journal
	engine  *hf.Engine
	stop    context.CancelFunc
	over    chan error
}

// openScripts opens a box with the workflows of one script.
func openScripts(dir string, o journal.Options, text string, steps ...hf.Step) (*box, error) {
	front, err := script.New(script.Options{Steps: steps})
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, "workflows")
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "bench.star"), []byte(text), 0o644)); err != nil {
		return nil, err
	}
	wfs, faults := front.LoadDir(folder)
	for _, f := range faults {
		err = errors.Join(err, f)
	}
	if err != nil {
		return nil, err
	}
	return openBox(dir, o, front, wfs...)
}

func openBox(dir string, o journal.Options, loader hf.Loader, wfs ...hf.Workflow) (*box, error) {
	j, err := journal.Open(dir, o)
	if err != nil {
		return nil, err
	}
	b := &box{journal: j, over: make(chan error, 1)}
	if err := b.recover(loader, wfs...); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	b.launch()
	return b, nil
}

// recover makes the engine and reads what is in the journal.
func (b *box) recover(loader hf.Loader, wfs ...hf.Workflow) (err error) {
	if b.engine, err = hf.New(hf.Config{Workers: 100_000, Loader: loader}, b.journal); err != nil {
		return err
	}
	if err := b.engine.Register(wfs...); err != nil {
		return err
	}
	_, err = b.engine.Recover(context.Background())
	return err
}

// launch lets the runs go.
func (b *box) launch() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go func() { b.over <- b.engine.Run(ctx) }()
	<-b.engine.Ready()
}

func (b *box) start(ctx context.Context, workflow string, inputs any) (id string, err error) {
	raw, err := value.Encode(inputs)
	if err != nil {
		return "", err
	}
	s, err := b.engine.Start(ctx, hf.StartRequest{Workflow: workflow, Inputs: raw})
	return s.ID, err
}

// settle waits until all ended runs are in the history, and durably so.
func (b *box) settle(ctx context.Context) (behind int, err error) {
	behind = b.journal.Stats().ToMove
	for {
		s := b.journal.Stats()
		if s.MoveError != nil {
			return behind, s.MoveError
		}
		if s.ToMove == 0 {
			return behind, b.journal.Sync()
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return behind, err
		}
	}
}

func (b *box) close() error {
	b.stop()
	return errors.Join(<-b.over, b.journal.Close())
}

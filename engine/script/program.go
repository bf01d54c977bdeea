package script

import (
	"context"
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"holdfast/engine"
)

// program is the engine.Program of a workflow of a file.
type program struct {
	front *Front
	def   *workflowDef
}

var _ engine.Program = (*program)(nil)

// Run calls the workflow's function with the run's inputs as keyword arguments.
// The error of a script is an *engine.RunError with a traceback; where it is a
// step's failure, errors.As finds the *engine.StepError too.
func (p *program) Run(ctx context.Context, r *engine.Run) (any, error) {
	v, err := decode(r.Inputs(), p.front.maxMemory)
	if errors.As(err, new(*limitError)) {
		return nil, &engine.RunError{Type: typeLimit, Message: "inputs: " + err.Error()}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the run's inputs: %w", err)
	}
	var kwargs []starlark.Tuple
	if inputs, ok := v.(*starlark.Dict); ok {
		kwargs = inputs.Items()
	}
	return p.front.call(ctx, &state{run: r}, p.def.fn, nil, kwargs)
}

// call runs a function on a thread of its own, until it returns, fails, uses up
// its budget, or ctx ends. The result is encoded.
func (f *Front) call(ctx context.Context, st *state, fn *starlark.Function, args starlark.Tuple, kwargs []starlark.Tuple) (any, error) {
	t := &starlark.Thread{Name: st.run.ID(), Print: func(_ *starlark.Thread, msg string) {
		f.log.Debug("script prints", "run", st.run.ID(), "text", msg)
	}}
	t.SetLocal(stateKey, st)
	if st.ctx == nil { // the body of a step is never replayed
		st.run.Locate(where(t))
	}
	b := f.limit(ctx, t)
	defer context.AfterFunc(ctx, func() { t.Cancel("the run is to end") })()
	v, err := starlark.Call(t, fn, args, kwargs)
	if err != nil {
		return nil, judge(ctx, b, err)
	}
	raw, err := encode(v)
	if err != nil {
		return nil, &engine.RunError{Type: typeOf(err), Message: fmt.Sprintf("result of %s: %v", fn.Name(), err)}
	}
	return raw, nil
}

package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"holdfast/engine"
	"holdfast/engine/value"
)

// state is what a thread of a run knows about it.
type state struct {
	run    *engine.Run
	inputs *starlark.Dict // made at the first look

	// Within the body of a step: its name, and its context, which is that of
	// one attempt.
	step string
	ctx  context.Context

	catching int // how many attempt(…) would catch a failure now
}

const stateKey = "run"

func stateOf(t *starlark.Thread) *state {
	s, _ := t.Local(stateKey).(*state)
	return s
}

// callable is what this package's own functions have in common.
type callable struct {
	kind, name string
}

func (c *callable) Name() string          { return c.name }
func (c *callable) String() string        { return "<" + c.kind + " " + c.name + ">" }
func (c *callable) Type() string          { return c.kind }
func (c *callable) Freeze()               {}
func (c *callable) Truth() starlark.Bool  { return starlark.True }
func (c *callable) Hash() (uint32, error) { return starlark.String(c.name).Hash() }

// stepFn is a step that is registered in Go, as a function.
type stepFn struct {
	callable
	step    engine.Step
	params  []param
	options engine.StepOptions
}

var _ starlark.Callable = (*stepFn)(nil)

// param is a parameter of a stepFn.
type param struct {
	name     string
	key      []byte    // the name, encoded
	dflt     value.Raw // the default, encoded
	required bool
}

func newStepFn(s engine.Step) (*stepFn, error) {
	module, fn, ok := strings.Cut(s.Name(), ".")
	if !ok || !isName(module) || !isName(fn) {
		return nil, fmt.Errorf("step %q is not named as module.function", s.Name())
	}
	f := &stepFn{callable: callable{"step", s.Name()}, step: s}
	for _, p := range s.Params() {
		dflt, err := value.Encode(p.Default)
		if err != nil {
			return nil, fmt.Errorf("step %s: default of %s: %w", s.Name(), p.Name, err)
		}
		f.params = append(f.params, param{p.Name, value.AppendString(nil, p.Name), dflt, p.Required})
	}
	return f, nil
}

// CallInternal makes the step call. Within the body of another step it is part
// of that step, whose options rule: it is attempted once.
func (f *stepFn) CallInternal(t *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	st := stateOf(t)
	if st == nil {
		return nil, fmt.Errorf("%s: a step can only be called by a running workflow", f.name)
	}
	raw, err := f.bind(args, kwargs)
	if err != nil {
		return nil, err
	}
	var res value.Raw
	if st.ctx != nil {
		res, err = st.run.Direct(st.ctx, f.step, raw)
	} else {
		res, err = st.run.Step(engine.Call{Name: f.name, Step: f.step, Args: raw, Options: f.options, Caught: st.catching > 0, Where: where(t)})
		budgetOf(t).renew(t)
	}
	if err != nil {
		return nil, err
	}
	return decodeCounted(t, res)
}

// bind encodes the arguments, in the order of the parameters.
func (f *stepFn) bind(args starlark.Tuple, kwargs []starlark.Tuple) (value.Raw, error) {
	if len(args) > len(f.params) {
		return nil, fmt.Errorf("%s takes %s, not %d", f.name, f.takes(), len(args)+len(kwargs))
	}
	var room [8]starlark.Value
	given := append(room[:0], args...)
	for len(given) < len(f.params) {
		given = append(given, nil)
	}
	for _, kv := range kwargs {
		name := string(kv[0].(starlark.String))
		i := f.index(name)
		if i < 0 {
			return nil, fmt.Errorf("%s has no parameter %s%s: it takes %s", f.name, name, suggest(name, f.names()), f.takes())
		}
		if given[i] != nil {
			return nil, fmt.Errorf("%s is given %s twice", f.name, name)
		}
		given[i] = kv[1]
	}
	var g value.Budget // of all arguments together: they are one value in the record
	b := value.AppendHead(make([]byte, 0, 96), value.MajorMap, uint64(len(f.params)))
	for i := range f.params {
		p := &f.params[i]
		b = append(b, p.key...)
		switch {
		case given[i] != nil:
			var err error
			if b, err = appendValue(b, given[i], 1, &g); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", f.name, p.name, err)
			}
		case p.required:
			return nil, fmt.Errorf("%s wants %s: it takes %s", f.name, p.name, f.takes())
		default:
			b = append(b, p.dflt...)
		}
	}
	return b, nil
}

func (f *stepFn) index(name string) int {
	for i := range f.params {
		if f.params[i].name == name {
			return i
		}
	}
	return -1
}

func (f *stepFn) names() []string {
	var names []string
	for _, p := range f.params {
		names = append(names, p.name)
	}
	return names
}

func (f *stepFn) takes() string {
	var b strings.Builder
	b.WriteByte('(')
	for i, p := range f.params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.name)
		if p.required {
			continue
		}
		if v, err := decode(p.dflt, DefaultMaxMemory); err == nil {
			b.WriteString("=" + v.String())
		}
	}
	return b.String() + ")"
}

// userStep is a function of a script that is a step.
type userStep struct {
	callable
	front   *Front
	fn      *starlark.Function
	options engine.StepOptions
}

var _ starlark.Callable = (*userStep)(nil)

// Freeze freezes the function.
func (s *userStep) Freeze() { s.fn.Freeze() }

// CallInternal makes the step call. What the function then calls is part of the
// step; so is the call of a step within a step.
func (s *userStep) CallInternal(t *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	st := stateOf(t)
	if st == nil {
		return nil, fmt.Errorf("%s: a step can only be called by a running workflow", s.name)
	}
	if st.ctx != nil {
		return starlark.Call(t, s.fn, args, kwargs)
	}
	raw, err := bindFunction(s.name, s.fn, args, kwargs)
	if err != nil {
		return nil, err
	}
	res, err := st.run.Step(engine.Call{
		Name: s.name, Args: raw, Options: s.options, Caught: st.catching > 0, Where: where(t),
		Body: func(ctx context.Context) (any, error) { return s.attempt(ctx, st.run, raw) },
	})
	budgetOf(t).renew(t)
	if err != nil {
		return nil, err
	}
	return decodeCounted(t, res)
}

// attempt runs the function once, on a thread and with arguments of its own: a
// replay does not run it, so nothing but its result may be seen afterwards.
func (s *userStep) attempt(ctx context.Context, run *engine.Run, raw value.Raw) (any, error) {
	args, kwargs, err := unbind(s.fn, raw, s.front.maxMemory)
	if err != nil {
		return nil, &engine.RunError{Type: typeOf(err), Message: "its arguments: " + err.Error()}
	}
	res, err := s.front.call(ctx, &state{run: run, step: s.name, ctx: ctx}, s.fn, args, kwargs)
	var (
		re *engine.RunError
		se *engine.StepError
	)
	if errors.As(err, &re) && re.Type == typeScript && !errors.As(err, &se) {
		if fr, ok := innermost(err); ok { // a step's failure has no traceback
			re.Message = fmt.Sprintf("%s (at %s)", re.Message, fr.Pos)
		}
	}
	return res, err
}

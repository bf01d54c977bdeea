package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"holdfast/engine"
)

// workflowDef is a function that @workflow has made a workflow.
type workflowDef struct {
	callable
	fn   *starlark.Function
	pos  syntax.Position
	conf engine.Workflow
	auto bool // commands="auto"
}

var _ starlark.Callable = (*workflowDef)(nil)

// Freeze freezes the function.
func (w *workflowDef) Freeze() { w.fn.Freeze() }

// CallInternal refuses: a workflow is started, not called.
func (w *workflowDef) CallInternal(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return nil, fmt.Errorf("workflow %s cannot be called as a function; put what both need into a function without @workflow (rt.runChild is not available yet)", w.name)
}

// describe returns the engine's view of the workflow.
func (w *workflowDef) describe(f *Front, u *unit) engine.Workflow {
	out := w.conf
	out.Source = engine.Source{Hash: u.hash, Bundle: u.bundle}
	out.Program = &program{f, w}
	return out
}

// workflowOptions are the options of @workflow.
var workflowOptions = []string{"name", "timeout_s", "queue", "commands", "stop_grace", "on_power_loss", "safe_state", "description"}

// workflow is the decorator @workflow(name=…, …).
func (f *Front) workflow(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if _, err := loadingOf(t, "@workflow"); err != nil {
		return nil, err
	}
	if fn, ok := bare(args, kwargs); ok {
		return f.defineWorkflow(t, &workflowDef{auto: true}, fn)
	}
	proto := workflowDef{auto: true}
	if err := eachOption("workflow", args, kwargs, workflowOptions, proto.option); err != nil {
		return nil, err
	}
	return starlark.NewBuiltin("workflow", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		fn, ok := bare(args, kwargs)
		if !ok {
			return nil, errors.New("@workflow decorates one function")
		}
		w := proto
		return f.defineWorkflow(t, &w, fn)
	}), nil
}

// bare reports whether a decorator is called with nothing but a function.
func bare(args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Callable, bool) {
	if len(args) != 1 || len(kwargs) > 0 {
		return nil, false
	}
	fn, ok := args[0].(starlark.Callable)
	return fn, ok
}

// eachOption goes through a decorator's options, of which name may be given
// without its keyword.
func eachOption(of string, args starlark.Tuple, kwargs []starlark.Tuple, known []string, set func(name string, v starlark.Value) error) error {
	if len(args) > 1 {
		return fmt.Errorf("@%s takes its options by name: %s", of, strings.Join(known, ", "))
	}
	all := kwargs
	if len(args) == 1 {
		all = append([]starlark.Tuple{{starlark.String("name"), args[0]}}, kwargs...)
	}
	var seen []string
	for _, kv := range all {
		name := string(kv[0].(starlark.String))
		switch {
		case name == "schedule" || name == "trigger":
			return fmt.Errorf("@%s: %s= is not available yet", of, name)
		case !slices.Contains(known, name):
			return fmt.Errorf("@%s has no option %s%s: it takes %s", of, name, suggest(name, known), strings.Join(known, ", "))
		case slices.Contains(seen, name):
			return fmt.Errorf("@%s is given %s twice", of, name)
		}
		seen = append(seen, name)
		if kv[1] == starlark.None {
			continue
		}
		if err := set(name, kv[1]); err != nil {
			return fmt.Errorf("@%s: %w", of, err)
		}
	}
	return nil
}

func badOption(name string, v starlark.Value, want string) error {
	return fmt.Errorf("%s is %s, not %s", name, shortText(v), want)
}

func (w *workflowDef) option(name string, v starlark.Value) error {
	text, isText := starlark.AsString(v)
	switch name {
	case "name":
		if !isText || strings.TrimSpace(text) != text || text == "" {
			return badOption(name, v, "a name")
		}
		w.name = text
	case "description":
		if !isText {
			return badOption(name, v, "a string")
		}
		w.conf.Description = text
	case "timeout_s":
		d, ok := duration(v)
		if !ok || d == 0 {
			return badOption(name, v, "a number of seconds above 0")
		}
		w.conf.Timeout = d
	case "stop_grace":
		d, ok := duration(v)
		if !ok || d == 0 {
			return badOption(name, v, "a number of seconds above 0")
		}
		w.conf.StopGrace = d
	case "queue":
		if !isText || text == "" {
			return badOption(name, v, "the name of a queue")
		}
		if text != "default" {
			return fmt.Errorf(`queue %q is not available yet: there is only "default"`, text)
		}
	case "commands":
		w.auto = text == "auto"
		switch text {
		case "auto", "engine":
			w.conf.Commands = engine.ByEngine
		case "script":
			w.conf.Commands = engine.ByScript
		default:
			return badOption(name, v, `"auto", "engine" or "script"`)
		}
	case "on_power_loss":
		switch text {
		case "resume":
			w.conf.OnPowerLoss = engine.ResumeAfterLoss
		case "hold":
			w.conf.OnPowerLoss = engine.HoldAfterLoss
		case "stop":
			w.conf.OnPowerLoss = engine.StopAfterLoss
		default:
			return badOption(name, v, `"resume", "hold" or "stop"`)
		}
	case "safe_state":
		return w.safeState(v)
	}
	return nil
}

func (w *workflowDef) safeState(v starlark.Value) error {
	d, ok := v.(*starlark.Dict)
	if !ok {
		return badOption("safe_state", v, `a dict of tag to value: {"line/valve": False}`)
	}
	for k, e := range d.Entries() {
		tag, ok := starlark.AsString(k)
		if !ok || tag == "" {
			return fmt.Errorf("safe_state: %s is not the path of a tag", shortText(k))
		}
		raw, err := encode(e)
		if err != nil {
			return fmt.Errorf("safe_state: %s: %w", tag, err)
		}
		w.conf.SafeState = append(w.conf.SafeState, engine.SafeWrite{Tag: tag, Value: raw})
	}
	return nil
}

// defineWorkflow makes a workflow of a function and registers it.
func (f *Front) defineWorkflow(t *starlark.Thread, w *workflowDef, c starlark.Callable) (starlark.Value, error) {
	l, err := loadingOf(t, "@workflow")
	if err != nil {
		return nil, err
	}
	fn, err := function("workflow", c)
	if err != nil {
		return nil, err
	}
	w.kind, w.fn = "workflow", fn
	if w.name == "" {
		if w.name = fn.Name(); w.name == "lambda" {
			return nil, errors.New("@workflow: a lambda wants name=")
		}
	}
	if w.conf.Inputs, err = inputs(w.name, fn); err != nil {
		return nil, err
	}
	w.conf.AnyInput = fn.HasKwargs()
	w.pos = l.definedAt(t, fn)
	w.conf.Name = w.name
	w.conf.File = fmt.Sprintf("%s:%d", w.pos.Filename(), w.pos.Line)
	l.unit.workflows = append(l.unit.workflows, w)
	l.unit.define("workflow", w.name, w.pos)
	return w, nil
}

// handledBy decides who handles the workflow's commands, and says why. deaf says
// that it is to be its script, and that this can never ask for any.
func (w *workflowDef) handledBy(l *library) (deaf bool) {
	where, receives := l.receives(w.fn)
	switch {
	case !w.auto:
		w.conf.CommandsWhy = fmt.Sprintf("commands=%q", w.conf.Commands)
	case receives:
		w.conf.Commands = engine.ByScript
		w.conf.CommandsWhy = strings.TrimSuffix("it reaches recvCommand "+where, " ")
	default:
		w.conf.CommandsWhy = "it reaches no recvCommand"
	}
	return !receives && w.conf.Commands == engine.ByScript
}

// function returns the function that a decorator stands above.
func function(decorator string, c starlark.Callable) (*starlark.Function, error) {
	switch c := c.(type) {
	case *starlark.Function:
		return c, nil
	case *workflowDef:
		return nil, fmt.Errorf("@%s: %s is a workflow already; a function is a workflow or a step, not both", decorator, c.name)
	case *userStep:
		return nil, fmt.Errorf("@%s: %s is a step already; a function is a workflow or a step, not both", decorator, c.name)
	case *stepFn:
		return nil, fmt.Errorf("@%s: %s is a built-in step", decorator, c.name)
	}
	return nil, fmt.Errorf("@%s decorates a function, not a %s", decorator, c.Type())
}

// inputs are a workflow function's parameters.
func inputs(workflow string, fn *starlark.Function) ([]engine.Input, error) {
	if fn.HasVarargs() {
		return nil, fmt.Errorf("workflow %s: *args cannot be given at a start: inputs have names (use **kwargs for any)", workflow)
	}
	s := signatureOf(fn)
	list := make([]engine.Input, 0, s.named)
	for i := range s.named {
		in := engine.Input{Name: s.name(i), Required: true}
		if d := fn.ParamDefault(i); d != nil {
			raw, err := encode(d)
			if err != nil {
				return nil, fmt.Errorf("workflow %s: default of %s: %w", workflow, in.Name, err)
			}
			in.Required, in.Default = false, raw
		}
		list = append(list, in)
	}
	return list, nil
}

// duration reads a number of seconds, 0 or more.
func duration(v starlark.Value) (time.Duration, bool) {
	var s seconds
	if s.Unpack(v) != nil {
		return 0, false
	}
	return time.Duration(s), true
}

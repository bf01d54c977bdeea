package script

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"holdfast/engine"
)

// retryOptions are the keys of @step's options: DBOS's, and Holdfast's own.
var retryOptions = []string{
	"retries_allowed", "max_attempts", "interval_seconds", "backoff_rate", "max_interval_seconds", "timeout_seconds", "on_interrupted",
}

// step is the decorator @step(name=…, options={…}).
func (f *Front) step(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if _, err := loadingOf(t, "@step"); err != nil {
		return nil, err
	}
	if fn, ok := bare(args, kwargs); ok {
		return f.defineStep(t, "", engine.StepOptions{}, fn)
	}
	var (
		name string
		opts engine.StepOptions
	)
	err := eachOption("step", args, kwargs, []string{"name", "options"}, func(key string, v starlark.Value) error {
		if key == "options" {
			var err error
			opts, err = stepOptions(v)
			return err
		}
		var ok bool
		if name, ok = starlark.AsString(v); !ok || name == "" || strings.TrimSpace(name) != name {
			return badOption("name", v, "a name")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return starlark.NewBuiltin("step", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		fn, ok := bare(args, kwargs)
		if !ok {
			return nil, errors.New("@step decorates one function, or one built-in step: step(name=…, options=…)(tags.write)")
		}
		return f.defineStep(t, name, opts, fn)
	}), nil
}

// defineStep makes a step of a function, or a copy of a built-in one with other
// options, and registers its name.
func (f *Front) defineStep(t *starlark.Thread, name string, opts engine.StepOptions, c starlark.Callable) (starlark.Value, error) {
	l, err := loadingOf(t, "@step")
	if err != nil {
		return nil, err
	}
	if builtin, ok := c.(*stepFn); ok {
		s := *builtin
		s.options = opts
		if name == "" || name == builtin.name {
			return &s, nil
		}
		s.name = name
		return &s, f.nameStep(t, l, name, nil)
	}
	fn, err := function("step", c)
	if err != nil {
		return nil, err
	}
	if name == "" {
		if name = fn.Name(); name == "lambda" {
			return nil, errors.New("@step: a lambda wants name=")
		}
	}
	pos := fn.Position()
	if l.unit.steps[pos.Filename()] == nil {
		l.unit.steps[pos.Filename()] = make(map[place]string)
	}
	l.unit.steps[pos.Filename()][at(pos)] = name
	return &userStep{callable{"step", name}, f, fn, opts}, f.nameStep(t, l, name, fn)
}

func (f *Front) nameStep(t *starlark.Thread, l *loading, name string, fn *starlark.Function) error {
	if f.builtin[name] != nil || strings.HasPrefix(name, "rt.") {
		return fmt.Errorf("@step: %s is the name of a built-in one", name)
	}
	l.unit.define("step", name, l.definedAt(t, fn))
	return nil
}

// stepOptions reads @step's options.
func stepOptions(v starlark.Value) (engine.StepOptions, error) {
	d, ok := v.(*starlark.Dict)
	if !ok {
		return engine.StepOptions{}, badOption("options", v, `a dict: {"retries_allowed": True, …}`)
	}
	retries := false
	o := engine.StepOptions{MaxAttempts: 3, Interval: time.Second, MaxInterval: time.Hour, Backoff: 2} // DBOS's defaults
	for k, e := range d.Entries() {
		key, ok := starlark.AsString(k)
		if !ok || !slices.Contains(retryOptions, key) {
			return o, fmt.Errorf("options has no key %s%s: it takes %s", k, suggest(key, retryOptions), strings.Join(retryOptions, ", "))
		}
		if e == starlark.None {
			continue
		}
		if err := stepOption(&o, &retries, key, e); err != nil {
			return o, err
		}
	}
	if !retries {
		o.MaxAttempts = 1
	}
	return o, nil
}

func stepOption(o *engine.StepOptions, retries *bool, key string, v starlark.Value) error {
	switch key {
	case "retries_allowed":
		b, ok := v.(starlark.Bool)
		if !ok {
			return badOption(key, v, "True or False")
		}
		*retries = bool(b)
	case "max_attempts":
		var n int
		if err := starlark.AsInt(v, &n); err != nil || n < 1 {
			return badOption(key, v, "a whole number, 1 or more")
		}
		o.MaxAttempts = n
	case "backoff_rate":
		x, ok := starlark.AsFloat(v)
		if !ok || !(x >= 1) || math.IsInf(x, 0) {
			return badOption(key, v, "a number, 1 or more")
		}
		o.Backoff = x
	case "on_interrupted":
		switch s, _ := starlark.AsString(v); s {
		case "retry":
			o.OnInterrupted = engine.RetryInterrupted
		case "hold":
			o.OnInterrupted = engine.HoldInterrupted
		case "fail":
			o.OnInterrupted = engine.FailInterrupted
		default:
			return badOption(key, v, `"retry", "hold" or "fail"`)
		}
	default:
		d, ok := duration(v)
		if !ok || d == 0 && key != "interval_seconds" {
			return badOption(key, v, "a number of seconds")
		}
		switch key {
		case "interval_seconds":
			o.Interval = d
		case "max_interval_seconds":
			o.MaxInterval = d
		case "timeout_seconds":
			o.Timeout = d
		}
	}
	return nil
}

package script

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"holdfast/engine"
)

// attempt calls fn and returns struct(ok, value, error). It catches what a step
// or fail(…) raises; not a script's own mistakes, nor what ends the run.
func attempt(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 {
		return nil, errors.New("attempt wants a function: attempt(fn, …)")
	}
	if _, ok := args[0].(starlark.Callable); !ok {
		return nil, fmt.Errorf("attempt wants a function and its arguments, attempt(fn, …), not a %s: leave out the parentheses after the function's name", args[0].Type())
	}
	b := budgetOf(t)
	growing := len(b.growing)
	if st := stateOf(t); st != nil {
		st.catching++
		defer func() { st.catching-- }()
	}
	v, err := starlark.Call(t, args[0], args[1:], kwargs)
	if err == nil {
		return result(true, v, starlark.None), nil
	}
	caught := catch(err)
	if caught == nil || b.err != nil {
		return nil, err
	}
	b.growing = b.growing[:growing] // of comprehensions that fn has left half-done
	return result(false, starlark.None, caught), nil
}

func result(ok bool, v, err starlark.Value) starlark.Value {
	return starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{"ok": starlark.Bool(ok), "value": v, "error": err})
}

// catch makes of an error that attempt may catch what the script sees of it;
// else nil.
func catch(err error) starlark.Value {
	if engine.IsFatal(err) || typeOf(err) == typeLimit {
		return nil
	}
	var (
		step *engine.StepError
		fail *failure
	)
	switch {
	case errors.As(err, &step):
		if step.Bug {
			return nil
		}
	case errors.As(err, &fail):
		step = &engine.StepError{Type: typeFail, Message: fail.msg}
	default:
		return nil
	}
	return starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{
		"type": starlark.String(step.Type), "message": starlark.String(step.Message),
		"step": starlark.String(step.Step), "attempts": starlark.MakeInt(step.Attempts),
	})
}

// fail is Starlark's fail, as an error that attempt can tell from others.
func fail(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	sep := " "
	if err := starlark.UnpackArgs("fail", nil, kwargs, "sep?", &sep); err != nil {
		return nil, err
	}
	if err := chargeText(t, len(args)*len(sep), args...); err != nil {
		return nil, err
	}
	var msg []byte
	for i, v := range args {
		if i > 0 {
			msg = append(msg, sep...)
		}
		if s, ok := starlark.AsString(v); ok {
			msg = append(msg, s...)
		} else {
			msg = append(msg, v.String()...)
		}
	}
	return nil, &failure{string(msg)}
}

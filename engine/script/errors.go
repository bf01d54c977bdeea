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

// failure is what fail(…) raises.
type failure struct{ msg string }

func (e *failure) Error() string { return e.msg }

// The types of a RunError that no step has given.
const (
	typeFail   = "Fail"
	typeScript = "ScriptError"
	typeLimit  = "LimitExceeded"
)

// typeOf tells a script's error from what its bounds do not permit.
func typeOf(err error) string {
	if errors.As(err, new(*limitError)) || errors.As(err, new(*value.LimitError)) {
		return typeLimit
	}
	return typeScript
}

// uncaught is the error of a script: with its traceback, for the run, and with
// its cause, for errors.As.
type uncaught struct {
	*engine.RunError
	cause error
}

func (e *uncaught) Unwrap() []error { return []error{e.RunError, e.cause} }

// judge makes of what ended a thread what the engine is to know.
func judge(ctx context.Context, b *budget, err error) error {
	if engine.IsFatal(err) {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	out := &engine.RunError{Type: typeScript, Message: err.Error(), Traceback: traceback(err)}
	var (
		step *engine.StepError
		fail *failure
	)
	switch {
	case b.err != nil:
		out.Type, out.Message = typeLimit, b.err.msg
	case typeOf(err) == typeLimit:
		out.Type = typeLimit
	case errors.As(err, &step):
		out.Type, out.Message, out.Step = step.Type, step.Message, step.Step
	case errors.As(err, &fail):
		out.Type, out.Message = typeFail, fail.msg
	}
	return &uncaught{out, err}
}

// traceback lists the calls that led to an error, outermost first, as
// "file:line:col: in function".
func traceback(err error) string {
	var ee *starlark.EvalError
	if !errors.As(err, &ee) {
		return ""
	}
	var b strings.Builder
	for _, fr := range ee.CallStack {
		if fr.Pos.Line > 0 {
			fmt.Fprintf(&b, "%s: in %s\n", fr.Pos, fr.Name)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// innermost returns where in a file an error arose. That a call does not fit a
// function is an error of the line that calls.
func innermost(err error) (starlark.CallFrame, bool) {
	var ee *starlark.EvalError
	if errors.As(err, &ee) {
		for i := range ee.CallStack {
			fr := ee.CallStack.At(i)
			misfit := i == 0 && len(ee.CallStack) > 1 && strings.HasPrefix(ee.Msg, "function "+fr.Name+" ")
			if fr.Pos.Line > 0 && !misfit {
				return fr, true
			}
		}
	}
	return starlark.CallFrame{}, false
}

// where returns the line that a thread is at, outside of built-in functions.
func where(t *starlark.Thread) func() string {
	return func() string {
		for depth := range t.CallStackDepth() {
			if pos := t.CallFrame(depth).Pos; pos.Line > 0 {
				return fmt.Sprintf("%s:%d", pos.Filename(), pos.Line)
			}
		}
		return ""
	}
}

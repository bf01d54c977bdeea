package script

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
)

// getattr is Starlark's, and gives guarded methods.
func getattr(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var (
		x, dflt starlark.Value
		name    string
	)
	if err := starlark.UnpackPositionalArgs("getattr", args, kwargs, 2, &x, &name, &dflt); err != nil {
		return nil, err
	}
	v, err := attribute(t, x, name)
	switch {
	case err == nil:
		return v, nil
	case dflt != nil && !errors.As(err, new(*limitError)):
		return dflt, nil
	}
	return nil, fmt.Errorf("getattr: %w", err)
}

// attribute returns x.name. A guarded method is bound to x.
func attribute(t *starlark.Thread, x starlark.Value, name string) (starlark.Value, error) {
	if rt, ok := x.(*handle); ok && isRunAttribute(name) {
		return rt.ofRun(t, name)
	}
	h, ok := x.(starlark.HasAttrs)
	if !ok {
		return nil, fmt.Errorf("%s has no .%s field or method", x.Type(), name)
	}
	v, err := h.Attr(name)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fmt.Errorf("%s has no .%s field or method%s", x.Type(), name, suggest("."+name, dotted(h.AttrNames())))
	}
	if _, ok := v.(*starlark.Builtin); ok && methodCharge(x, name) != nil {
		return starlark.NewBuiltin(name, func(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			return method(t, b.Receiver(), name, args, kwargs)
		}).BindReceiver(x), nil
	}
	return v, nil
}

func dotted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "." + n
	}
	return out
}

// guardedMethods returns the functions that stand for x.join(…) and the like.
func guardedMethods() starlark.StringDict {
	d := starlark.StringDict{}
	for name := range charged {
		d[opAttr+name] = starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			return method(t, args[0], name, args[1:], kwargs)
		})
	}
	return d
}

// method calls x.name(args), counted where x is of a built-in type.
func method(t *starlark.Thread, x starlark.Value, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	before := methodCharge(x, name)
	if before == nil {
		fn, err := attribute(t, x, name)
		if err != nil {
			return nil, err
		}
		return starlark.Call(t, fn, args, kwargs)
	}
	if err := before(t, x, args, kwargs); err != nil {
		return nil, err
	}
	fn, err := x.(starlark.HasAttrs).Attr(name)
	if err != nil {
		return nil, err
	}
	b, ok := fn.(*starlark.Builtin)
	if !ok {
		return nil, fmt.Errorf("%s has no .%s field or method", x.Type(), name)
	}
	return b.CallInternal(t, args, kwargs)
}

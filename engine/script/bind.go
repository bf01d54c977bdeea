package script

import (
	"fmt"

	"go.starlark.net/starlark"

	"holdfast/engine/value"
)

// signature is what a function takes, in the order in which Starlark has it:
// positional ones, keyword-only ones, *args, **kwargs.
type signature struct {
	fn     *starlark.Function
	named  int // ordinary parameters, keyword-only ones included
	kwonly int
}

func signatureOf(fn *starlark.Function) signature {
	n := fn.NumParams()
	if fn.HasVarargs() {
		n--
	}
	if fn.HasKwargs() {
		n--
	}
	return signature{fn, n, fn.NumKwonlyParams()}
}

func (s signature) name(i int) string {
	name, _ := s.fn.Param(i)
	return name
}

func (s signature) index(name string) int {
	for i := range s.named {
		if s.name(i) == name {
			return i
		}
	}
	return -1
}

func (s signature) names() []string {
	names := make([]string, s.named)
	for i := range names {
		names[i] = s.name(i)
	}
	return names
}

// bindFunction encodes the arguments of a call by parameter, defaults filled
// in, in the order of the parameters, so that two ways to write a call are one
// in the record.
func bindFunction(step string, fn *starlark.Function, args starlark.Tuple, kwargs []starlark.Tuple) (value.Raw, error) {
	s := signatureOf(fn)
	given := make([]starlark.Value, s.named)
	n := copy(given[:s.named-s.kwonly], args)
	rest := args[n:]
	if len(rest) > 0 && !fn.HasVarargs() {
		return nil, fmt.Errorf("%s takes %d positional arguments at most, not %d", step, n, len(args))
	}
	extra := starlark.NewDict(0)
	for _, kv := range kwargs {
		name := string(kv[0].(starlark.String))
		i := s.index(name)
		switch {
		case i >= 0 && given[i] != nil:
			return nil, fmt.Errorf("%s is given %s twice", step, name)
		case i >= 0:
			given[i] = kv[1]
		case fn.HasKwargs():
			if err := extra.SetKey(kv[0], kv[1]); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%s has no parameter %s%s", step, name, suggest(name, s.names()))
		}
	}
	for i := range given {
		if given[i] == nil {
			if given[i] = fn.ParamDefault(i); given[i] == nil {
				return nil, fmt.Errorf("%s wants %s", step, s.name(i))
			}
		}
	}
	if fn.HasVarargs() {
		given = append(given, rest)
	}
	if fn.HasKwargs() {
		given = append(given, extra)
	}
	var g value.Budget
	b := value.AppendHead(make([]byte, 0, 96), value.MajorMap, uint64(len(given)))
	for i, v := range given {
		name, _ := fn.Param(i)
		b = value.AppendString(b, name)
		var err error
		if b, err = appendValue(b, v, 1, &g); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", step, name, err)
		}
	}
	return b, nil
}

// unbind makes of what bindFunction encoded the arguments of a call, which may
// take most bytes.
func unbind(fn *starlark.Function, raw value.Raw, most int64) (args starlark.Tuple, kwargs []starlark.Tuple, err error) {
	v, err := decode(raw, most)
	if err != nil {
		return nil, nil, err
	}
	all, ok := v.(*starlark.Dict)
	if !ok || all.Len() != fn.NumParams() {
		return nil, nil, fmt.Errorf("recorded arguments of %s are no map of its parameters", fn.Name())
	}
	s := signatureOf(fn)
	for i, kv := range all.Items() {
		switch {
		case i < s.named-s.kwonly:
			args = append(args, kv[1])
		case i < s.named:
			kwargs = append(kwargs, kv)
		default:
			switch v := kv[1].(type) {
			case starlark.Tuple:
				args = append(args, v...)
			case *starlark.Dict:
				kwargs = append(kwargs, v.Items()...)
			}
		}
	}
	return args, kwargs, nil
}

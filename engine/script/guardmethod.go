package script

import (
	"strings"

	"go.starlark.net/starlark"
)

// charge counts what a method is about to make.
type charge func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error

func isGuardedMethod(name string) bool {
	_, ok := charged[name]
	return ok
}

// methodCharge returns how a method of a built-in type is counted; nil for any
// other.
func methodCharge(x starlark.Value, name string) charge {
	switch x.(type) {
	case starlark.String, *starlark.List, *starlark.Dict, *starlark.Set:
		return charged[name][x.Type()]
	}
	return nil
}

// charged is chargedMethods, made once. It does not change.
var charged = chargedMethods()

// chargedMethods are the methods that can make much at once, by name and type.
func chargedMethods() map[string]map[string]charge {
	own := func(bytes int) charge {
		return func(t *starlark.Thread, x starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) error {
			return chargeElements(t, x, bytes)
		}
	}
	given := func(bytes int) charge {
		return func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
			for _, a := range args {
				if err := chargeElements(t, a, bytes); err != nil {
					return err
				}
			}
			return nil
		}
	}
	both := func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
		if err := chargeElements(t, x, 96); err != nil {
			return err
		}
		return given(96)(t, x, args, kwargs)
	}
	set := func(c charge) map[string]charge { return map[string]charge{"set": c} }
	text := func(c charge) map[string]charge { return map[string]charge{"string": c} }
	return map[string]map[string]charge{
		"extend": {"list": given(16)},
		"insert": {"list": own(16)}, "remove": {"list": own(16)}, "index": {"list": own(16)}, "pop": {"list": chargePop},
		"items": {"dict": own(72)}, "keys": {"dict": own(16)}, "values": {"dict": own(16)},
		"update":               {"dict": given(96), "set": given(96)},
		"union":                set(both),
		"difference":           set(both),
		"intersection":         set(both),
		"symmetric_difference": set(both),
		"issubset":             set(both),
		"issuperset":           set(both),
		"upper":                text(own(2)), "lower": text(own(2)), "title": text(own(2)), "capitalize": text(own(2)),
		"split": text(chargeSplit), "rsplit": text(chargeSplit), "splitlines": text(chargeSplit),
		"join": text(chargeJoin), "replace": text(chargeReplace), "format": text(chargeFormat),
	}
}

// chargePop counts the moving of what stands behind the element, but for the
// last one.
func chargePop(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if len(args) == 0 {
		return nil
	}
	return chargeElements(t, x, 16)
}

func chargeSplit(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	s := string(x.(starlark.String))
	parts := 1
	if sep, ok := first[starlark.String](args); ok && sep != "" {
		parts += strings.Count(s, string(sep))
	} else {
		for i := 1; i < len(s); i++ {
			if s[i-1] <= ' ' && s[i] > ' ' || s[i] == '\n' {
				parts++
			}
		}
	}
	return budgetOf(t).charge(t, 48*parts)
}

func chargeJoin(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	it, ok := first[starlark.Iterable](args)
	if !ok {
		return nil // Starlark says what is wrong
	}
	if err := chargeElements(t, it, 1); err != nil {
		return err
	}
	b := budgetOf(t)
	n := int64(0)
	for v := range starlark.Elements(it) {
		n += int64(max(starlark.Len(v), 0)) + int64(starlark.Len(x))
		if n > b.maxMemory {
			return b.textTooLong()
		}
	}
	return b.charge(t, int(n))
}

func chargeReplace(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if len(args) < 2 {
		return nil
	}
	old, ok1 := args[0].(starlark.String)
	by, ok2 := args[1].(starlark.String)
	if !ok1 || !ok2 {
		return nil
	}
	s := string(x.(starlark.String))
	b := budgetOf(t)
	n := strings.Count(s, string(old))
	if len(by) > 0 && int64(n) > b.maxMemory/int64(len(by)) {
		return b.textTooLong()
	}
	return b.charge(t, len(s)+n*len(by))
}

func chargeFormat(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	s := string(x.(starlark.String))
	vs := append([]starlark.Value(nil), args...)
	for _, kv := range kwargs {
		vs = append(vs, kv[1])
	}
	return chargeFields(t, len(s), strings.Count(s, "{"), vs)
}

// chargeFields counts text of n bytes with a number of fields, each of which
// may be any of the values.
func chargeFields(t *starlark.Thread, n, fields int, vs []starlark.Value) error {
	if fields <= len(vs) {
		return chargeText(t, n, vs...)
	}
	b := budgetOf(t)
	w := writer{left: b.maxMemory}
	for _, v := range vs {
		w.value(v)
	}
	most := b.maxMemory - w.left
	if w.left < 0 || most > b.maxMemory/int64(fields) {
		return b.textTooLong()
	}
	return b.charge(t, n+fields*int(most))
}

// first returns the first argument, if it is of type T.
func first[T any](args starlark.Tuple) (v T, ok bool) {
	if len(args) > 0 {
		v, ok = args[0].(T)
	}
	return v, ok
}

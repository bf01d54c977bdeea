package script

import (
	"math"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// guardedUniverse returns Starlark's own functions that can make much, or take
// long, with a count before each call.
func guardedUniverse() starlark.StringDict {
	d := starlark.StringDict{}
	guard := func(name string, before func(t *starlark.Thread, args starlark.Tuple) error) {
		native, _ := starlark.Universe[name].(*starlark.Builtin)
		d[name] = starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if err := before(t, args); err != nil {
				return nil, err
			}
			return native.CallInternal(t, args, kwargs)
		})
	}
	for name, bytes := range map[string]int{"list": 16, "tuple": 16, "reversed": 16, "bytes": 1, "enumerate": 88} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) == 0 {
				return nil
			}
			return chargeElements(t, args[0], bytes)
		})
	}
	for name, pairs := range map[string]bool{"set": false, "dict": true} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) == 0 {
				return nil
			}
			if err := chargeElements(t, args[0], 96); err != nil {
				return err
			}
			return chargeKeys(t, args[0], pairs)
		})
	}
	for _, name := range []string{"any", "all"} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) != 1 {
				return nil
			}
			b := budgetOf(t)
			n, err := b.length(t, args[0], math.MaxInt64)
			if err != nil {
				return err
			}
			return b.work(t, uint64(n)/elementsPerStep)
		})
	}
	for _, name := range []string{"hash", "float", "ord"} { // of a text
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) == 0 {
				return nil
			}
			return budgetOf(t).charge(t, starlark.Len(args[0]))
		})
	}
	for _, name := range []string{"str", "repr", "print"} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error { return chargeText(t, len(args), args...) })
	}
	guard("zip", chargeZip)
	guard("dir", func(t *starlark.Thread, args starlark.Tuple) error {
		if len(args) == 1 {
			if s, ok := args[0].(*starlarkstruct.Struct); ok {
				return budgetOf(t).charge(t, 32*s.Len())
			}
		}
		return nil
	})
	guard("int", func(_ *starlark.Thread, args starlark.Tuple) error {
		if len(args) > 0 && starlark.Len(args[0]) > maxBits/3 {
			return errBits
		}
		return nil
	})
	d["min"] = starlark.NewBuiltin("min", extremum(syntax.LT))
	d["max"] = starlark.NewBuiltin("max", extremum(syntax.GT))
	d["sorted"] = starlark.NewBuiltin("sorted", sorted)
	d["getattr"] = starlark.NewBuiltin("getattr", getattr)
	return d
}

func chargeZip(t *starlark.Thread, args starlark.Tuple) error {
	b := budgetOf(t)
	row := 40 + 16*len(args)
	most := b.maxMemory / int64(row)
	n := int64(0)
	for i, a := range args {
		l, err := b.length(t, a, most)
		if err != nil {
			return err
		}
		if i == 0 || l < n {
			n = l
		}
	}
	if n > most {
		return b.exceeded("%d rows at once are more than the %d that a run may hold in %d bytes", n, most, b.maxMemory)
	}
	return b.charge(t, int(n)*row)
}

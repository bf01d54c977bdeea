package script

import (
	"math"
	"math/bits"
	"sort"

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
	for name, bytes := range map[string]int{"list": 16, "tuple": 16, "reversed": 16, "bytes": 1, "set": 96, "dict": 96, "enumerate": 88} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) == 0 {
				return nil
			}
			return chargeElements(t, args[0], bytes)
		})
	}
	for _, name := range []string{"any", "all", "min", "max"} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error {
			if len(args) != 1 {
				return nil
			}
			b := budgetOf(t)
			n, err := b.length(t, args[0], math.MaxInt64)
			if err != nil {
				return err
			}
			return b.work(t, uint64(n)/8)
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

// sorted is Starlark's, but the keys that it holds can be measured while the
// next ones are computed.
func sorted(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var (
		iterable starlark.Iterable
		key      starlark.Value
		reverse  bool
	)
	if err := starlark.UnpackArgs("sorted", args, kwargs, "iterable", &iterable, "key?", &key, "reverse?", &reverse); err != nil {
		return nil, err
	}
	if err := chargeElements(t, iterable, 32); err != nil {
		return nil, err
	}
	b := budgetOf(t)
	s := sorter{values: elements(iterable), reverse: reverse}
	n := len(s.values)
	if err := b.work(t, uint64(n)*uint64(bits.Len(uint(n)))/8); err != nil {
		return nil, err
	}
	s.keys = s.values
	if key != nil && key != starlark.None {
		b.growing = append(b.growing, nil)
		top := len(b.growing) - 1
		for _, v := range s.values {
			k, err := starlark.Call(t, key, starlark.Tuple{v}, nil)
			if err != nil {
				b.growing = b.growing[:top]
				return nil, err
			}
			b.growing[top] = append(b.growing[top], k)
		}
		s.keys = b.growing[top]
		b.growing = b.growing[:top]
	}
	sort.Stable(&s)
	return starlark.NewList(s.values), s.err
}

// elements returns the elements of an iterable, in a slice of their own.
func elements(it starlark.Iterable) []starlark.Value {
	all := make([]starlark.Value, 0, max(starlark.Len(it), 0))
	for v := range starlark.Elements(it) {
		all = append(all, v)
	}
	return all
}

// sorter sorts values by their keys.
type sorter struct {
	values, keys []starlark.Value
	reverse      bool
	err          error
}

func (s *sorter) Len() int { return len(s.values) }

func (s *sorter) Less(i, j int) bool {
	if s.reverse {
		i, j = j, i
	}
	less, err := starlark.Compare(syntax.LT, s.keys[i], s.keys[j])
	if err != nil && s.err == nil {
		s.err = err
	}
	return less
}

func (s *sorter) Swap(i, j int) {
	s.values[i], s.values[j] = s.values[j], s.values[i]
	if &s.values[0] != &s.keys[0] {
		s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
	}
}

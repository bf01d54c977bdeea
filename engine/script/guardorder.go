package script

import (
	"fmt"
	"math/bits"
	"sort"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// extremum returns Starlark's min or max, with a count of what the comparisons
// go through.
func extremum(op syntax.Token) func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return func(t *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if len(args) == 0 {
			return nil, fmt.Errorf("%s requires at least one positional argument", fn.Name())
		}
		var key starlark.Callable
		if err := starlark.UnpackArgs(fn.Name(), nil, kwargs, "key?", &key); err != nil {
			return nil, err
		}
		among := starlark.Value(args)
		if len(args) == 1 {
			among = args[0]
		}
		it := starlark.Iterate(among)
		if it == nil {
			return nil, fmt.Errorf("%s: %s value is not iterable", fn.Name(), among.Type())
		}
		defer it.Done()
		w := walkerOf(t)
		var best, bestKey, v starlark.Value
		for it.Next(&v) {
			k := v
			if key != nil {
				var err error
				if k, err = starlark.Call(t, key, starlark.Tuple{v}, nil); err != nil {
					return nil, err
				}
			}
			if best != nil {
				if better, err := w.compare(op, k, bestKey, starlark.CompareLimit); err != nil {
					return nil, fmt.Errorf("%s: %w", fn.Name(), err)
				} else if !better {
					continue
				}
			}
			best, bestKey = v, k
		}
		if best == nil {
			return nil, fmt.Errorf("%s: argument is an empty sequence", fn.Name())
		}
		return best, w.settle()
	}
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
	s := sorter{walker: walkerOf(t), values: elements(iterable), reverse: reverse}
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
	if s.err == nil {
		s.err = s.settle()
	}
	return starlark.NewList(s.values), s.err
}

// sorter sorts values by their keys.
type sorter struct {
	walker
	values, keys []starlark.Value
	reverse      bool
	err          error
}

func (s *sorter) Len() int { return len(s.values) }

func (s *sorter) Less(i, j int) bool {
	if s.reverse {
		i, j = j, i
	}
	if s.err != nil {
		return false // nothing is compared any more
	}
	less, err := s.compare(syntax.LT, s.keys[i], s.keys[j], starlark.CompareLimit)
	s.err = err
	return less
}

func (s *sorter) Swap(i, j int) {
	s.values[i], s.values[j] = s.values[j], s.values[i]
	if &s.values[0] != &s.keys[0] {
		s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
	}
}

// elements returns the elements of an iterable, in a slice of their own.
func elements(it starlark.Iterable) []starlark.Value {
	all := make([]starlark.Value, 0, max(starlark.Len(it), 0))
	for v := range starlark.Elements(it) {
		all = append(all, v)
	}
	return all
}

package script

import (
	"errors"
	"fmt"
	"math/bits"
	"sort"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

type builtinFunc = func(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

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
			return budgetOf(t).work(t, uint64(max(starlark.Len(args[0]), 0))/8)
		})
	}
	for _, name := range []string{"str", "repr", "print"} {
		guard(name, func(t *starlark.Thread, args starlark.Tuple) error { return chargeText(t, len(args), args...) })
	}
	guard("zip", chargeZip)
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
	n := -1
	for _, a := range args {
		if l := starlark.Len(a); l >= 0 && (n < 0 || l < n) {
			n = l
		}
	}
	row := 40 + 16*len(args)
	b := budgetOf(t)
	if n > 0 && int64(n) > b.maxMemory/int64(row) {
		return b.exceeded("%d rows at once are more than a run may hold in %d bytes", n, b.maxMemory)
	}
	return b.charge(t, max(n, 0)*row)
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
	n := starlark.Len(iterable)
	if err := chargeElements(t, iterable, 32); err != nil {
		return nil, err
	}
	b := budgetOf(t)
	if n > 0 {
		if err := b.work(t, uint64(n)*uint64(bits.Len(uint(n)))/8); err != nil {
			return nil, err
		}
	}
	s := sorter{values: elements(iterable), reverse: reverse}
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
	if err != nil && dflt != nil && !errors.As(err, new(*limitError)) {
		return dflt, nil
	}
	return v, err
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
			return b.exceeded("a single text would have more than the %d bytes that a run may hold", b.maxMemory)
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
	if n := int64(strings.Count(s, string(old))); n > 0 && len(by) > 0 && n > b.maxMemory/int64(len(by)) {
		return b.exceeded("a single text would have more than the %d bytes that a run may hold", b.maxMemory)
	} else {
		return b.charge(t, len(s)+int(n)*len(by))
	}
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
	if most := b.maxMemory - w.left; w.left < 0 || most > b.maxMemory/int64(fields) {
		return b.exceeded("a single text would have more than the %d bytes that a run may hold", b.maxMemory)
	} else {
		return b.charge(t, n+fields*int(most))
	}
}

// first returns the first argument, if it is of type T.
func first[T any](args starlark.Tuple) (v T, ok bool) {
	if len(args) > 0 {
		v, ok = args[0].(T)
	}
	return v, ok
}

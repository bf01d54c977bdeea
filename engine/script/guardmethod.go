package script

import (
	"errors"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
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
		if err := given(96)(t, x, args, kwargs); err != nil {
			return err
		}
		for _, v := range append(starlark.Tuple{x}, args...) {
			if err := chargeKeys(t, v, false); err != nil {
				return err
			}
		}
		return nil
	}
	put := func(pairs bool) charge {
		return func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
			for _, a := range args {
				if err := chargeElements(t, a, 96); err != nil {
					return err
				}
				if err := chargeKeys(t, a, pairs); err != nil {
					return err
				}
			}
			return chargeGrown(t, x)
		}
	}
	set := func(c charge) map[string]charge { return map[string]charge{"set": c} }
	text := func(c charge) map[string]charge { return map[string]charge{"string": c} }
	all := map[string]map[string]charge{
		"extend": {"list": given(16)},
		"insert": {"list": own(16)}, "remove": {"list": chargeFind}, "index": {"list": chargeFind, "string": chargeSearch},
		"pop":   {"list": chargePop, "dict": chargeFirstKey},
		"items": {"dict": own(72)}, "keys": {"dict": own(16)}, "values": {"dict": own(16)},
		"update":               {"dict": put(true), "set": put(false)},
		"union":                set(both),
		"difference":           set(both),
		"intersection":         set(both),
		"symmetric_difference": set(both),
		"issubset":             set(both),
		"issuperset":           set(both),
		"get":                  {"dict": chargeFirstKey}, "setdefault": {"dict": chargePut},
		"add": set(chargePut), "discard": set(chargeFirstKey),
		"find": text(chargeSearch), "partition": text(chargeSearch),
		"join": text(chargeJoin), "replace": text(chargeReplace), "format": text(chargeFormat),
	}
	all["remove"]["set"] = chargeFirstKey
	for _, name := range []string{"upper", "lower", "title", "capitalize"} {
		all[name] = text(own(2))
	}
	for _, name := range []string{"split", "rsplit", "splitlines"} {
		all[name] = text(chargeSplit)
	}
	for _, name := range []string{"count", "rfind", "rindex", "rpartition", "strip", "lstrip", "rstrip",
		"isalnum", "isalpha", "isdigit", "islower", "isspace", "istitle", "isupper"} {
		all[name] = text(chargeWhole)
	}
	for _, name := range []string{"startswith", "endswith", "removeprefix", "removesuffix"} {
		all[name] = text(chargeAffix)
	}
	return all
}

// chargeWhole counts a method that goes through the whole text.
func chargeWhole(t *starlark.Thread, x starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) error {
	return budgetOf(t).charge(t, starlark.Len(x))
}

// chargeSearch counts what is gone through until a text is found. Where the
// search has bounds of its own the whole is counted.
func chargeSearch(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	s := string(x.(starlark.String))
	sub, ok := first[starlark.String](args)
	if !ok || len(args) > 2 {
		return budgetOf(t).charge(t, len(s))
	}
	if len(args) == 2 {
		var from int
		if err := starlark.AsInt(args[1], &from); err != nil {
			return nil // Starlark says what is wrong
		}
		if from < 0 {
			from += len(s)
		}
		s = s[min(max(from, 0), len(s)):]
	}
	_, err := search(t, s, string(sub))
	return err
}

// chargeAffix counts what is compared with the beginning or the end of a text.
func chargeAffix(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	n := 0
	switch a := args; {
	case len(a) == 0:
	default:
		if l, ok := a[0].(starlark.Tuple); ok {
			a = l
		} else {
			a = a[:1]
		}
		for _, v := range a {
			n += 1 + min(starlark.Len(x), max(starlark.Len(v), 0))
		}
	}
	return budgetOf(t).charge(t, n)
}

// chargeFirstKey counts the hashing of the first argument.
func chargeFirstKey(t *starlark.Thread, _ starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if len(args) == 0 || plain(args[0]) {
		return nil
	}
	return chargeKey(t, args[0])
}

// chargePut counts what puts one key into a dict or set.
func chargePut(t *starlark.Thread, x starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	if err := chargeGrown(t, x); err != nil {
		return err
	}
	return chargeFirstKey(t, x, args, kwargs)
}

// chargeFind counts what a search in a list compares, by doing it. Where the
// search has bounds of its own that is all of the list.
func chargeFind(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if len(args) == 0 {
		return nil
	}
	w := walkerOf(t)
	l, from := x.(*starlark.List), 0
	_, err := w.find(args[0], l)
	for ; len(args) > 1 && err == nil && from < l.Len(); from++ {
		_, err = w.compare(syntax.EQL, l.Index(from), args[0], starlark.CompareLimit)
	}
	if err == nil {
		err = w.settle()
	}
	if errors.Is(err, errDepth) {
		return nil // Starlark says so, with the method's name
	}
	return err
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
	return budgetOf(t).charge(t, len(s)+48*parts)
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

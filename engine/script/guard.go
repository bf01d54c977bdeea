package script

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// maxBits bounds numbers: their arithmetic takes the more time the longer they are.
const maxBits = 1 << 16

// errBits is a limitError, so that a script does not carry on with what it has.
var errBits = &limitError{fmt.Sprintf("a number would have more than %d bits", maxBits)}

// binaryOps are the operations that the rewriter makes calls of.
var binaryOps = [...]syntax.Token{
	syntax.PLUS, syntax.MINUS, syntax.STAR, syntax.PERCENT, syntax.PIPE, syntax.AMP, syntax.CIRCUMFLEX, syntax.LTLT,
}

// guards returns the functions that the rewriter calls.
func guards() starlark.StringDict {
	d := starlark.StringDict{}
	for _, op := range binaryOps {
		d[op.String()] = starlark.NewBuiltin(op.String(), func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return operate(t, op, args[0], args[1])
		})
		assign := op - syntax.PLUS + syntax.PLUS_EQ
		d[assign.String()] = starlark.NewBuiltin(assign.String(), func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return augend{t, op, args[0]}, nil
		})
	}
	d[opSlice] = starlark.NewBuiltin("slice", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return made(t, args[0])
	})
	d[opSpread] = starlark.NewBuiltin("call", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return args[0], chargeElements(t, args[0], 32)
	})
	d[opKey] = starlark.NewBuiltin("key", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		if plain(args[0]) {
			return args[0], nil
		}
		return args[0], chargeKey(t, args[0])
	})
	d[opInto] = starlark.NewBuiltin("setindex", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return args[0], chargeGrown(t, args[0])
	})
	d[opAttr] = starlark.NewBuiltin("getattr", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return attribute(t, args[0], string(args[1].(starlark.String)))
	})
	d[opBegin] = starlark.NewBuiltin("for", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		b := budgetOf(t)
		b.growing = append(b.growing, nil)
		return args[0], nil
	})
	d[opKeep] = starlark.NewBuiltin("for", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		b := budgetOf(t)
		top := &b.growing[len(b.growing)-1]
		*top = append(*top, args[0])
		return args[0], nil
	})
	d[opKeepKey] = starlark.NewBuiltin("for", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		b := budgetOf(t)
		top := &b.growing[len(b.growing)-1]
		*top = append(*top, args[0])
		return args[0], chargeEntries(t, *top)
	})
	d[opEnd] = starlark.NewBuiltin("for", func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		b := budgetOf(t)
		b.growing = b.growing[:len(b.growing)-1]
		return args[0], nil
	})
	return d
}

// made counts a value that has just been made.
func made(t *starlark.Thread, v starlark.Value) (starlark.Value, error) {
	if i, ok := v.(starlark.Int); ok {
		if _, small := i.Int64(); !small && i.BigInt().BitLen() > maxBits {
			return nil, errBits
		}
		return v, nil
	}
	return v, budgetOf(t).charge(t, sizeOf(v))
}

// operate is a binary operation whose result is counted: before it is made where
// it can be much more than its operands.
func operate(t *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	var err error
	switch op {
	case syntax.STAR:
		err = chargeRepeat(t, x, y)
	case syntax.PERCENT:
		if s, ok := x.(starlark.String); ok {
			if _, ok := y.(*starlark.Dict); ok { // "%(a)s%(a)s" % d
				err = chargeFields(t, len(s), strings.Count(string(s), "%"), []starlark.Value{y})
			} else {
				err = chargeText(t, len(s), y)
			}
		}
	case syntax.PIPE, syntax.AMP, syntax.CIRCUMFLEX, syntax.MINUS:
		err = chargeTables(t, x, y)
	}
	if err != nil {
		return nil, err
	}
	z, err := starlark.Binary(op, x, y)
	if err != nil {
		return nil, err
	}
	switch z.(type) {
	case starlark.Float, starlark.Bool:
		return z, nil
	}
	return made(t, z)
}

// chargeRepeat refuses x * y where it cannot fit: "abc" * 1000000000.
func chargeRepeat(t *starlark.Thread, x, y starlark.Value) error {
	xi, xInt := x.(starlark.Int)
	yi, yInt := y.(starlark.Int)
	switch {
	case xInt && yInt:
		if bitLen(xi)+bitLen(yi) > maxBits {
			return errBits
		}
		return nil
	case xInt:
		x, yi = y, xi
	case !yInt:
		return nil
	}
	n, ok := yi.Int64()
	if !ok {
		return nil // Starlark says that it is too large
	}
	b := budgetOf(t)
	if size := int64(sizeOf(x) - sizeOf(empty(x))); size > 0 && n > b.maxMemory/size {
		return b.exceeded("a single value of %d times %d bytes is more than the %d that a run may hold", n, size, b.maxMemory)
	}
	return nil
}

// empty returns a value of x's type without elements, for those that can be
// repeated.
func empty(x starlark.Value) starlark.Value {
	switch x.(type) {
	case starlark.String:
		return starlark.String("")
	case starlark.Bytes:
		return starlark.Bytes("")
	case *starlark.List:
		return starlark.NewList(nil)
	case starlark.Tuple:
		return starlark.Tuple(nil)
	}
	return x
}

func bitLen(i starlark.Int) int {
	if _, ok := i.Int64(); ok {
		return 64
	}
	return i.BigInt().BitLen()
}

// chargeElements counts so many bytes for each element of an iterable, before a
// list or the like is made of them.
func chargeElements(t *starlark.Thread, v starlark.Value, bytes int) error {
	b := budgetOf(t)
	most := b.maxMemory / int64(bytes)
	n, err := b.length(t, v, most)
	if err != nil || n == 0 {
		return err
	}
	if n > most {
		return b.exceeded("%d elements at once are more than the %d that a run may hold in %d bytes", n, most, b.maxMemory)
	}
	if bytes < bytesPerStep/elementsPerStep { // it is going through them that takes the time
		return b.work(t, uint64(n)/elementsPerStep)
	}
	return b.charge(t, int(n)*bytes)
}

// augend is the right side of an augmented assignment. The rewriter makes of
// x += y an operation that only augend answers to, and leaves x as it is, so
// that what x is made of is still evaluated once.
type augend struct {
	thread *starlark.Thread
	op     syntax.Token
	y      starlark.Value
}

var _ starlark.HasBinary = augend{}

func (a augend) String() string        { return a.y.String() }
func (a augend) Type() string          { return a.y.Type() }
func (a augend) Freeze()               {}
func (a augend) Truth() starlark.Bool  { return a.y.Truth() }
func (a augend) Hash() (uint32, error) { return 0, errors.New("unhashable type: operand") }

// Binary does x op= y.
func (a augend) Binary(_ syntax.Token, x starlark.Value, _ starlark.Side) (starlark.Value, error) {
	switch x := x.(type) {
	case *starlark.List:
		if y, ok := a.y.(starlark.Iterable); ok && a.op == syntax.PLUS {
			return x, extend(a.thread, x, y)
		}
	case *starlark.Dict:
		if y, ok := a.y.(*starlark.Dict); ok && a.op == syntax.PIPE {
			return x, update(a.thread, x, y)
		}
	}
	return operate(a.thread, a.op, x, a.y)
}

// extend appends the elements of y to x, which may be the same list.
func extend(t *starlark.Thread, x *starlark.List, y starlark.Iterable) error {
	if err := chargeElements(t, y, 16); err != nil {
		return err
	}
	method, err := x.Attr("extend")
	if err != nil {
		return err
	}
	if _, err = method.(*starlark.Builtin).CallInternal(t, starlark.Tuple{y}, nil); err != nil {
		return errors.New(strings.Replace(err.Error(), "extend: cannot extend", "cannot apply += to", 1))
	}
	return nil
}

// update puts the entries of y into x.
func update(t *starlark.Thread, x, y *starlark.Dict) error {
	if err := chargeElements(t, y, 96); err != nil {
		return err
	}
	if err := chargeKeys(t, y, true); err != nil {
		return err
	}
	if err := chargeGrown(t, x); err != nil {
		return err
	}
	for _, kv := range y.Items() {
		if err := x.SetKey(kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

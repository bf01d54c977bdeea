package script

import (
	"errors"
	"unsafe"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// errDepth is what Starlark says of values that are nested too deeply to be
// compared, which are those that contain themselves.
var errDepth = errors.New("comparison exceeded maximum recursion depth")

// bytesComparedPerStep is how much text that is compared one step of computation
// stands for.
const bytesComparedPerStep = 1024

// walker counts what is gone through without a step of Starlark's: what stands
// in another value many times is gone through as many times. It ends with the
// budget, or when the run is to end.
type walker struct {
	thread *starlark.Thread
	budget *budget
	owed   uint64 // elements that are not charged yet
}

func walkerOf(t *starlark.Thread) walker { return walker{t, budgetOf(t), 0} }

// pay counts n elements.
func (w *walker) pay(n int) error {
	if w.owed += uint64(n); w.owed < 1024 {
		return nil
	}
	return w.settle()
}

// settle charges what is owed.
func (w *walker) settle() error {
	n := w.owed / elementsPerStep
	w.owed %= elementsPerStep
	return w.budget.work(w.thread, n)
}

// compareWalked is x op y.
func compareWalked(t *starlark.Thread, op syntax.Token, x, y starlark.Value) (bool, error) {
	if plain(x) || plain(y) {
		return starlark.Compare(op, x, y)
	}
	w := walkerOf(t)
	ok, err := w.compare(op, x, y, starlark.CompareLimit)
	if err == nil {
		err = w.settle()
	}
	return ok, err
}

// plain reports whether a value is compared, and hashed, in no time.
func plain(v starlark.Value) bool {
	switch v := v.(type) {
	case starlark.Int, starlark.Bool, starlark.Float, starlark.NoneType:
		return true
	case starlark.String:
		return len(v) < bytesPerStep
	}
	return false
}

// compare is starlark.CompareDepth.
func (w *walker) compare(op syntax.Token, x, y starlark.Value, depth int) (bool, error) {
	if depth < 1 {
		return false, errDepth
	}
	if err := w.pay(1); err != nil {
		return false, err
	}
	equality := op == syntax.EQL || op == syntax.NEQ
	switch x := x.(type) {
	case *starlark.List:
		if y, ok := y.(*starlark.List); ok {
			return w.sequences(op, x, y, depth)
		}
	case starlark.Tuple:
		if y, ok := y.(starlark.Tuple); ok {
			return w.sequences(op, x, y, depth)
		}
	case *starlark.Dict:
		if y, ok := y.(*starlark.Dict); ok && equality {
			eq, err := w.dicts(x, y, depth)
			return eq == (op == syntax.EQL), err
		}
	case *starlarkstruct.Struct:
		if y, ok := y.(*starlarkstruct.Struct); ok && equality {
			eq, err := w.structs(x, y, depth)
			return eq == (op == syntax.EQL), err
		}
	case *starlark.Set:
		if y, ok := y.(*starlark.Set); ok {
			if equality && x.Len() != y.Len() {
				return op == syntax.NEQ, nil
			}
			for _, s := range []*starlark.Set{x, y} {
				if err := w.keys(s); err != nil {
					return false, err
				}
			}
		}
	case starlark.String:
		if y, ok := y.(starlark.String); ok {
			if err := w.texts(string(x), string(y), equality); err != nil {
				return false, err
			}
		}
	case starlark.Bytes:
		if y, ok := y.(starlark.Bytes); ok {
			if err := w.texts(string(x), string(y), equality); err != nil {
				return false, err
			}
		}
	}
	return starlark.CompareDepth(op, x, y, depth)
}

// texts counts the comparison of two texts, which looks at nothing where they
// are the same memory, or have another length.
func (w *walker) texts(x, y string, equality bool) error {
	if equality && len(x) != len(y) || unsafe.StringData(x) == unsafe.StringData(y) {
		return nil
	}
	return w.pay(min(len(x), len(y)) * elementsPerStep / bytesComparedPerStep)
}

func (w *walker) sequences(op syntax.Token, x, y starlark.Indexable, depth int) (bool, error) {
	if x.Len() != y.Len() && (op == syntax.EQL || op == syntax.NEQ) {
		return op == syntax.NEQ, nil
	}
	for i := range min(x.Len(), y.Len()) {
		eq, err := w.compare(syntax.EQL, x.Index(i), y.Index(i), depth-1)
		switch {
		case err != nil:
			return false, err
		case eq:
		case op == syntax.EQL, op == syntax.NEQ:
			return op == syntax.NEQ, nil
		default:
			return w.compare(op, x.Index(i), y.Index(i), depth-1)
		}
	}
	return starlark.Compare(op, starlark.MakeInt(x.Len()), starlark.MakeInt(y.Len()))
}

func (w *walker) dicts(x, y *starlark.Dict, depth int) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	for _, d := range []*starlark.Dict{x, y} {
		if err := w.keys(d); err != nil {
			return false, err
		}
	}
	for k, xv := range x.Entries() {
		yv, found, _ := y.Get(k)
		if !found {
			return false, nil
		}
		if eq, err := w.compare(syntax.EQL, xv, yv, depth-1); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

func (w *walker) structs(x, y *starlarkstruct.Struct, depth int) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	if eq, err := starlark.Equal(x.Constructor(), y.Constructor()); err != nil || !eq {
		return false, err
	}
	for i := range x.Len() {
		xn, xv := x.AttrAt(i)
		yn, yv := y.AttrAt(i)
		if xn != yn {
			return false, nil
		}
		if eq, err := w.compare(syntax.EQL, xv, yv, depth-1); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

// find returns the index of the first element that is equal to v; -1 if none is.
func (w *walker) find(v starlark.Value, in starlark.Indexable) (int, error) {
	for i := range in.Len() {
		eq, err := w.compare(syntax.EQL, in.Index(i), v, starlark.CompareLimit)
		if err != nil {
			return -1, err
		}
		if eq {
			return i, w.settle()
		}
	}
	return -1, w.settle()
}

// contains is x in y.
func contains(t *starlark.Thread, x, y starlark.Value) (bool, error) {
	w := walkerOf(t)
	switch in := y.(type) {
	case *starlark.List:
		i, err := w.find(x, in)
		return i >= 0, err
	case starlark.Tuple:
		i, err := w.find(x, in)
		return i >= 0, err
	case *starlark.Dict, *starlark.Set:
		if err := chargeKey(t, x); err != nil {
			return false, err
		}
	case starlark.String:
		if sub, ok := x.(starlark.String); ok {
			i, err := search(t, string(in), string(sub))
			return i >= 0, err
		}
	case starlark.Bytes:
		if err := w.budget.charge(t, len(in)); err != nil {
			return false, err
		}
	}
	v, err := starlark.Binary(syntax.IN, x, y)
	if err != nil {
		return false, err
	}
	return bool(v.Truth()), nil
}

// comparisons are the operations on two values whose answer is yes or no, but
// for "in".
var comparisons = [...]syntax.Token{syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE}

// comparers returns the functions that stand for them in a rewritten file.
func comparers() starlark.StringDict {
	d := starlark.StringDict{}
	for _, op := range comparisons {
		d[op.String()] = starlark.NewBuiltin(op.String(), func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			ok, err := compareWalked(t, op, args[0], args[1])
			return starlark.Bool(ok), err
		})
	}
	for op, want := range map[syntax.Token]bool{syntax.IN: true, syntax.NOT_IN: false} {
		name := walkName(op)
		d[name] = starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			found, err := contains(t, args[0], args[1])
			return starlark.Bool(found == want), err
		})
	}
	return d
}

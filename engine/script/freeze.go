package script

import (
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// maxFreeze bounds how many values are gone through to freeze a file's globals.
const maxFreeze = 10_000_000

// freeze freezes what a file has made. Tuples and functions do not know that
// they are frozen, and are gone through as often as they are met, which has no
// end where a function can see itself; where that is too often nothing is
// frozen, and the file has a fault.
func (b *budget) freeze(globals starlark.StringDict) error {
	w := freezing{seen: make(map[any]struct{})}
	for _, v := range globals { // in any order: only the number counts
		w.todo = append(w.todo, v)
	}
	for n := 0; len(w.todo) > 0; n++ {
		if n+len(w.todo) > maxFreeze {
			return b.exceeded("the file's variables hold more than %d values, with what stands in tuples or is seen by functions as often as it does", maxFreeze)
		}
		v := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.one(v)
	}
	globals.Freeze()
	return nil
}

// freezing goes through values as Freeze does.
type freezing struct {
	todo []starlark.Value
	seen map[any]struct{}
}

func (w *freezing) one(v starlark.Value) {
	switch v.(type) {
	case *starlark.List, *starlark.Dict, *starlark.Set, *starlarkstruct.Struct: // know it
		if _, ok := w.seen[v]; ok {
			return
		}
		w.seen[v] = struct{}{}
	}
	switch v := v.(type) {
	case starlark.Tuple:
		w.todo = append(w.todo, v...)
	case *starlark.List:
		for e := range v.Elements() {
			w.todo = append(w.todo, e)
		}
	case *starlark.Dict:
		for k, e := range v.Entries() {
			w.todo = append(w.todo, k, e)
		}
	case *starlark.Set:
		for e := range v.Elements() {
			w.todo = append(w.todo, e)
		}
	case *starlarkstruct.Struct:
		for _, e := range v.Entries() {
			w.todo = append(w.todo, e)
		}
	case *starlark.Function:
		for i := range v.NumFreeVars() {
			if _, e := v.FreeVar(i); e != nil {
				w.todo = append(w.todo, e)
			}
		}
		for i := range v.NumParams() {
			if d := v.ParamDefault(i); d != nil {
				w.todo = append(w.todo, d)
			}
		}
	case *starlark.Builtin:
		if v.Receiver() != nil {
			w.todo = append(w.todo, v.Receiver())
		}
	case *userStep:
		w.todo = append(w.todo, v.fn)
	case *workflowDef:
		w.todo = append(w.todo, v.fn)
	}
}

package script

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// execution executes the files of a unit.
type execution struct {
	*library
	unit    *unit
	modules map[string]starlark.StringDict // nil while at work or with faults
	stack   []string
}

// module executes a file and returns what it exports; nil if it has faults, or
// something that it loads has.
func (x *execution) module(name string) starlark.StringDict {
	if m, ok := x.modules[name]; ok {
		return m
	}
	x.modules[name] = nil
	src := x.source(name)
	if len(src.faults) > 0 {
		x.unit.faults = append(x.unit.faults, src.faults...)
		for _, ld := range src.loads {
			if x.front.modules[ld.key] == nil && x.files[ld.key] == nil {
				x.unit.faults = append(x.unit.faults, ld.missing(name, x.files))
			}
		}
		return nil
	}
	x.stack = append(x.stack, name)
	ok := true
	for _, ld := range src.loads {
		ok = x.check(name, ld) && ok
	}
	x.stack = x.stack[:len(x.stack)-1]
	if !ok {
		return nil
	}
	x.unit.files = append(x.unit.files, name)
	before := len(x.unit.workflows)
	globals, err := x.run(src)
	if err != nil {
		x.unit.faults = append(x.unit.faults, executionFault(name, err))
		return nil
	}
	for _, w := range x.unit.workflows[before:] { // now that all globals are there
		if w.handledBy(x.library) && x.lints {
			x.unit.warnings = append(x.unit.warnings, Fault{w.pos.Filename(), int(w.pos.Line), int(w.pos.Col),
				fmt.Sprintf("workflow %s is to handle commands itself, and reaches no recvCommand: HOLD and RESUME come to nobody", w.name)})
		}
		x.unit.faults = append(x.unit.faults, w.judgeSafe(x.library)...)
	}
	if x.lints {
		x.judge(src, globals)
	}
	x.modules[name] = exports(name, globals)
	return x.modules[name]
}

// check executes what a file loads, and finds the names that are not there.
func (x *execution) check(name string, ld load) bool {
	fault := func(at place, format string, args ...any) bool {
		x.unit.faults = append(x.unit.faults, Fault{name, at.line, at.col, fmt.Sprintf(format, args...)})
		return false
	}
	names := x.front.modules[ld.key]
	if names == nil {
		if _, ok := x.files[ld.key]; !ok {
			x.unit.faults = append(x.unit.faults, ld.missing(name, x.files))
			return false
		}
		if i := slices.Index(x.stack, ld.key); i >= 0 {
			return fault(ld.at, "cannot load %s: the files load each other: %s", ld.shown, strings.Join(append(x.stack[i:len(x.stack):len(x.stack)], ld.key), " → "))
		}
		if names = x.module(ld.key); names == nil {
			return false // said where it is
		}
	}
	ok := true
	for _, n := range ld.names {
		if names[n.name] == nil {
			known := slices.DeleteFunc(sortedKeys(names), func(k string) bool { return k == wholeModule })
			ok = fault(n.nameAt, "%s has no %s%s", ld.shown, n.name, suggest(n.name, known))
		}
	}
	return ok
}

// exports are a file's globals but those that begin with "_".
func exports(name string, globals starlark.StringDict) starlark.StringDict {
	out := starlark.StringDict{}
	for n, v := range globals {
		if !strings.HasPrefix(n, "_") {
			out[n] = v
		}
	}
	whole := &starlarkstruct.Module{Name: strings.TrimSuffix(name, ".star"), Members: merge(out)}
	out[wholeModule] = whole
	return out
}

// run executes one file, whose loads have been executed.
func (x *execution) run(src *source) (starlark.StringDict, error) {
	t := &starlark.Thread{
		Name: src.name,
		Print: func(_ *starlark.Thread, msg string) {
			x.front.log.Debug("script prints", "file", src.name, "text", msg)
		},
		Load: func(_ *starlark.Thread, key string) (starlark.StringDict, error) {
			if m := x.front.modules[key]; m != nil {
				return m, nil
			}
			return x.modules[key], nil
		},
	}
	t.SetLocal(loadingKey, &loading{x, src})
	b := x.front.limit(context.Background(), t)
	globals, err := src.program.Init(t, x.front.predeclared)
	if err == nil {
		err = b.freeze(globals)
	}
	if err != nil && b.err != nil {
		err = fmt.Errorf("%w: %w", b.err, err)
	}
	return globals, err
}

// executionFault makes a fault of an error at the top level of a file.
func executionFault(name string, err error) Fault {
	var limit *limitError
	msg := err.Error()
	if errors.As(err, &limit) {
		msg = limit.msg
	}
	fr, ok := innermost(err)
	if !ok {
		return Fault{File: name, Message: msg}
	}
	return Fault{fr.Pos.Filename(), int(fr.Pos.Line), int(fr.Pos.Col), msg}
}

// loading is what a thread that executes a file knows.
type loading struct {
	*execution
	src *source
}

const loadingKey = "loading"

func loadingOf(t *starlark.Thread, what string) (*loading, error) {
	if l, ok := t.Local(loadingKey).(*loading); ok {
		return l, nil
	}
	return nil, fmt.Errorf("%s belongs at the top level of a file: a run cannot define anything", what)
}

// definedAt is where a workflow or step is defined: its function, if that is in
// the file at work, else the line at work.
func (l *loading) definedAt(t *starlark.Thread, fn *starlark.Function) syntax.Position {
	if fn != nil && fn.Position().Filename() == l.src.name {
		return fn.Position()
	}
	for depth := range t.CallStackDepth() {
		if pos := t.CallFrame(depth).Pos; pos.Filename() == l.src.name {
			return pos
		}
	}
	return syntax.MakePosition(&l.src.name, 1, 1)
}

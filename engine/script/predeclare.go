package script

import (
	"maps"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// builtinModules are the modules of steps that a script knows by name.
var builtinModules = [...]string{"tags", "http", "db", "wait", "sleep"}

// predeclare makes the names that every file has, and the modules that a file
// may import.
func (f *Front) predeclare() {
	steps := make(map[string]starlark.StringDict)
	for _, m := range builtinModules {
		steps[m] = starlark.StringDict{}
	}
	for _, name := range sortedKeys(f.builtin) {
		module, fn, _ := strings.Cut(name, ".")
		if steps[module] == nil {
			steps[module] = starlark.StringDict{}
		}
		steps[module][fn] = f.builtin[name]
	}
	rt := newHandle()
	f.rt = rt
	getWorkflows := starlark.NewBuiltin("getWorkflows", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return rt, starlark.UnpackArgs("getWorkflows", args, kwargs)
	})
	decorators := starlark.StringDict{
		"workflow": starlark.NewBuiltin("workflow", f.workflow),
		"step":     starlark.NewBuiltin("step", f.step),
	}
	instance := starlark.StringDict{"getWorkflows": getWorkflows}
	library := starlark.StringDict{}
	f.modules = map[string]starlark.StringDict{
		"exchange.workflows.bootstrap":       merge(decorators, instance), // "re-exports the public decorators and runtime accessor"
		"exchange.workflows.engine.runtime":  decorators,
		"exchange.workflows.engine.instance": instance,
		"exchange.workflows.steps":           library,
	}
	for name, fns := range steps {
		library[name] = &starlarkstruct.Module{Name: name, Members: fns}
		f.modules["exchange.workflows.steps."+name] = fns
	}
	tools := starlark.StringDict{
		"attempt": starlark.NewBuiltin("attempt", attempt),
		"struct":  starlark.NewBuiltin("struct", starlarkstruct.Make),
		"secret":  starlark.NewBuiltin("secret", newSecret),
		"fail":    starlark.NewBuiltin("fail", fail),
	}
	f.modules["holdfast"] = merge(decorators, instance, library, tools)
	f.predeclared = merge(f.modules["holdfast"], guardedUniverse(), guardedMethods(), guards(), comparers())
	f.names = append(sortedKeys(f.modules["holdfast"]), sortedKeys(starlark.Universe)...)
	for path, names := range f.modules {
		f.modules[path] = merge(names, starlark.StringDict{wholeModule: &starlarkstruct.Module{Name: path, Members: names}})
	}
	for _, v := range f.predeclared {
		v.Freeze()
	}
}

func merge(dicts ...starlark.StringDict) starlark.StringDict {
	all := starlark.StringDict{}
	for _, d := range dicts {
		maps.Copy(all, d)
	}
	return all
}

package script

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// unit is a file with all that it loads, executed and frozen.
type unit struct {
	entry       string
	files       []string // of the entry and all that it loads, in order of execution
	bundle      []byte
	hash        string
	workflows   []*workflowDef
	definitions []definition
	steps       map[string]map[place]string // functions with @step: the step's name by file and place
	faults      []Fault
	warnings    []Fault
}

// definition is a workflow or step, and where.
type definition struct {
	kind, name string
	pos        syntax.Position
}

func (d definition) fault(first definition) Fault {
	return Fault{
		d.pos.Filename(), int(d.pos.Line), int(d.pos.Col),
		fmt.Sprintf("%s %q is already defined at %s:%d", d.kind, d.name, first.pos.Filename(), first.pos.Line),
	}
}

// unique adds definitions to those already seen, and returns the faults of
// those whose name another one has. Names of workflows among these are added to
// doubled.
func unique(seen map[string]definition, doubled map[string]bool, ds []definition) []Fault {
	var faults []Fault
	for _, d := range ds {
		key := d.kind + " " + d.name
		old, ok := seen[key]
		switch {
		case !ok:
			seen[key] = d
		case old.pos.String() != d.pos.String():
			faults = append(faults, d.fault(old))
			if d.kind == "workflow" {
				doubled[d.name] = true
			}
		}
	}
	return faults
}

func (u *unit) define(kind, name string, pos syntax.Position) {
	d := definition{kind, name, pos}
	if i := slices.IndexFunc(u.definitions, func(o definition) bool { return o.kind == kind && o.name == name }); i >= 0 {
		u.faults = append(u.faults, d.fault(u.definitions[i]))
		return
	}
	u.definitions = append(u.definitions, d)
}

// library is the files that can load each other, each compiled once.
type library struct {
	front   *Front
	files   map[string][]byte
	sources map[string]*source
	plant   Plant // nil where nothing is to be judged by it
	lints   bool  // what is literally wrong is a fault, or a warning
}

// newLibrary makes a library of files that the journal has pinned: what the
// plant is now, and what is warned of today, is no reason not to go on.
func newLibrary(f *Front, files map[string][]byte) *library {
	return &library{front: f, files: files, sources: make(map[string]*source)}
}

// newFolder makes a library of a workflows folder.
func newFolder(f *Front, files map[string][]byte) *library {
	l := newLibrary(f, files)
	l.plant, l.lints = f.plant, true
	return l
}

func (l *library) source(name string) *source {
	s := l.sources[name]
	if s == nil {
		s = l.front.compile(name, l.files[name])
		l.sources[name] = s
	}
	return s
}

// load executes a file and all that it loads. What is wrong with any of them is
// in the unit's faults.
func (l *library) load(entry string) *unit {
	u := &unit{entry: entry, steps: make(map[string]map[place]string)}
	defer func() {
		if p := recover(); p != nil { // of Starlark's compiler: a file must not take the process down
			u.faults = append(u.faults, Fault{File: entry, Message: fmt.Sprintf("cannot compile: %v", p)})
		}
	}()
	ex := execution{library: l, unit: u, modules: make(map[string]starlark.StringDict)}
	ex.module(entry)
	if len(u.faults) == 0 {
		if err := u.pack(l.files); err != nil {
			u.faults = append(u.faults, Fault{File: entry, Message: err.Error()})
		}
	}
	return u
}

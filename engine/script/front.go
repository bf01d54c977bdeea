package script

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.starlark.net/starlark"

	"holdfast/engine"
)

// The bounds of a run where Options leaves them out.
const (
	DefaultMaxSteps  = 10_000_000
	DefaultMaxMemory = 32 << 20
)

// Options are what a Front is made of.
type Options struct {
	Steps     []engine.Step // "tags.read" and so on: module and function
	MaxSteps  uint64        // Starlark steps between two recorded calls; 0: DefaultMaxSteps
	MaxMemory int64         // bytes that a run's variables may hold; 0: DefaultMaxMemory
	Plant     Plant         // judges what files say literally of it; nil: nobody does
	Log       *slog.Logger  // where print goes, at level debug; nil: nowhere
}

// Front loads workflow files. Its methods may be called on many goroutines.
type Front struct {
	log         *slog.Logger
	maxSteps    uint64
	maxMemory   int64
	builtin     map[string]*stepFn // by name
	plant       Plant
	rt          *handle
	predeclared starlark.StringDict
	names       []string                       // of all that a file has without import
	modules     map[string]starlark.StringDict // by import path

	mu    sync.Mutex
	units map[string]*unit // by hash of the bundle
}

// New makes a Front whose scripts can call the given steps. The error is about
// a step's name or defaults.
func New(o Options) (*Front, error) {
	f := &Front{
		log: o.Log, plant: o.Plant, maxSteps: o.MaxSteps, maxMemory: o.MaxMemory,
		builtin: make(map[string]*stepFn), units: make(map[string]*unit),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.maxSteps == 0 {
		f.maxSteps = DefaultMaxSteps
	}
	if f.maxMemory == 0 {
		f.maxMemory = DefaultMaxMemory
	}
	for _, s := range o.Steps {
		if f.builtin[s.Name()] != nil {
			return nil, fmt.Errorf("step %s is given twice", s.Name())
		}
		fn, err := newStepFn(s)
		if err != nil {
			return nil, err
		}
		f.builtin[s.Name()] = fn
	}
	f.predeclare()
	return f, nil
}

// Fault is one thing that is wrong with a file, and where. Line and Col count
// from 1, Col in characters; they are 0 where the file as a whole is meant.
type Fault struct {
	File    string
	Line    int
	Col     int
	Message string
}

// Error returns "file:line:col: message".
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Message)
}

// LoadDir loads every *.star file below dir but those that PassedOver tells,
// and returns their workflows in the order of their names, and all faults of all
// files. A file with a fault, or that loads one, gives no workflows, and of two
// workflows of one name neither is given. Faults name their file as dir joined
// with its path below dir.
func (f *Front) LoadDir(dir string) ([]engine.Workflow, []Fault) {
	ws, faults, _ := f.loadDir(dir)
	return ws, faults
}

// Warnings returns what in the files below dir is no fault, and most likely not
// what was meant.
func (f *Front) Warnings(dir string) []Fault {
	_, _, warnings := f.loadDir(dir)
	return warnings
}

func (f *Front) loadDir(dir string) (ws []engine.Workflow, faults, warnings []Fault) {
	files, faults := readDir(dir)
	l := newFolder(f, files)
	used := make(map[string]bool) // files that have a workflow, a fault, or that another file loads
	seen, doubled := make(map[string]definition), make(map[string]bool)
	for _, name := range sortedKeys(files) {
		u := l.load(name)
		faults, warnings = append(faults, u.faults...), append(warnings, u.warnings...)
		for _, other := range u.files {
			used[other] = used[other] || other != name
		}
		twice := unique(seen, doubled, u.definitions)
		faults = append(faults, twice...)
		bad := len(u.faults) > 0 || len(twice) > 0
		used[name] = used[name] || bad
		for _, w := range u.workflows {
			if w.pos.Filename() != name {
				continue
			}
			if used[name] = true; !bad {
				ws = append(ws, w.describe(f, u))
			}
		}
	}
	for name := range files {
		if !used[name] {
			warnings = append(warnings, Fault{File: name, Message: "it defines no workflow, and no other file loads it"})
		}
	}
	ws = slices.DeleteFunc(ws, func(w engine.Workflow) bool { return doubled[w.Name] })
	slices.SortFunc(ws, func(a, b engine.Workflow) int { return strings.Compare(a.Name, b.Name) })
	return ws, inOrder(dir, faults), inOrder(dir, warnings)
}

// inOrder names the files of faults as below dir, sorts them, and leaves each
// once: a file that several load is judged for each of them.
func inOrder(dir string, faults []Fault) []Fault {
	for i := range faults {
		faults[i].File = filepath.Join(dir, filepath.FromSlash(faults[i].File))
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(faults)
}

// Load makes a workflow of a bundle, as a Source holds it. It implements
// engine.Loader.
func (f *Front) Load(bundle []byte, workflow string) (engine.Workflow, error) {
	u, err := f.unit(bundle)
	if err != nil {
		return engine.Workflow{}, fmt.Errorf("cannot load workflow %s from its pinned source: %w", workflow, err)
	}
	for _, w := range u.workflows {
		if w.name == workflow && w.pos.Filename() == u.entry {
			return w.describe(f, u), nil
		}
	}
	return engine.Workflow{}, fmt.Errorf("cannot load workflow %s: its pinned source does not define it", workflow)
}

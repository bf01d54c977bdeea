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
	Log       *slog.Logger  // where print goes, at level debug; nil: nowhere
}

// Front loads workflow files. Its methods may be called on many goroutines.
type Front struct {
	log         *slog.Logger
	maxSteps    uint64
	maxMemory   int64
	builtin     map[string]*stepFn // by name
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
		log: o.Log, maxSteps: o.MaxSteps, maxMemory: o.MaxMemory,
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
	files, faults := readDir(dir)
	l := newLibrary(f, files)
	var ws []engine.Workflow
	seen, doubled := make(map[string]definition), make(map[string]bool)
	for _, name := range sortedKeys(files) {
		u := l.load(name)
		faults = append(faults, u.faults...)
		twice := unique(seen, doubled, u.definitions)
		faults = append(faults, twice...)
		if len(u.faults) > 0 || len(twice) > 0 {
			continue
		}
		for _, w := range u.workflows {
			if w.pos.Filename() == name {
				ws = append(ws, w.describe(f, u))
			}
		}
	}
	for i := range faults {
		faults[i].File = filepath.Join(dir, filepath.FromSlash(faults[i].File))
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Message, b.Message))
	})
	ws = slices.DeleteFunc(ws, func(w engine.Workflow) bool { return doubled[w.Name] })
	slices.SortFunc(ws, func(a, b engine.Workflow) int { return strings.Compare(a.Name, b.Name) })
	return ws, slices.Compact(faults)
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

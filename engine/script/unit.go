package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"holdfast/engine/value"
)

// unit is a file with all that it loads, executed and frozen.
type unit struct {
	entry       string
	files       []string // of the entry and all that it loads, in order of execution
	bundle      []byte
	hash        string
	workflows   []*workflowDef
	definitions []definition
	faults      []Fault
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
// those whose name another one has.
func unique(seen map[string]definition, ds []definition) []Fault {
	var faults []Fault
	for _, d := range ds {
		key := d.kind + " " + d.name
		old, ok := seen[key]
		switch {
		case !ok:
			seen[key] = d
		case old.pos != d.pos && old.pos.String() != d.pos.String():
			faults = append(faults, d.fault(old))
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
}

func newLibrary(f *Front, files map[string][]byte) *library {
	return &library{f, files, make(map[string]*source)}
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
	u := &unit{entry: entry}
	ex := execution{library: l, unit: u, modules: make(map[string]starlark.StringDict)}
	ex.module(entry)
	if len(u.faults) == 0 {
		if err := u.pack(l.files); err != nil {
			u.faults = append(u.faults, Fault{File: entry, Message: err.Error()})
		}
	}
	return u
}

// pack makes the unit's bundle: the text of its files, in a form that is the
// same for the same files.
func (u *unit) pack(files map[string][]byte) error {
	texts := value.NewMap()
	size := 0
	for _, name := range slices.Sorted(slices.Values(u.files)) {
		texts.Set(name, files[name])
		size += len(files[name])
	}
	if size > maxBundle {
		return fmt.Errorf("the file and what it loads have %d bytes, which is more than %d", size, maxBundle)
	}
	b, err := value.Encode(value.NewMap("version", 1, "entry", u.entry, "files", texts))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	u.bundle, u.hash = b, hex.EncodeToString(sum[:])
	return nil
}

// unpack reads a bundle.
func unpack(bundle []byte) (entry string, files map[string][]byte, err error) {
	v, err := value.Decode(bundle)
	if err != nil {
		return "", nil, err
	}
	m, ok := v.(*value.Map)
	if !ok {
		return "", nil, errors.New("it is no bundle of files")
	}
	if n, _ := m.Get("version"); n != int64(1) {
		return "", nil, fmt.Errorf("its form %v is not known", n)
	}
	e, _ := m.Get("entry")
	entry, _ = e.(string)
	t, _ := m.Get("files")
	texts, ok := t.(*value.Map)
	if !ok {
		return "", nil, errors.New("it has no files")
	}
	files = make(map[string][]byte, texts.Len())
	for _, p := range texts.Pairs {
		name, ok1 := p.Key.(string)
		text, ok2 := p.Value.([]byte)
		if !ok1 || !ok2 {
			return "", nil, errors.New("it holds something else than files")
		}
		files[name] = text
	}
	if files[entry] == nil {
		return "", nil, errors.New("it lacks its own file")
	}
	return entry, files, nil
}

// maxUnits bounds how many units are kept for runs that will come back; those
// in use are kept by their programs.
const maxUnits = 256

// unit returns the unit of a bundle.
func (f *Front) unit(bundle []byte) (*unit, error) {
	sum := sha256.Sum256(bundle)
	hash := hex.EncodeToString(sum[:])
	f.mu.Lock()
	u := f.units[hash]
	f.mu.Unlock()
	if u != nil {
		return u, nil
	}
	entry, files, err := unpack(bundle)
	if err != nil {
		return nil, err
	}
	u = newLibrary(f, files).load(entry)
	if len(u.faults) > 0 {
		var errs []error
		for _, ft := range u.faults {
			errs = append(errs, ft)
		}
		return nil, errors.Join(errs...)
	}
	f.keep(u)
	return u, nil
}

func (f *Front) keep(u *unit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for hash := range f.units {
		if len(f.units) < maxUnits {
			break
		}
		delete(f.units, hash)
	}
	f.units[u.hash] = u
}

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
	globals, err := x.run(src)
	if err != nil {
		x.unit.faults = append(x.unit.faults, executionFault(name, err))
		return nil
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
	b := x.front.limit(t)
	globals, err := src.program.Init(t, x.front.predeclared)
	globals.Freeze()
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

// receives reports whether the file that defines a workflow mentions
// recvCommand.
func (l *loading) receives(fn *starlark.Function) bool {
	if l.src.receives {
		return true
	}
	s := l.sources[fn.Position().Filename()]
	return s != nil && s.receives
}

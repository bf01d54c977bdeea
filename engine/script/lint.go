package script

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// lint judges what a file says literally, once it has been executed: what a
// name stands for is then known.
type lint struct {
	library  *library
	src      *source
	globals  starlark.StringDict
	loaded   map[place]starlark.Value // what a load binds, by the place of the name
	steps    map[place]string         // functions with @step, by the place of their def
	calls    map[place]*callFact
	bound    map[*syntax.Ident][]store // by the first identifier of a variable
	depth    int                       // of variables that stand for others
	faults   []Fault
	warnings []Fault
}

// maxAliases bounds how many variables that stand for others are followed.
const maxAliases = 16

// judge lints a file that has been executed.
func (x *execution) judge(src *source, globals starlark.StringDict) {
	l := &lint{library: x.library, src: src, globals: globals, loaded: make(map[place]starlark.Value), steps: x.unit.steps[src.name],
		calls: make(map[place]*callFact), bound: make(map[*syntax.Ident][]store)}
	for _, ld := range src.loads {
		members := x.front.modules[ld.key]
		if members == nil {
			members = x.modules[ld.key]
		}
		for _, n := range ld.names {
			l.loaded[n.asAt] = members[n.name]
		}
	}
	for _, c := range src.facts.calls {
		l.calls[c.at] = c
	}
	for _, s := range src.facts.stores {
		if first := firstOf(s.ident); first != nil {
			l.bound[first] = append(l.bound[first], s)
		}
	}
	for _, c := range src.facts.calls {
		l.call(c)
	}
	for _, f := range src.facts.fields {
		l.field(f)
	}
	l.unread()
	for _, o := range src.facts.tested {
		l.condition(o)
	}
	for _, c := range src.facts.compared {
		l.comparison(c)
	}
	x.unit.faults = append(x.unit.faults, l.faults...)
	x.unit.warnings = append(x.unit.warnings, l.warnings...)
}

func (l *lint) fault(at place, format string, args ...any) {
	l.faults = append(l.faults, Fault{l.src.name, at.line, at.col, fmt.Sprintf(format, args...)})
}

func (l *lint) warn(at place, format string, args ...any) {
	l.warnings = append(l.warnings, Fault{l.src.name, at.line, at.col, fmt.Sprintf(format, args...)})
}

// firstOf returns the identifier that stands for a variable of a file or
// function: the first one that binds it.
func firstOf(id *syntax.Ident) *syntax.Ident {
	if b, ok := id.Binding.(*resolve.Binding); ok {
		return b.First
	}
	return nil
}

// entity returns what a name stands for; nil where that is not known before a
// run.
func (l *lint) entity(id *syntax.Ident) starlark.Value {
	b, ok := id.Binding.(*resolve.Binding)
	if !ok {
		return nil
	}
	switch b.Scope {
	case resolve.Predeclared:
		return l.library.front.predeclared[id.Name]
	case resolve.Global:
		return l.globals[id.Name]
	case resolve.Local, resolve.Cell, resolve.Free:
		if b.First == nil {
			return nil
		}
		if v, ok := l.loaded[at(b.First.NamePos)]; ok {
			return v
		}
		if s := l.only(b.First); s != nil && s.ref != nil && s.ref.ident != id && l.depth < maxAliases {
			l.depth++
			defer func() { l.depth-- }()
			return l.follow(*s.ref)
		}
	}
	return nil
}

// only returns the one place that binds a local variable; nil if there are others.
func (l *lint) only(first *syntax.Ident) *store {
	if all := l.bound[first]; len(all) == 1 {
		return &all[0]
	}
	return nil
}

// follow returns what a reference stands for; nil where that is not known.
func (l *lint) follow(ref reference) starlark.Value {
	v := l.entity(ref.ident)
	for _, name := range ref.fields {
		switch x := v.(type) {
		case *starlarkstruct.Module:
			v = x.Members[name]
		case *handle:
			m := x.methods[name]
			if m == nil {
				return nil
			}
			v = m
		case *starlark.Builtin:
			if name != called || x.Name() != "getWorkflows" {
				return nil
			}
			v = l.library.front.rt
		default:
			return nil
		}
	}
	return v
}

// call judges a call of something built in.
func (l *lint) call(c *callFact) {
	switch fn := l.follow(c.fn).(type) {
	case *stepFn:
		l.keywords(c, fn.name, fn.names(), fn.takes())
		l.tags(c, fn)
		if field := resultFields[fn.step.Name()]; c.dropped && (field == "ok") {
			l.warn(c.at, "the result of %s is not looked at: it tells in %q whether what was asked for has come; to do without, write _ = %s(…)", fn.name, field, fn.name)
		}
	case *starlark.Builtin:
		if name, ok := strings.CutPrefix(fn.Name(), "rt."); ok {
			params := l.library.front.rt.params[name]
			if params.any {
				return
			}
			l.keywords(c, fn.Name(), params.names, "("+strings.Join(params.names, ", ")+")")
		}
	}
}

func (l *lint) keywords(c *callFact, name string, known []string, takes string) {
	for _, a := range c.named {
		if !slices.Contains(known, a.name) {
			l.fault(a.at, "%s has no parameter %s%s: it takes %s", name, a.name, suggest(a.name, known), takes)
		}
	}
}

// tags judges the literal paths and values of a step on tags.
func (l *lint) tags(c *callFact, fn *stepFn) {
	module, _, _ := strings.Cut(fn.step.Name(), ".")
	plant := l.library.plant
	if plant == nil || module != "tags" && module != "wait" {
		return
	}
	given := make(map[string]argument)
	for i, a := range c.ordered {
		if i < len(fn.params) && !c.spread {
			given[fn.params[i].name] = a
		}
	}
	for _, a := range c.named {
		given[a.name] = a
	}
	known := false
	for _, name := range []string{"confirm_path", "path"} {
		path, ok := given[name].literal.(string)
		if !ok {
			continue
		}
		err := plant.Tag(path)
		if known = err == nil; !known {
			l.fault(given[name].at, "%s: %v", fn.name, err)
		}
	}
	path, _ := given["path"].literal.(string)
	if v := given["value"]; known && path != "" && v.literal != nil {
		if err := plant.Write(path, v.literal); err != nil {
			l.warn(v.at, "%s will fail: %s: %v", fn.name, path, err)
		}
	}
}

// field judges a field of a module or of the handle of runs.
func (l *lint) field(f fieldFact) {
	switch x := l.follow(f.of).(type) {
	case *starlarkstruct.Module:
		if x.Members[f.name] == nil {
			known := slices.DeleteFunc(sortedKeys(x.Members), func(k string) bool { return k == wholeModule })
			l.fault(f.at, "%s has no %s%s", x.Name, f.name, suggest(f.name, known))
		}
	case *handle:
		params, ok := x.params[f.name]
		step, inStep := l.steps[f.within]
		switch {
		case isRunAttribute(f.name):
		case !ok:
			l.warn(f.at, "rt has no %s%s", f.name, suggest(f.name, x.AttrNames()))
		case params.absent:
			l.warn(f.at, "rt.%s is not available yet", f.name)
		case inStep && !params.inStep:
			l.warn(f.at, "rt.%s is refused inside step %s: what a step does is not recorded call by call; call it from the workflow", f.name, step)
		}
	}
}

// resultFields are the steps that return a dict, with what to look at in it.
var resultFields = map[string]string{
	"tags.read": "quality", "tags.write": "quality", "tags.write_confirm": "ok", "wait.until_tag_equals": "ok",
	"http.request": "status", "db.update": "rows_affected", "sleep.sleep_ms": "slept_ms", "sleep.sleep_chunked": "slept_ms",
}

// resultOf returns the step whose result an operand is; nil if that is not known.
func (l *lint) resultOf(o operand) *stepFn {
	c := o.call
	if c == nil {
		c = l.calls[o.at]
	}
	if o.ident != nil {
		c = nil
		if first := firstOf(o.ident); first != nil {
			if s := l.only(first); s != nil {
				c = s.call
			}
		}
	}
	if c == nil {
		return nil
	}
	fn, _ := l.follow(c.fn).(*stepFn)
	return fn
}

// unread finds the variables that hold the result of a wait or a confirmation,
// and that nobody reads.
func (l *lint) unread() {
	read := make(map[*syntax.Ident]bool)
	for _, id := range l.src.facts.reads {
		if first := firstOf(id); first != nil {
			read[first] = true
		}
	}
	for _, s := range l.src.facts.stores {
		first := firstOf(s.ident)
		if s.call == nil || first == nil || read[first] || strings.HasPrefix(s.ident.Name, "_") || l.isGlobal(s.ident) {
			continue
		}
		if fn, ok := l.follow(s.call.fn).(*stepFn); ok && resultFields[fn.step.Name()] == "ok" {
			l.warn(at(s.ident.NamePos), "%s is not looked at: the result of %s tells in \"ok\" whether what was asked for has come; to do without, name it _", s.ident.Name, fn.name)
		}
	}
}

func (l *lint) isGlobal(id *syntax.Ident) bool {
	b, ok := id.Binding.(*resolve.Binding)
	return ok && b.Scope == resolve.Global
}

// condition finds results whose truth says nothing: a dict with something in it
// is always true.
func (l *lint) condition(o operand) {
	fn := l.resultOf(o)
	if fn == nil {
		return
	}
	if field := resultFields[fn.step.Name()]; field != "" {
		l.warn(o.at, "this is always true: %s returns a dict; look at [%q] in it", fn.name, field)
	}
}

// comparison finds comparisons of a quality with what is the name of none.
func (l *lint) comparison(c comparison) {
	plant := l.library.plant
	if plant == nil {
		return
	}
	key := c.x.key
	if key == "" && c.x.ident != nil {
		key = c.x.ident.Name
	}
	if key != "quality" && key != "write_quality" {
		return
	}
	sure := c.x.key != "" && l.resultOf(c.x) != nil
	for _, a := range c.with {
		name, ok := a.literal.(string)
		if !ok || plant.Quality(name) == nil {
			continue
		}
		if !sure && !slices.ContainsFunc([]string{"good", "bad", "uncertain"}, func(w string) bool { return strings.HasPrefix(strings.ToLower(name), w) }) {
			continue
		}
		what := "this can never hold"
		if c.op == syntax.NEQ || c.op == syntax.NOT_IN {
			what = "this always holds"
		}
		if len(c.with) > 1 {
			what = "none is ever equal to this"
		}
		l.warn(a.at, "%s: %v", what, plant.Quality(name))
	}
}

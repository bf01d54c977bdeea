package script

import (
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// receiver is the method that makes a workflow one that handles its commands.
const receiver = "recvCommand"

// mentions are what the text of a function names, with that of the functions
// within it.
type mentions struct {
	names    []mention
	receives place // where it names recvCommand; zero: nowhere
}

// mention is a name, or one field of it: m.f.
type mention struct {
	ident *syntax.Ident // knows its scope once the file has been resolved
	field string        // "": the name alone, so that any field may be used
}

// mentioned returns the mentions of each function of a file, by the place of its
// def or lambda. It wants the tree as it was written.
func mentioned(stmts []syntax.Stmt) map[place]*mentions {
	all := make(map[place]*mentions)
	for _, s := range stmts {
		syntax.Walk(s, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.DefStmt:
				all[at(n.Def)] = mentionsOf(n)
			case *syntax.LambdaExpr:
				all[at(n.Lambda)] = mentionsOf(n)
			}
			return true
		})
	}
	return all
}

func mentionsOf(fn syntax.Node) *mentions {
	m := &mentions{}
	named := make(map[*syntax.Ident]bool) // as part of x.field
	receives := func(pos syntax.Position) {
		if m.receives == (place{}) {
			m.receives = at(pos)
		}
	}
	syntax.Walk(fn, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.DotExpr:
			named[n.Name] = true
			if n.Name.Name == receiver {
				receives(n.Name.NamePos)
			}
			if x, ok := n.X.(*syntax.Ident); ok {
				named[x] = true
				m.names = append(m.names, mention{x, n.Name.Name})
			}
		case *syntax.Literal:
			if n.Value == receiver { // getattr(rt, "recvCommand")
				receives(n.TokenPos)
			}
		case *syntax.Ident:
			if !named[n] {
				m.names = append(m.names, mention{n, ""})
			}
		}
		return true
	})
	return m
}

// reach looks for a recvCommand among what a function can call.
type reach struct {
	library *library
	seen    map[any]struct{}
	todo    []reached
}

// reached is a value that the function can come to, and by which names.
type reached struct {
	v   starlark.Value
	via []string
}

// receives says where a workflow's function reaches recvCommand: "at
// ops.star:12 through command, poll". What a function with @step calls does not
// count: there recvCommand is refused.
func (l *library) receives(fn *starlark.Function) (where string, ok bool) {
	r := reach{library: l, seen: make(map[any]struct{})}
	r.add(fn, nil, "")
	for len(r.todo) > 0 {
		next := r.todo[0]
		r.todo = r.todo[1:]
		if at, ok := r.one(next); ok {
			if len(next.via) > 1 { // the first is the function itself
				at += " through " + strings.Join(next.via[1:], ", ")
			}
			return strings.TrimPrefix(at, " "), true
		}
	}
	return "", false
}

func (r *reach) add(v starlark.Value, via []string, field string) {
	switch v := v.(type) {
	case *starlarkstruct.Module:
		if member := v.Members[field]; field != "" {
			if member != nil {
				r.add(member, via, "")
			}
			return
		}
	case *starlarkstruct.Struct:
		if member, err := v.Attr(field); field != "" && err == nil {
			r.add(member, via, "")
			return
		}
	}
	var key any = v
	switch v := v.(type) {
	case starlark.Tuple:
		if len(v) == 0 {
			return
		}
		key = &v[0]
	case *starlark.Function, *starlark.List, *starlark.Dict, *starlark.Set, *starlarkstruct.Struct, *starlarkstruct.Module, *starlark.Builtin:
	default:
		return // calls nothing
	}
	if _, ok := r.seen[key]; ok {
		return
	}
	r.seen[key] = struct{}{}
	if fn, ok := v.(*starlark.Function); ok {
		via = append(via[:len(via):len(via)], fn.Name())
	}
	r.todo = append(r.todo, reached{v, via})
}

func (r *reach) one(next reached) (where string, ok bool) {
	switch v := next.v.(type) {
	case *starlark.Function:
		return r.function(v, next.via)
	case *starlark.Builtin:
		if v.Name() == "rt."+receiver {
			return "", true
		}
		if v.Receiver() != nil {
			r.add(v.Receiver(), next.via, "")
		}
	case *starlarkstruct.Module:
		for _, name := range sortedKeys(v.Members) {
			r.add(v.Members[name], next.via, "")
		}
	default:
		for _, part := range partsOf(v) {
			r.add(part, next.via, "")
		}
	}
	return "", false
}

// function looks at a function's text, and goes on to what that names.
func (r *reach) function(fn *starlark.Function, via []string) (where string, ok bool) {
	pos := fn.Position()
	var m *mentions
	if s := r.library.sources[pos.Filename()]; s != nil {
		m = s.functions[at(pos)]
	}
	if m == nil {
		return "", false
	}
	if m.receives != (place{}) {
		return fmt.Sprintf("at %s:%d", pos.Filename(), m.receives.line), true
	}
	free := make(map[string]starlark.Value, fn.NumFreeVars())
	for i := range fn.NumFreeVars() {
		b, v := fn.FreeVar(i)
		free[b.Name] = v
	}
	for _, n := range m.names {
		b, ok := n.ident.Binding.(*resolve.Binding)
		switch {
		case !ok:
		case b.Scope == resolve.Global:
			r.add(fn.Globals()[n.ident.Name], via, n.field)
		case b.Scope == resolve.Local || b.Scope == resolve.Cell || b.Scope == resolve.Free: // a load binds a name of the file so
			r.add(free[n.ident.Name], via, n.field)
		}
	}
	for i := range fn.NumParams() {
		r.add(fn.ParamDefault(i), via, "")
	}
	return "", false
}

// partsOf returns what stands in a list, tuple, dict, set or struct.
func partsOf(v starlark.Value) []starlark.Value {
	var parts []starlark.Value
	switch v := v.(type) {
	case starlark.Tuple:
		return v
	case *starlark.List:
		for e := range v.Elements() {
			parts = append(parts, e)
		}
	case *starlark.Dict:
		for k, e := range v.Entries() {
			parts = append(parts, k, e)
		}
	case *starlark.Set:
		for e := range v.Elements() {
			parts = append(parts, e)
		}
	case *starlarkstruct.Struct:
		for _, e := range v.Entries() {
			parts = append(parts, e)
		}
	}
	return parts
}

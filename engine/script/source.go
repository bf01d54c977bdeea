package script

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// wholeModule is the name under which a module exports itself, for "import a.b
// as m". No name in a file can be the same.
const wholeModule = "*"

// source is one file, compiled. It does not change.
type source struct {
	name      string
	text      []byte
	program   *starlark.Program // nil if there are faults
	loads     []load
	functions map[place]*mentions // by the place of a def or lambda
	facts     *facts
	faults    []Fault
}

// load is what a file wants of another one, or of a built-in module.
type load struct {
	key   string // path of a file, or import path of a built-in module
	shown string // as written
	at    place
	names []imported
}

func options() *syntax.FileOptions {
	return &syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true}
}

// compile parses a file, and makes of its additions Starlark.
func (f *Front) compile(name string, text []byte) *source {
	s := &source{name: name, text: text}
	opts := options()
	clean, fault := plainText(name, string(text))
	if fault != nil {
		s.faults = []Fault{*fault}
		return s
	}
	p := prepare(name, clean, opts)
	if len(p.faults) > 0 {
		s.faults = p.faults
		for _, im := range p.imports { // whose files may be missing, too
			s.loads = append(s.loads, f.load(im))
		}
		return s
	}
	file, err := opts.Parse(name, p.text, 0)
	if err != nil {
		p.syntaxFault(err)
		s.faults = p.faults
		return s
	}
	b := builder{prepared: p, source: s, front: f}
	file.Stmts = b.stmts(file.Stmts)
	s.functions, s.facts = mentioned(file.Stmts), factsOf(file.Stmts)
	rw := rewriter{}
	rw.stmts(file.Stmts)
	s.program, err = starlark.FileProgram(file, f.predeclared.Has)
	if err != nil {
		p.resolveFaults(err, f)
	}
	s.faults = p.faults
	return s
}

// plainText returns a file's text without a byte order mark. Bytes that are no
// UTF-8 would be changed silently, and a NUL would end the file for Starlark.
func plainText(name, text string) (string, *Fault) {
	text = strings.TrimPrefix(text, "\ufeff")
	line, col, prev := 1, 1, rune(0)
	for i, r := range text {
		switch {
		case r == 0:
			return "", &Fault{name, line, col, "the file has a NUL character here: it is no text"}
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return "", &Fault{name, line, col, "the file is not UTF-8 here: save it as UTF-8"}
		case r == '\n' && prev == '\r':
		case r == '\n' || r == '\r':
			line, col = line+1, 1
		default:
			col++
		}
		prev = r
	}
	return text, nil
}

// syntaxFault takes an error of Starlark's scanner or parser.
func (p *prepared) syntaxFault(err error) {
	var se syntax.Error
	if !errors.As(err, &se) {
		p.fault(place{}, "%v", err)
		return
	}
	p.fault(at(se.Pos), "%s", explain(se.Msg))
}

// resolveFaults takes the errors of Starlark's resolver, which finds all.
func (p *prepared) resolveFaults(err error, f *Front) {
	var list resolve.ErrorList
	if !errors.As(err, &list) {
		p.fault(place{}, "%v", err)
		return
	}
	for _, e := range list {
		msg := e.Msg
		if name, ok := strings.CutPrefix(msg, "undefined: "); ok {
			name, _, _ = strings.Cut(name, " ")
			if msg = missing[name]; msg == "" {
				msg = e.Msg
				if !strings.Contains(msg, "did you mean") {
					msg += suggest(name, f.names)
				}
			}
		}
		p.fault(at(e.Pos), "%s", msg)
	}
}

func at(pos syntax.Position) place { return place{int(pos.Line), int(pos.Col)} }

// builder puts decorators, imports and "..." into a file's syntax tree.
type builder struct {
	*prepared
	source *source
	front  *Front
}

func (b *builder) position(at place) syntax.Position {
	return syntax.MakePosition(&b.name, int32(at.line), int32(at.col))
}

func (b *builder) stmts(in []syntax.Stmt) []syntax.Stmt {
	out := make([]syntax.Stmt, 0, len(in)+8)
	for _, s := range in {
		switch s := s.(type) {
		case *syntax.BranchStmt:
			if im := b.imports[at(s.TokenPos)]; im != nil {
				out = append(out, b.importation(im))
				continue
			}
		case *syntax.LoadStmt:
			b.loadStmt(s)
		}
		out = append(out, s)
		b.within(s)
		if def, ok := s.(*syntax.DefStmt); ok {
			decs := b.decorators[at(def.Def)]
			for i := len(decs) - 1; i >= 0; i-- {
				pos := b.position(decs[i].at)
				name := func() *syntax.Ident { return &syntax.Ident{NamePos: def.Name.NamePos, Name: def.Name.Name} }
				call := &syntax.CallExpr{Fn: decs[i].expr, Lparen: pos, Args: []syntax.Expr{name()}, Rparen: pos}
				out = append(out, &syntax.AssignStmt{OpPos: pos, Op: syntax.EQ, LHS: name(), RHS: call})
			}
		}
	}
	return out
}

// within goes through the tree below a statement, and makes "pass" of "...".
func (b *builder) within(s syntax.Stmt) {
	syntax.Walk(s, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.DefStmt:
			b.pass(n.Body)
		case *syntax.IfStmt:
			b.pass(n.True)
			b.pass(n.False)
		case *syntax.ForStmt:
			b.pass(n.Body)
		case *syntax.WhileStmt:
			b.pass(n.Body)
		}
		return true
	})
}

func (b *builder) pass(stmts []syntax.Stmt) {
	for i, s := range stmts {
		if e, ok := s.(*syntax.ExprStmt); ok && b.ellipses[at(syntax.Start(e))] {
			stmts[i] = &syntax.BranchStmt{Token: syntax.PASS, TokenPos: syntax.Start(e)}
		}
	}
}

// load says what an import wants.
func (f *Front) load(im *importation) load {
	l := load{key: im.module, shown: im.module, at: im.modAt, names: im.names}
	if im.as != nil {
		l.names = []imported{{wholeModule, im.as.as, im.as.nameAt, im.as.asAt}}
	}
	if f.modules[im.module] == nil {
		l.key = strings.ReplaceAll(im.module, ".", "/") + ".star"
		l.shown = l.key
	}
	return l
}

// importation makes a load statement of an import.
func (b *builder) importation(im *importation) syntax.Stmt {
	l := b.front.load(im)
	b.source.loads = append(b.source.loads, l)
	stmt := &syntax.LoadStmt{
		Load:   b.position(im.at),
		Module: &syntax.Literal{Token: syntax.STRING, TokenPos: b.position(im.modAt), Raw: `"` + l.key + `"`, Value: l.key},
		Rparen: b.position(im.at),
	}
	for _, n := range l.names {
		stmt.From = append(stmt.From, &syntax.Ident{NamePos: b.position(n.nameAt), Name: n.name})
		stmt.To = append(stmt.To, &syntax.Ident{NamePos: b.position(n.asAt), Name: n.as})
	}
	return stmt
}

// loadStmt takes notice of a load statement that the file itself has.
func (b *builder) loadStmt(s *syntax.LoadStmt) {
	l := load{key: s.ModuleName(), shown: s.ModuleName(), at: at(s.Module.TokenPos)}
	if b.front.modules[l.key] == nil && (path.Ext(l.key) != ".star" || path.IsAbs(l.key) || path.Clean(l.key) != l.key || strings.HasPrefix(l.key, "..")) {
		b.fault(l.at, "%q is not a path below the workflows directory, such as %q", l.key, "lib/units.star")
		return
	}
	for i, from := range s.From {
		l.names = append(l.names, imported{from.Name, s.To[i].Name, at(from.NamePos), at(s.To[i].NamePos)})
	}
	b.source.loads = append(b.source.loads, l)
}

// missing is the fault of a load whose file is not there.
func (l load) missing(file string, files map[string][]byte) Fault {
	msg := absent[strings.TrimSuffix(l.shown, ".star")]
	if part, why := unfitPart(l.key); msg == "" && part != "" {
		msg = fmt.Sprintf("cannot load %s: %q is passed over, as %s", l.shown, part, why)
	}
	if msg == "" {
		msg = fmt.Sprintf("cannot load %s: no such file below the workflows directory%s", l.shown, suggest(l.key, sortedKeys(files)))
	}
	return Fault{file, l.at.line, l.at.col, msg}
}

package script

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/syntax"
)

// place is a line and column of a file.
type place struct{ line, col int }

func (t token) place() place { return place{t.line, t.col} }

// prepared is a file made ready for Starlark's parser: what the parser does not
// know is blanked, in place, and kept beside.
type prepared struct {
	name       string // path below the workflows directory
	text       string
	decorators map[place][]decorator  // by the place of their def
	imports    map[place]*importation // by the place of the "pass" that stands for it
	ellipses   map[place]bool         // of "..." statements, blanked to a literal
	faults     []Fault
	formats    bool // the string at hand is followed by .format
	inTry      bool // the line at hand continues a try statement
}

// decorator is one "@expr".
type decorator struct {
	at   place
	expr syntax.Expr
}

func (p *prepared) fault(at place, format string, args ...any) {
	p.faults = append(p.faults, Fault{p.name, at.line, at.col, fmt.Sprintf(format, args...)})
}

// prepare finds decorators, imports, "..." and what Python has and Starlark
// has not.
func prepare(name, src string, opts *syntax.FileOptions) *prepared {
	p := &prepared{
		name: name, text: src, decorators: make(map[place][]decorator),
		imports: make(map[place]*importation), ellipses: make(map[place]bool),
	}
	var edits []edit
	var pending []decorator
	blocks := newBlocks()
	toks, open := scan(src)
	if open != nil { // what follows it may be text or not
		p.fault(*open, "the string that begins here does not end")
		return p
	}
	for len(toks) > 0 && toks[0].kind != tokEnd {
		n := slices.IndexFunc(toks, func(t token) bool { return t.kind == tokNewline || t.kind == tokEnd })
		line := toks[:n]
		toks = toks[n:]
		if toks[0].kind == tokNewline {
			toks = toks[1:]
		}
		if len(line) == 0 {
			continue
		}
		first := line[0]
		if first.text == "@" {
			if d, ok := p.decorator(src, line, opts); ok {
				pending = append(pending, d)
			}
			edits = append(edits, edit{first.off, line[n-1].end, ""})
			continue
		}
		if len(pending) > 0 {
			p.decorated(first, pending)
			pending = nil
		}
		edits = append(edits, p.statements(line, blocks)...)
	}
	if len(pending) > 0 {
		p.fault(pending[0].at, "a decorator stands above a def: there is none after it")
	}
	p.text = apply(src, edits)
	return p
}

// decorator parses the expression of a line that begins with "@".
func (p *prepared) decorator(src string, line []token, opts *syntax.FileOptions) (decorator, bool) {
	at := line[0]
	if at.col > 1 {
		p.fault(at.place(), "a decorator stands only above a def at the top level of the file")
		return decorator{}, false
	}
	if len(line) == 1 {
		p.fault(at.place(), `"@" wants a decorator, such as @workflow(name="…")`)
		return decorator{}, false
	}
	before := len(p.faults)
	p.pythonisms(line[1:])
	if len(p.faults) > before {
		return decorator{}, false
	}
	part := syntax.FilePortion{
		Content:   []byte(src[line[1].off:line[len(line)-1].end]),
		FirstLine: int32(line[1].line), FirstCol: int32(line[1].col),
	}
	expr, err := opts.ParseExpr(p.name, part, 0)
	if err != nil {
		p.syntaxFault(err)
		return decorator{}, false
	}
	return decorator{at.place(), expr}, true
}

// decorated attaches decorators to the statement that follows them.
func (p *prepared) decorated(first token, pending []decorator) {
	switch {
	case first.text == "def" && first.col == 1:
		p.decorators[first.place()] = pending
	case first.text == "async" || first.text == "class": // has a fault of its own
	case first.col > 1:
		p.fault(first.place(), "a decorator stands only above a def at the top level of the file")
	default:
		p.fault(pending[0].at, "a decorator stands above a def: what follows, at line %d, is not one", first.line)
	}
}

// statements looks at the statements of one logical line.
func (p *prepared) statements(line []token, b *blocks) []edit {
	var edits []edit
	b.enter(p, line)
	for i, stmt := range split(line) {
		if len(stmt) == 0 {
			continue
		}
		first, last := stmt[0], stmt[len(stmt)-1]
		top := first.col == 1 && i == 0 || i > 0 && line[0].col == 1 && !compound(line[0].text)
		switch {
		case first.text == "from" || first.text == "import":
			if !top {
				p.fault(first.place(), "an import stands only at the top level of the file")
			} else if im := p.importation(stmt); im != nil {
				p.imports[first.place()] = im
			}
			edits = append(edits, edit{first.off, last.end, "pass"})
		case first.text == "..." && len(stmt) == 1:
			p.ellipses[first.place()] = true
			edits = append(edits, edit{first.off, first.end, "0"})
		default:
			p.statementIsm(stmt)
			p.pythonisms(stmt)
		}
	}
	return edits
}

// compound reports whether a statement that begins with the word may have
// others after its colon.
func compound(word string) bool {
	switch word {
	case "if", "elif", "else", "for", "while", "def", "class", "try", "except", "finally", "with", "async":
		return true
	}
	return false
}

// split returns the statements of a logical line: they end at ";", and after
// the colon of a compound statement another one may follow.
func split(line []token) [][]token {
	var stmts [][]token
	start, lambdas := 0, 0
	for i, t := range line {
		if t.depth > 0 {
			continue
		}
		switch {
		case t.text == "lambda":
			lambdas++
		case t.text == ":" && lambdas > 0:
			lambdas--
		case t.text == ":" && compound(line[start].text):
			stmts, start = append(stmts, line[start:i+1]), i+1
			if start >= len(line) {
				return stmts
			}
		case t.text == ";":
			stmts, start = append(stmts, line[start:i]), i+1
		}
	}
	if start < len(line) {
		stmts = append(stmts, line[start:])
	}
	return stmts
}

// edit replaces src[from:to]: with the text and then a blank for each further
// character, so that nothing after it moves. Newlines stay.
type edit struct {
	from, to int
	with     string
}

func apply(src string, edits []edit) string {
	var b strings.Builder
	b.Grow(len(src))
	at := 0
	for _, e := range edits {
		b.WriteString(src[at:e.from])
		b.WriteString(e.with)
		for i, r := range src[e.from:e.to] {
			switch {
			case r == '\n' || r == '\r':
				b.WriteRune(r)
			case i >= len(e.with):
				b.WriteByte(' ')
			}
		}
		at = e.to
	}
	b.WriteString(src[at:])
	return b.String()
}

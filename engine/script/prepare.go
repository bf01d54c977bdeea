package script

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

// importation is one "from … import …" or "import … as …".
type importation struct {
	at     place
	module string // dotted
	modAt  place
	names  []imported // of the module, for "from"
	as     *imported  // the module itself, for "import"
}

// imported is a name of a module and the name it gets here.
type imported struct {
	name, as     string
	nameAt, asAt place
}

func (p *prepared) fault(at place, format string, args ...any) {
	p.faults = append(p.faults, Fault{p.name, at.line, at.col, fmt.Sprintf(format, args...)})
}

// prepare finds decorators, imports, "..." and what Python has and Starlark
// has not.
func prepare(name, src string, opts *syntax.FileOptions) *prepared {
	p := &prepared{
		name: name, decorators: make(map[place][]decorator),
		imports: make(map[place]*importation), ellipses: make(map[place]bool),
	}
	var edits []edit
	var pending []decorator
	blocks := newBlocks()
	toks := scan(src)
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

// importation parses an import statement; nil if it has a fault.
func (p *prepared) importation(stmt []token) *importation {
	im := &importation{at: stmt[0].place()}
	rest := stmt[1:]
	if len(rest) == 0 {
		p.fault(im.at, "%s wants the name of a module", stmt[0].text)
		return nil
	}
	im.modAt = rest[0].place()
	n := 0
	for n < len(rest) && rest[n].text != "import" && rest[n].text != "as" && rest[n].text != "," {
		im.module += rest[n].text
		n++
	}
	if strings.HasPrefix(im.module, ".") {
		p.fault(im.modAt, "relative imports are not known: write the path below the workflows directory, with dots")
		return nil
	}
	for _, seg := range strings.Split(im.module, ".") {
		if !isName(seg) {
			p.fault(im.modAt, "%q is not the name of a module", im.module)
			return nil
		}
	}
	rest = rest[n:]
	if stmt[0].text == "import" {
		return p.importAs(im, rest)
	}
	if len(rest) < 2 || rest[0].text != "import" {
		p.fault(im.at, `an import is written "from %s import name"`, im.module)
		return nil
	}
	return p.importNames(im, rest[1:])
}

func (p *prepared) importAs(im *importation, rest []token) *importation {
	segs := strings.Split(im.module, ".")
	as := imported{as: segs[0], asAt: im.modAt, nameAt: im.modAt}
	switch {
	case len(rest) == 2 && rest[0].text == "as" && isName(rest[1].text):
		as.as, as.asAt = rest[1].text, rest[1].place()
	case len(rest) > 0 && rest[0].text == ",":
		p.fault(rest[0].place(), "import one module in a line")
		return nil
	case len(rest) > 0:
		p.fault(rest[0].place(), `an import is written "import a.b as name" or "from a.b import name"`)
		return nil
	case len(segs) > 1:
		p.fault(im.at, `write "import %s as %s"`, im.module, segs[len(segs)-1])
		return nil
	}
	im.as = &as
	return im
}

func (p *prepared) importNames(im *importation, rest []token) *importation {
	if rest[0].text == "(" {
		rest = rest[1:]
		if len(rest) > 0 && rest[len(rest)-1].text == ")" {
			rest = rest[:len(rest)-1]
		}
		if len(rest) > 1 && rest[len(rest)-1].text == "," {
			rest = rest[:len(rest)-1]
		}
	}
	for len(rest) > 0 {
		t := rest[0]
		if t.text == "*" {
			p.fault(t.place(), "name what is to be imported: from %s import a, b", im.module)
			return nil
		}
		if !isName(t.text) {
			break
		}
		in := imported{t.text, t.text, t.place(), t.place()}
		rest = rest[1:]
		if len(rest) > 1 && rest[0].text == "as" && isName(rest[1].text) {
			in.as, in.asAt = rest[1].text, rest[1].place()
			rest = rest[2:]
		}
		im.names = append(im.names, in)
		if len(rest) == 0 {
			return im
		}
		if rest[0].text != "," || len(rest) == 1 {
			break
		}
		rest = rest[1:]
	}
	p.fault(im.at, `an import is written "from %s import x, y as z"`, im.module)
	return nil
}

// isName reports whether s is a name that a script may bind.
func isName(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && stringPrefix(s) < 0 && (r == '_' || r >= utf8.RuneSelf || 'a' <= r|32 && r|32 <= 'z') && keywords[s] == ""
}

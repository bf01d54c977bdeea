package script

import (
	"strings"
	"unicode/utf8"
)

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

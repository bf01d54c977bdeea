package script

import (
	"regexp"
	"slices"
	"strings"
)

// blocks remembers, for each indentation, what the block there began with.
type blocks struct {
	cols  []int
	words []string
	tried bool // within a try statement, whose later clauses need no fault of their own
}

func newBlocks() *blocks { return &blocks{} }

// enter takes notice of a logical line, and finds an else of a loop.
func (b *blocks) enter(p *prepared, line []token) {
	first := line[0]
	for len(b.cols) > 0 && b.cols[len(b.cols)-1] > first.col {
		b.cols, b.words = b.cols[:len(b.cols)-1], b.words[:len(b.words)-1]
	}
	if len(b.cols) == 0 || b.cols[len(b.cols)-1] < first.col {
		b.cols, b.words = append(b.cols, first.col), append(b.words, "")
	}
	word := &b.words[len(b.words)-1]
	if first.text == "else" && (*word == "for" || *word == "while") {
		p.fault(first.place(), "a %s has no else: set a flag in the loop, and look at it after", *word)
	}
	b.tried = *word == "try" && (first.text == "except" || first.text == "else" || first.text == "finally")
	if !b.tried {
		*word = first.text
	}
	p.inTry = b.tried
}

// statementIsm finds what stands at the beginning of a statement.
func (p *prepared) statementIsm(stmt []token) {
	first := stmt[0]
	var second token
	if len(stmt) > 1 {
		second = stmt[1]
	}
	switch {
	case first.text == "assert" && first.kind == tokWord && (second.kind == tokWord || second.kind == tokNumber || second.kind == tokString ||
		second.text == "(" || second.text == "["):
		p.fault(first.place(), `there is no assert: use if not …: fail("…")`)
	case first.text == "print" && second.kind == tokString:
		p.fault(first.place(), "print is a function: print(…)")
	case first.kind == tokWord && second.text == ":" && second.depth == 0 && keywords[first.text] == "" && first.text != "match":
		p.fault(second.place(), "there are no type annotations: write %s = …", first.text)
	}
}

// pythonisms finds, in a statement, what Python has and Starlark has not.
func (p *prepared) pythonisms(stmt []token) {
	def := stmt[0].text == "def" && !slices.ContainsFunc(stmt, func(t token) bool { return t.text == "lambda" })
	for i, t := range stmt {
		var prev, next token
		if i > 0 {
			prev = stmt[i-1]
		}
		if i+1 < len(stmt) {
			next = stmt[i+1]
		}
		switch t.kind {
		case tokWord:
			p.word(t, prev, next, stmt)
		case tokNumber:
			if strings.Contains(t.text, "_") {
				p.fault(t.place(), "a number is written without _")
			}
		case tokString:
			p.formats = i+2 < len(stmt) && stmt[i+2].text == "format"
			p.str(t, prev, next)
		case tokOp:
			p.operator(t, prev, next, def)
		}
	}
}

func (p *prepared) word(t, prev, next token, stmt []token) {
	hint := keywords[t.text]
	if hint == "" || hint == "-" {
		return
	}
	switch {
	case prev.text == ".": // an attribute; Starlark's parser says that it cannot be one
		return
	case p.inTry && (t.text == "except" || t.text == "finally"):
		return
	case t.text == "from" && (stmt[0].text == "raise" || prev.text == "yield"), t.text == "with" && prev.text == "async":
		return
	case t.text == "is" && next.text == "not":
		hint = "there is no is not: use !=, also with None"
	}
	p.fault(t.place(), "%s", hint)
}

// A width or precision within a format: "%5.1f", "{:.2f}".
var (
	percentFormat = regexp.MustCompile(`%[-+ #0]*[0-9.*]+[a-zA-Z]`)
	braceFormat   = regexp.MustCompile(`\{[^{}]*:[^{}]+\}`)
)

func (p *prepared) str(t, prev, next token) {
	prefix := t.text[:stringPrefix(t.text)]
	switch {
	case strings.ContainsAny(prefix, "fF"):
		p.fault(t.place(), `there are no f-strings: use "…%%s…" %% x, or "…{}…".format(x)`)
	case strings.ContainsAny(prefix, "uURB"):
		p.fault(t.place(), `a string is written "…", r"…" or b"…"`)
	case prev.kind == tokString:
		p.fault(t.place(), "two strings side by side are not joined: write + between them")
	case next.text == "%" && percentFormat.MatchString(t.text):
		p.fault(t.place(), "a format has no width and no precision: use %%s, %%d or %%f, and round with int(x * 100 + 0.5) / 100.0")
	case next.text == "." && p.formats && braceFormat.MatchString(t.text):
		p.fault(t.place(), "a format has no width and no precision: use {}, and round with int(x * 100 + 0.5) / 100.0")
	}
}

func (p *prepared) operator(t, prev, next token, def bool) {
	operand := prev.kind == tokWord && keywords[prev.text] == "" || prev.kind == tokNumber || prev.text == ")" || prev.text == "]"
	switch t.text {
	case ":=":
		p.fault(t.place(), "there is no :=: assign in a line of its own")
	case "->":
		p.fault(t.place(), "there are no type annotations: leave out ->")
	case ":":
		if def && t.depth == 1 && prev.kind == tokWord {
			p.fault(t.place(), "there are no type annotations: leave out what follows the name")
		}
	case "**=":
		p.fault(t.place(), "there is no **: multiply")
	case "**":
		if operand && prev.text != "lambda" {
			p.fault(t.place(), "there is no **: multiply")
		} else if prev.text == "{" {
			p.fault(t.place(), "a dict is not unpacked into another: use a | b")
		}
	case "*":
		if prev.text == "[" {
			p.fault(t.place(), "a list is not unpacked into another: use +")
		}
	case "...":
		p.fault(t.place(), "... stands only as a statement of its own, where it is pass")
	case "!":
		p.fault(t.place(), "there is no !: use not")
	case "?":
		p.fault(t.place(), "there is no ?: use a if c else b")
	case "@":
		p.fault(t.place(), "a decorator stands at the beginning of a line")
	}
}

// explain adds what to do to an error of Starlark's parser.
func explain(msg string) string {
	switch {
	case strings.Contains(msg, "does not associate with"):
		return msg + ": write a < b and b < c"
	case strings.Contains(msg, "got for, want ')'"), strings.Contains(msg, "got for, want ','"):
		return msg + ": there are no generators, write a list: [… for … in …]"
	case strings.Contains(msg, "got ',', want ':'"), strings.Contains(msg, "got '}', want ':'"):
		return msg + ": a set is written set([…])"
	case strings.Contains(msg, "got '=', want newline"):
		return msg + ": assign to one name in a line, or to several with a, b = x, y"
	}
	return msg
}

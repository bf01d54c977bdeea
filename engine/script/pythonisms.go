package script

import (
	"regexp"
	"slices"
	"strings"
)

// keywords are the words that no name may have, with what to use instead of
// those that Starlark reserves and has not. "-" is for Starlark's own.
var keywords = map[string]string{
	"and": "-", "break": "-", "continue": "-", "def": "-", "elif": "-", "else": "-", "for": "-", "if": "-", "in": "-",
	"lambda": "-", "load": "-", "not": "-", "or": "-", "pass": "-", "return": "-", "while": "-", "as": "-",

	"async":    "there is no async: steps wait by themselves",
	"await":    "there is no await: calling a step waits for it",
	"class":    "there are no classes: use struct(name=value) or a dict, and functions",
	"del":      "there is no del: use d.pop(key), or list.pop(index)",
	"except":   "there is no except: use r = attempt(fn, …), then look at r.ok and r.error",
	"finally":  "there is no finally: use attempt(fn, …) and go on after it; safe_state= of @workflow is written when a run fails",
	"from":     `an import is written "from a.b import name", as a statement of its own`,
	"global":   "there is no global: globals are frozen after loading; pass values as arguments and return them",
	"import":   `an import is written "from a.b import name" or "import a.b as name"`,
	"is":       "there is no is: use == or !=, also with None",
	"nonlocal": "there is no nonlocal: keep what an inner function changes in a dict or list",
	"raise":    `there is no raise: use fail("…")`,
	"try":      "there is no try: use r = attempt(fn, …), then look at r.ok and r.error",
	"with":     "there is no with: call the steps in order",
	"yield":    "there are no generators: return a list",
}

// missing are names that Python knows everywhere, with what to use instead.
var missing = map[string]string{
	"sum":          "there is no sum: add up in a loop",
	"map":          "there is no map: use [f(x) for x in xs]",
	"filter":       "there is no filter: use [x for x in xs if f(x)]",
	"isinstance":   `there is no isinstance: compare type(x) with "int", "string", "list", …`,
	"issubclass":   "there are no classes",
	"super":        "there are no classes",
	"object":       "there are no classes",
	"self":         "there are no classes",
	"round":        "there is no round: use int(x + 0.5) for x of 0 and more",
	"pow":          "there is no pow: multiply",
	"divmod":       "there is no divmod: use // and %",
	"iter":         "there are no iterators: use a for loop",
	"next":         "there are no iterators: use a for loop",
	"format":       `there is no format: use "{}".format(x) or "%s" % x`,
	"open":         "a script has no files: use steps",
	"input":        "a script has no console: use inputs, or rt.recv",
	"eval":         "there is no eval",
	"exec":         "there is no exec",
	"frozenset":    "there is no frozenset: use a tuple",
	"complex":      "there are no complex numbers",
	"id":           "there is no id: compare with ==",
	"callable":     `there is no callable: compare type(x) with "function"`,
	"locals":       "there is no locals",
	"globals":      "there is no globals",
	"vars":         "there is no vars: use dir(x) and getattr(x, name)",
	"setattr":      "there is no setattr: use a dict",
	"delattr":      "there is no delattr: use a dict",
	"staticmethod": "there are no classes",
	"property":     "there are no classes",
	"__name__":     "there is no __name__: a workflow file is loaded, not run, and @workflow registers its function",
	"__file__":     "there is no __file__: a script has no files",
	"Exception":    `there are no exception types: use fail("…"), and r.error.type after attempt`,
	"ValueError":   `there are no exception types: use fail("…"), and r.error.type after attempt`,
	"TypeError":    `there are no exception types: use fail("…"), and r.error.type after attempt`,
	"KeyError":     `there are no exception types: use fail("…"), and r.error.type after attempt`,
	"RuntimeError": `there are no exception types: use fail("…"), and r.error.type after attempt`,
	"TimeoutError": `there are no exception types: use fail("…"), and r.error.type after attempt`,
}

// absent are Python's modules that a workflow's author may reach for, with what
// to use instead.
var absent = map[string]string{
	"json":        "there is no json module: dicts and lists go into steps as they are; http.request takes json_body=",
	"time":        "there is no time module: use rt.now(), sleep.sleep_ms(…), sleep.sleep_chunked(…)",
	"datetime":    "there is no datetime module: use rt.now(), which is seconds since 1970",
	"random":      "there is no random module: use rt.random()",
	"uuid":        "there is no uuid module: use rt.uuid()",
	"os":          "there is no os module: a script has no files and no processes; use steps",
	"sys":         "there is no sys module: a script has no files and no processes; use steps",
	"io":          "there is no io module: a script has no files; use steps",
	"pathlib":     "there is no pathlib module: a script has no files; use steps",
	"subprocess":  "there is no subprocess module: a script has no processes; use steps",
	"math":        "there is no math module: use + - * / // %, min, max, abs",
	"re":          "there is no re module: use the methods of strings: startswith, split, find, replace, …",
	"logging":     "there is no logging module: use rt.progress(…)",
	"typing":      "there is no typing module: there are no type annotations",
	"dataclasses": "there are no classes: use struct(name=value)",
	"enum":        "there are no classes: use names for constants",
	"asyncio":     "there is no asyncio: steps wait by themselves",
	"threading":   "there is no threading: steps wait by themselves",
	"functools":   "there is no functools module",
	"itertools":   "there is no itertools module: use loops",
	"collections": "there is no collections module: use dict, list, set",
	"requests":    "there is no requests module: use http.request(…)",
	"sqlite3":     "there is no sqlite3 module: use db.query(…) and db.update(…)",
	"copy":        "there is no copy module: use dict(d), list(l)",
	"traceback":   "there is no traceback module: r.error after attempt(fn, …) says what failed",
}

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

package script

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokWord tokenKind = iota
	tokNumber
	tokString
	tokOp
	tokNewline
	tokEnd
)

// token is one word of a file. Its position is as Starlark's scanner counts:
// lines and columns from 1, columns in characters.
type token struct {
	kind      tokenKind
	text      string
	off, end  int // bytes
	line, col int
	depth     int // brackets open before it
}

// scanner splits a file into words, as far as is needed to find what Starlark's
// parser does not know: it knows strings, comments, brackets and continued
// lines, and is lenient about all else.
type scanner struct {
	src            string
	off, line, col int
	depth          int
	toks           []token
	open           *place // of a string that does not end
}

// scan returns the words of a file, with a tokNewline at the end of each
// logical line and a tokEnd at the end; and where a string begins that does not
// end, with which the words end, or nil.
func scan(src string) ([]token, *place) {
	s := &scanner{src: src, line: 1, col: 1}
	for s.off < len(s.src) && s.next() {
	}
	s.add(tokEnd, s.off, s.line, s.col)
	return s.toks, s.open
}

func (s *scanner) add(k tokenKind, off, line, col int) {
	s.toks = append(s.toks, token{k, s.src[off:s.off], off, s.off, line, col, s.depth})
}

// advance consumes one character; "\r\n" and "\r" are one newline.
func (s *scanner) advance() rune {
	r, n := utf8.DecodeRuneInString(s.src[s.off:])
	s.off += n
	if r == '\r' {
		if strings.HasPrefix(s.src[s.off:], "\n") {
			s.off++
		}
		r = '\n'
	}
	if r == '\n' {
		s.line, s.col = s.line+1, 1
	} else {
		s.col++
	}
	return r
}

// operators of more than one character, longest first.
var operators = [...]string{
	"...", "**=", "//=", "<<=", ">>=", "->", ":=", "**", "//", "<<", ">>", "==", "!=", "<=", ">=",
	"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=",
}

// next consumes one word, or white space; false stops the scan, at a string
// that does not end.
func (s *scanner) next() bool {
	off, line, col := s.off, s.line, s.col
	rest := s.src[s.off:]
	c, _ := utf8.DecodeRuneInString(rest)
	switch {
	case c == '\n' || c == '\r':
		s.advance()
		if n := len(s.toks); s.depth == 0 && n > 0 && s.toks[n-1].kind != tokNewline {
			s.add(tokNewline, off, line, col)
		}
	case c == '#':
		for s.off < len(s.src) && s.src[s.off] != '\n' && s.src[s.off] != '\r' {
			s.advance()
		}
	case c == '\\':
		s.advance()
		if s.off < len(s.src) && (s.src[s.off] == '\n' || s.src[s.off] == '\r') {
			s.advance()
		}
	case c == ' ' || c == '\t':
		s.advance()
	case stringPrefix(rest) >= 0:
		if !s.scanString(stringPrefix(rest)) {
			s.open = &place{line, col}
			return false
		}
	case c == '_' || unicode.IsLetter(c):
		s.while(func(r rune) bool { return r == '_' || unicode.IsLetter(r) || '0' <= r && r <= '9' })
		s.add(tokWord, off, line, col)
	case '0' <= c && c <= '9' || c == '.' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
		s.scanNumber()
		s.add(tokNumber, off, line, col)
	default:
		s.scanOperator(rest)
	}
	return true
}

func (s *scanner) while(in func(rune) bool) {
	for s.off < len(s.src) {
		if r, _ := utf8.DecodeRuneInString(s.src[s.off:]); !in(r) {
			return
		}
		s.advance()
	}
}

func (s *scanner) scanNumber() {
	start := s.off
	s.while(func(r rune) bool {
		if r == '+' || r == '-' {
			t := s.src[start:s.off]
			return !strings.HasPrefix(t, "0x") && !strings.HasPrefix(t, "0X") && (t[len(t)-1] == 'e' || t[len(t)-1] == 'E')
		}
		return r == '.' || r == '_' || unicode.IsLetter(r) || '0' <= r && r <= '9'
	})
}

func (s *scanner) scanOperator(rest string) {
	off, line, col := s.off, s.line, s.col
	n := 1
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			n = len(op)
			break
		}
	}
	if n == 1 && rest[0] >= utf8.RuneSelf {
		_, n = utf8.DecodeRuneInString(rest)
	}
	for end := s.off + n; s.off < end; {
		s.advance()
	}
	depth := s.depth
	switch rest[0] {
	case '(', '[', '{':
		depth++
	case ')', ']', '}':
		depth = max(depth-1, 0)
		s.depth = depth
	}
	s.add(tokOp, off, line, col)
	s.depth = depth
}

// stringPrefix returns how many letters stand before the quote if a string
// literal begins here, Python's forms included; else -1.
func stringPrefix(s string) int {
	for n := 0; n < len(s) && n < 3; n++ {
		switch s[n] {
		case '"', '\'':
			return n
		case 'r', 'R', 'b', 'B', 'f', 'F', 'u', 'U':
		default:
			return -1
		}
	}
	return -1
}

func (s *scanner) scanString(prefix int) bool {
	off, line, col := s.off, s.line, s.col
	for range prefix {
		s.advance()
	}
	quote := s.src[s.off : s.off+1]
	if strings.HasPrefix(s.src[s.off:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	for range len(quote) {
		s.advance()
	}
	for s.off < len(s.src) {
		if strings.HasPrefix(s.src[s.off:], quote) {
			for range len(quote) {
				s.advance()
			}
			s.add(tokString, off, line, col)
			return true
		}
		switch r := s.advance(); {
		case r == '\\' && s.off < len(s.src):
			s.advance()
		case r == '\n' && len(quote) == 1:
			return false
		}
	}
	return false
}

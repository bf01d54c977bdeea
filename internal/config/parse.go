package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parse reads one YAML document. It returns nil without a fault for a document
// that holds nothing.
func parse(file string, data []byte) (*yaml.Node, *Fault) {
	if line, col, ok := utf8Fault(data); !ok {
		return nil, &Fault{file, line, col, "YAML: a byte that is not UTF-8"}
	}
	docs, err := documents(data)
	if err != nil {
		line, col := locate(data)
		return nil, &Fault{file, line, col, "YAML: " + bareError(err)}
	}
	if len(docs) > 1 {
		return nil, &Fault{file, docs[1].Line, docs[1].Column, "YAML: a second document, allowed one in a file"}
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 {
		return nil, nil
	}
	return docs[0].Content[0], nil
}

// documents returns the first two documents of data. The library's parser
// panics on some malformed comments; a file must not stop the daemon from
// saying which one it was.
func documents(data []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for len(docs) < 2 {
		n := new(yaml.Node)
		if err := dec.Decode(n); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
	return docs, nil
}

// bareError drops the library's prefix and its line, which is off by one or
// that of the enclosing mapping.
func bareError(err error) string {
	return regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
}

func utf8Fault(data []byte) (line, col int, ok bool) {
	line, col = 1, 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return line, col, false
		}
		if r == '\n' {
			line, col = line+1, 0
		}
		i, col = i+n, col+1
	}
	return 0, 0, true
}

// locate returns where data stops being YAML, which the library does not tell:
// the first character that no YAML file can have after what stands before it.
// For a bracket or a quote that is never closed, that is its opening.
func locate(data []byte) (line, col int) {
	lines := strings.SplitAfter(string(data), "\n")
	good := goodLines(lines)
	if good == len(lines) {
		return good, 1 // only a panic of the library's that depends on the end of the file
	}
	before, last := strings.Join(lines[:good], ""), lines[good]
	// The text from the last section on is enough to tell, and far shorter.
	for i := good - 1; i > 0; i-- {
		if !strings.ContainsAny(lines[i][:1], " #\t\r\n-}]") {
			short := strings.Join(lines[i:good], "")
			if isYAML(short) && !isYAML(short+last) {
				before = short
			}
			break
		}
	}
	at := 0
	if len(last) <= 4096 {
		for i := range last {
			if isYAML(before + last[:i]) {
				at = i
			}
		}
	}
	for at > 0 && last[at-1] == '\t' { // good at a line's end, and not before a word
		at--
	}
	for at < len(last)-1 && last[at] == ' ' {
		at++
	}
	return good + 1, utf8.RuneCountInString(last[:at]) + 1
}

// goodLines returns how many of the first lines are YAML by themselves, where
// all of them are not. The parser takes no more of a file than it needs, so the
// fault is not below the line where it stopped, and mostly just there. Where it
// is not, something was opened far above and never closed.
func goodLines(lines []string) int {
	isGood := func(n int) bool { return isYAML(strings.Join(lines[:n], "")) }
	const reach = 30
	bad := min(linesTaken(lines), len(lines)-1) + 1 // longer prefixes fail alike
	for n := bad - 1; n >= max(0, bad-reach); n-- {
		if isGood(n) {
			return n
		}
	}
	// A prefix can fail and a longer one be good again, between the lines of a
	// list, so each probe looks at a few.
	good, low := 0, 0
	for low+1 < bad {
		mid, found := (low+bad)/2, false
		for n := mid; n >= max(0, mid-6) && !found; n-- {
			if isGood(n) {
				good, found = max(good, n), true
			}
		}
		if found {
			low = mid
		} else {
			bad = mid
		}
	}
	for n := min(good+reach, len(lines)-1); n > good; n-- {
		if isGood(n) {
			return n
		}
	}
	return good
}

// linesTaken returns in which line, from 0, the parser gives up.
func linesTaken(lines []string) int {
	r := &sipper{text: strings.Join(lines, "")}
	func() {
		defer func() { _ = recover() }() // as in documents, which has said so
		dec := yaml.NewDecoder(r)
		for dec.Decode(new(yaml.Node)) == nil {
		}
	}()
	return strings.Count(r.text[:max(0, r.taken-1)], "\n")
}

// sipper hands out one byte at a time and knows how many.
type sipper struct {
	text  string
	taken int
}

// Read is io.Reader's.
func (s *sipper) Read(b []byte) (int, error) {
	if s.taken == len(s.text) || len(b) == 0 {
		return 0, io.EOF
	}
	b[0] = s.text[s.taken]
	s.taken++
	return 1, nil
}

func isYAML(s string) bool {
	_, err := documents([]byte(s))
	return err == nil
}

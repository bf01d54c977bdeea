package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// path is the way to a value: its keys, with a separator that no name has
// between them, so that a tag named a.b is not the key b of a.
type path string

const separator = "\x00"

func (p path) key(name string) path {
	if p == "" {
		return path(name)
	}
	return p + separator + path(name)
}

func (p path) item(i int) path { return p + path("["+strconv.Itoa(i)+"]") }

// String returns the path as messages show it: connections.plc1.url.
func (p path) String() string { return strings.ReplaceAll(string(p), separator, ".") }

// place is where a value stands, and the key before it.
type place struct{ key, val Pos }

// decoder walks the documents of all files and notes what it finds where.
type decoder struct {
	file   string // the one at hand
	dir    string // its folder, absolute: what relative paths in it start from
	faults []Fault
	places map[path]place
	bad    map[path]bool // values that have a fault already

	// A file could not be read: what refers to a name may be right.
	lost     bool // one of conf.d
	lostTags bool // one of tags_from
}

func (d *decoder) pos(n *yaml.Node) Pos { return Pos{d.file, n.Line, n.Column} }

// fault notes what is wrong with the value at p, at a position.
func (d *decoder) fault(p path, at Pos, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if p != "" {
		msg = p.String() + ": " + msg
		d.bad[p] = true
	}
	d.faults = append(d.faults, Fault{at.File, at.Line, at.Col, msg})
}

// wrong notes that n is none of what is allowed.
func (d *decoder) wrong(p path, n *yaml.Node, allowed string) {
	d.fault(p, d.pos(n), "%s, allowed %s", show(n), allowed)
}

// complain notes what is wrong with the value at p once all files are decoded.
func (d *decoder) complain(p path, format string, args ...any) {
	at, ok := d.places[p]
	if !ok { // a default: what left it out is wrong
		i := strings.LastIndex(string(p), separator)
		at = d.places[p[:max(i, 0)]]
		at.val = at.key
	}
	d.fault(p, at.val, format, args...)
}

// complainKey does so at the value's key, for what is missing in it or wrong
// with its being there.
func (d *decoder) complainKey(p path, format string, args ...any) {
	d.fault(p, d.places[p].key, format, args...)
}

// unavailable notes that the feature of the key at p is not built yet.
func (d *decoder) unavailable(p path) {
	at := d.places[p].key
	d.faults = append(d.faults, Fault{at.File, at.Line, at.Col, p.String() + " is not available yet"})
	d.bad[p] = true
}

// given reports whether a file has a value at p, right or wrong.
func (d *decoder) given(p path) bool { _, ok := d.places[p]; return ok }

// right reports whether a file has a value at p with no fault so far.
func (d *decoder) right(p path) bool { return d.given(p) && !d.bad[p] }

// enter notes the place of a key and its value; again is false for a key that
// was given before and cannot be added to from here.
func (d *decoder) enter(p path, key, val *yaml.Node, merge bool) bool {
	now := place{d.pos(key), d.pos(val)}
	first, again := d.places[p]
	if !again {
		d.places[p] = now
		return true
	}
	if merge && first.key.File != d.file {
		return true
	}
	d.faults = append(d.faults, Fault{now.key.File, now.key.Line, now.key.Col,
		fmt.Sprintf("%s: given twice, first at %s", p, first.key)})
	return merge
}

// simple reports whether n is written out; else it notes a fault. Aliases are
// refused because a tag that says elsewhere what may be written to it is hard
// to review, explicit tags because they change what the text means.
func (d *decoder) simple(p path, n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.fault(p, d.pos(n), "alias *%s, allowed a value written out", n.Value)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		d.fault(p, d.pos(n), "YAML tag %s, allowed a value without one", n.Tag)
		return false
	}
	return true
}

// isNull reports whether n is nothing: an empty value, ~ or null.
func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// show returns n as a message shows it.
func show(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return showText(textOf(n))
}

func showText(t text) string {
	if _, isNumber := number(t); isNumber || t.plain && (t.value == "true" || t.value == "false") {
		return t.value
	}
	return quote(t.value)
}

// quote shows a text on one line and not longer than a screen's.
func quote(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(string([]rune(s)[:most])) + "…"
}

// number reads a decimal number as YAML and JSON both take it. Hexadecimal,
// octal, infinities and leading zeros are not numbers here: what stands in the
// file is what is meant.
func number(t text) (float64, bool) {
	digits := strings.TrimPrefix(t.value, "-")
	if !t.plain || digits == "" || digits[0] < '0' || digits[0] > '9' ||
		strings.Trim(digits, "0123456789.eE+-") != "" ||
		len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0, false
	}
	f, err := strconv.ParseFloat(t.value, 64)
	return f, err == nil
}

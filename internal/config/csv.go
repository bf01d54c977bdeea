package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/nearest"
)

// pathColumn is the column of a tag's path, which is a key in YAML.
const pathColumn = "path"

// csv adds the tags of one CSV file (RFC 4180) to c. The first line names the
// columns: path, and the keys of a tag, nested ones with a dot. A cell stands
// for the plain text of a value, a list for a YAML list; an empty cell for a
// key left out. Lines that begin with # are comments.
//
// Each row becomes the mapping that the same tag is in YAML, with the cells'
// places, so that both are decoded and checked by the same table.
func (d *decoder) csv(s source, t tables, c *Config) {
	data, dir, ok := d.open(s.file)
	if !ok {
		f := d.faults[len(d.faults)-1]
		d.faults = d.faults[:len(d.faults)-1]
		d.complain(s.path, "%s %s", quote(s.shown), f.Message)
		d.lostTags = true
		return
	}
	d.file, d.dir = s.shown, dir
	if line, col, ok := utf8Fault(data); !ok {
		d.fault("", Pos{d.file, line, col}, "CSV: a byte that is not UTF-8")
		d.lostTags = true
		return
	}
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	r := &rows{Reader: csv.NewReader(bytes.NewReader(data)), lines: bytes.Split(data, []byte("\n")), file: d.file}
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace = '#', -1, true
	head, ok := d.header(r, t.tag)
	for ok {
		var cells []cell
		if cells, ok = d.row(r); !ok {
			break
		}
		if len(cells) != len(head) {
			d.fault("", cells[0].at, "%d cells, allowed %d as in the first line", len(cells), len(head))
			continue
		}
		if doc := d.rowNode(head, cells); doc != nil {
			t.tags.decode(d, "tags", doc, &c.Tags)
		}
	}
}

// rows reads a CSV file and knows where each cell stands.
type rows struct {
	*csv.Reader
	lines [][]byte
	file  string
}

type cell struct {
	text string
	at   Pos
}

// row returns the next row that holds anything.
func (d *decoder) row(r *rows) ([]cell, bool) {
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil, false
		}
		if err != nil {
			at, msg := Pos{File: r.file}, err.Error()
			var e *csv.ParseError
			if errors.As(err, &e) {
				at, msg = r.at(e.Line, e.Column), e.Err.Error()
			}
			d.fault("", at, "CSV: %s", msg)
			d.lostTags = true
			return nil, false
		}
		cells, empty := make([]cell, len(record)), true
		for i, text := range record {
			line, col := r.FieldPos(i)
			cells[i] = cell{strings.TrimSpace(text), r.at(line, col)}
			empty = empty && cells[i].text == ""
		}
		if !empty {
			return cells, true
		}
	}
}

// at turns a column in bytes into one in characters.
func (r *rows) at(line, col int) Pos {
	if line >= 1 && line <= len(r.lines) {
		text := r.lines[line-1]
		col = utf8.RuneCount(text[:max(0, min(col-1, len(text)))]) + 1
	}
	return Pos{r.file, line, col}
}

// header reads the names of the columns; false where the rows cannot be read
// by them.
func (d *decoder) header(r *rows, one kind[Tag]) ([]column, bool) {
	before := len(d.faults)
	cells, ok := d.row(r)
	if !ok {
		if len(d.faults) == before {
			d.fault("", Pos{r.file, 1, 1}, "no columns, allowed a first line with their names, %s among them", pathColumn)
		}
		return nil, false
	}
	known := append([]column{{name: pathColumn}}, one.columns()...)
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	head, seen := make([]column, len(cells)), map[string]Pos{}
	for i, c := range cells {
		first, twice := seen[c.text]
		switch at := indexOf(names, c.text); {
		case at < 0 && len(cells) == 1 && strings.ContainsAny(c.text, ";\t|"):
			d.fault("", c.at, "%s, allowed columns with a comma between them", quote(c.text))
			ok = false
		case at < 0:
			msg := "unknown column " + quote(c.text)
			if near := nearest.Word(c.text, names); near != "" {
				msg += ", nearest " + quote(near)
			}
			d.fault("", c.at, "%s; allowed: %s", msg, strings.Join(names, ", "))
			ok = false
		case twice:
			d.fault("", c.at, "column %s: given twice, first at %s", c.text, first)
			ok = false
		default:
			head[i], seen[c.text] = known[at], c.at
		}
	}
	if _, has := seen[pathColumn]; !has && ok {
		d.fault("", cells[0].at, "missing column %q", pathColumn)
		ok = false
	}
	d.lostTags = d.lostTags || !ok
	return head, ok
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// rowNode returns the mapping {path: {…}} that a row is in YAML.
func (d *decoder) rowNode(head []column, cells []cell) *yaml.Node {
	var path *yaml.Node
	first := cells[0].at
	tag := &yaml.Node{Kind: yaml.MappingNode, Line: first.Line, Column: first.Col}
	for i, c := range cells {
		switch {
		case c.text == "":
		case head[i].name == pathColumn:
			path = word(c.text, c.at)
		default:
			value := word(c.text, c.at)
			if head[i].list {
				value = d.cellList(head[i].name, c)
				if value == nil {
					continue
				}
			}
			put(tag, strings.Split(head[i].name, "."), value)
		}
	}
	if path == nil {
		d.fault("", first, "missing cell %q", pathColumn)
		return nil
	}
	return &yaml.Node{Kind: yaml.MappingNode, Line: path.Line, Column: path.Column, Content: []*yaml.Node{path, tag}}
}

func word(s string, at Pos) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s, Line: at.Line, Column: at.Col}
}

// cellList reads a list in a cell; all of it stands where the cell stands.
func (d *decoder) cellList(column string, c cell) *yaml.Node {
	n, fault := parse(c.at.File, []byte(c.text))
	if fault != nil || n == nil {
		d.fault("", c.at, "%s: %s, allowed a YAML list", column, quote(c.text))
		return nil
	}
	move(n, c.at)
	return n
}

func move(n *yaml.Node, at Pos) {
	n.Line, n.Column = at.Line, at.Col
	for _, c := range n.Content {
		move(c, at)
	}
}

// put sets a nested key of a mapping.
func put(n *yaml.Node, keys []string, value *yaml.Node) {
	at := Pos{Line: value.Line, Col: value.Column}
	for ; len(keys) > 1; keys = keys[1:] {
		var next *yaml.Node
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == keys[0] {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			next = &yaml.Node{Kind: yaml.MappingNode, Line: value.Line, Column: value.Column}
			n.Content = append(n.Content, word(keys[0], at), next)
		}
		n = next
	}
	n.Content = append(n.Content, word(keys[0], at), value)
}

package cli

import (
	"bytes"
	"encoding/json"
)

// blockRows is how many rows of a long table are aligned together, and printed
// as soon as they are there.
const blockRows = 500

// list prints entries as they come: none of them is kept, and what is printed is
// what it would be if all were printed at once.
type list interface {
	add(entry any, row []string) error
	end() error
}

// newList makes a list in the format that the user asked for: one JSON array, or
// a table with this head.
func (a *app) newList(head ...string) list {
	if a.json() {
		return &jsonList{a: a}
	}
	return &rowList{a: a, table: newTable(head...)}
}

// jsonList is one JSON array. One that is cut short by a failure is left open,
// so that nobody takes it for the whole.
type jsonList struct {
	a   *app
	n   int
	buf bytes.Buffer
}

func (l *jsonList) add(entry any, _ []string) error {
	l.buf.Reset()
	l.buf.WriteString(",\n  ")
	if l.n++; l.n == 1 {
		l.buf.Reset()
		l.buf.WriteString("[\n  ")
	}
	enc := json.NewEncoder(&l.buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("  ", "  ")
	if err := enc.Encode(entry); err != nil {
		return cannot("print the answer", err)
	}
	return l.a.print(string(bytes.TrimSuffix(l.buf.Bytes(), []byte("\n"))))
}

func (l *jsonList) end() error {
	if l.n == 0 {
		return l.a.print("[]\n")
	}
	return l.a.print("\n]\n")
}

// rowList is a table, a block at a time. One block alone is a table as others
// are; of several the first decides on the columns, and shows all of them, for it
// cannot know which will have content.
type rowList struct {
	a       *app
	table   *table
	printed bool
}

func (l *rowList) add(_ any, row []string) error {
	if len(l.table.rows) > blockRows {
		l.table.all = true
		if err := l.print(); err != nil {
			return err
		}
	}
	l.table.row(row...)
	return nil
}

func (l *rowList) end() error { return l.print() }

func (l *rowList) print() error {
	text := l.table.text(!l.printed)
	l.printed = true
	l.table.rows = l.table.rows[:1]
	return l.a.print(text)
}

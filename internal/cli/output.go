package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// document prints v as one JSON document.
func (a *app) document(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return cannot("print the answer", enc.Encode(v))
}

// line prints v as one line of JSON, of a stream.
func (a *app) line(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return cannot("print the answer", enc.Encode(v))
}

// print prints text.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.out, text)
	return cannot("print the answer", err)
}

// note tells the user something beside the answer.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// array makes an empty JSON array of nothing.
func array[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// table is text in columns.
type table struct {
	rows   [][]string
	widths []int // of what was printed before
	all    bool  // a column without content is shown, too
}

func newTable(head ...string) *table {
	return &table{rows: [][]string{head}, widths: make([]int, len(head))}
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// String aligns the columns, two blanks apart. A column without any content
// below its head is left out.
func (t *table) String() string { return t.text(true) }

// text is String, perhaps without the head, which then has been printed before.
// No column gets narrower than it was.
func (t *table) text(head bool) string {
	for i, r := range t.rows {
		for j, c := range r {
			if i > 0 && c != "" {
				t.widths[j] = max(t.widths[j], utf8.RuneCountInString(c))
			}
		}
	}
	var b strings.Builder
	for i, r := range t.rows {
		if i == 0 && !head {
			continue
		}
		line := ""
		for j, c := range r {
			if t.widths[j] == 0 && !t.all {
				continue
			}
			width := max(t.widths[j], utf8.RuneCountInString(t.rows[0][j]))
			line += c + strings.Repeat(" ", width-utf8.RuneCountInString(c)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// terminal reports whether w is a terminal on which a line can be drawn anew.
func (a *app) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || a.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What is printed as it comes is what would be printed at once.
func TestListsAsTheyCome(t *testing.T) {
	t.Parallel()
	type entry struct {
		N    int            `json:"n"`
		Text string         `json:"text"`
		In   map[string]any `json:"in"`
	}
	for _, n := range []int{0, 1, 2, blockRows, blockRows + 1, 3*blockRows + 7} {
		var out bytes.Buffer
		a := testApp()
		a.out = &out
		entries, table := []entry{}, newTable("N", "TEXT", "EMPTY", "LATE")
		j, r := &jsonList{a: a}, &rowList{a: a, table: newTable("N", "TEXT", "EMPTY", "LATE")}
		for i := range n {
			late := ""
			if i > blockRows {
				late = "now"
			}
			e, row := entry{i, "<a & b>", map[string]any{"x": []any{i, nil}}}, []string{fmt.Sprint(i), strings.Repeat("x", i/blockRows), "", late}
			entries = append(entries, e)
			table.row(row...)
			if err := j.add(e, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.end(); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		out.Reset()
		if err := a.document(entries); err != nil || got != out.String() {
			t.Errorf("%d entries as JSON:\n%.200s\nwant:\n%.200s", n, got, out.String())
		}
		out.Reset()
		for _, row := range table.rows[1:] {
			before := out.Len()
			if err := r.add(nil, row); err != nil {
				t.Fatal(err)
			}
			if len(r.table.rows) > blockRows+1 || out.Len() == before && len(r.table.rows) < 2 {
				t.Fatalf("%d rows are kept", len(r.table.rows))
			}
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		got = out.String()
		if n <= blockRows {
			if got != table.String() {
				t.Errorf("%d rows:\n%s\nwant:\n%s", n, got, table)
			}
			continue
		}
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if len(lines) != n+1 || lines[0] != "N    TEXT  EMPTY  LATE" {
			t.Fatalf("%d rows are %d lines, the first is %q", n, len(lines), lines[0])
		}
		for i, line := range lines[1:] {
			if f := strings.Fields(line); f[0] != fmt.Sprint(i) || strings.HasSuffix(line, "now") != (i > blockRows) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
	}
}

// A list that a failure cuts short is no JSON document.
func TestListCutShort(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := testApp()
	a.out = &out
	l := &jsonList{a: a}
	if err := l.add(1, nil); err != nil || json.Valid(out.Bytes()) {
		t.Errorf("%q, %v", out.String(), err)
	}
}

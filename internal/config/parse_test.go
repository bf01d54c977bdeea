package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestSyntaxPlace holds the place of a YAML fault, which the library does not
// tell, in files where looking for it is not easy.
func TestSyntaxPlace(t *testing.T) {
	t.Parallel()
	long := func(n int) string {
		var b strings.Builder
		b.WriteString("tags:\n")
		for i := range n {
			fmt.Fprintf(&b, "  line/tag%d: {connection: plc1,\n    address: \"holding:%d\",\n    type: uint16}\n", i, i)
		}
		return b.String()
	}
	for name, test := range map[string]struct {
		text      string
		line, col int
	}{
		"first character":         {"@", 1, 1},
		"last character":          {"a: b\nc: d\ne: [", 3, 4},
		"closing bracket":         {"a: b]\nc: ]\n", 2, 4},
		"after lists of lines":    {"a: [1,\n  2,\n  3]\nb: [1,\n  2]\nc: d: e\n", 6, 5},
		"never closed list":       {"a: 1\nb: [1,\n  2,\n  3\nc: 1\nd: 2\n", 2, 4},
		"after a text of lines":   {"a: |\n  one: two: three\n  [\nb: 'x\n  y'\nc: %d\n", 6, 4},
		"beyond umlauts":          {"a: äöü\näöü: äöü: c\n", 2, 9},
		"CRLF":                    {"a: b\r\nc: d: e\r\n", 2, 5},
		"control character":       {"a: b\nc: \x01\n", 2, 4},
		"escape":                  {"a: b\nc: \"\\q\"\n", 2, 4},
		"long file, at its end":   {long(2000) + "x: [\n", 6002, 4},
		"long file, in the midst": {long(1000) + "x: y: z\n" + long(1000), 3002, 5},
		"long list, never closed": {long(500) + "x: [1,\n" + strings.Repeat("  2,\n", 2000) + "y: 3\n", 1502, 4},
		"one long line":           {"a: [" + strings.Repeat("1, ", 3000) + "}\n", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, f := parse("f", []byte(test.text))
			if f == nil {
				t.Fatal("no fault")
			}
			if f.Line != test.line || f.Col != test.col {
				t.Errorf("got %s, want %d:%d", f, test.line, test.col)
			}
			if strings.Contains(f.Message, "line ") {
				t.Errorf("the library's own line is in the message: %s", f.Message)
			}
		})
	}
}

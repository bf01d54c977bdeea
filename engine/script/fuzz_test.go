package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad loads any text: it must not panic, nor hang, nor place a fault
// outside of the file; and preparing must not move a line.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.star", "testdata/seed/*.star"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	for _, text := range []string{
		"@\r\n@x\rdef f(): ...\n", "'''", "x = [l for l in (lambda: 1,)]; y += x[:2] * 3 % (1 << 2)\n", "\\", "from a import (b as c,\n", "import a.b as\n",
		"\"\xff\" @ \x00", "f(*[x for x in y], **{k: v for k, v in z})\nd[a + b] |= c - d\n(a, [b, c.d]) = e\n", "if x:\n\tpass\n        @y\n",
		"while n < 5:\n    n += 1\nx = \"%s\" % n\n",
	} {
		f.Add(text)
	}
	front := newPlant().front(f, Options{MaxSteps: 10_000, MaxMemory: 1 << 20})
	f.Fuzz(func(t *testing.T, text string) {
		p := prepare("x.star", text, options())
		if got, want := lines(p.text), lines(text); got != want {
			t.Fatalf("%q has %d lines, prepared %d: %q", text, want, got, p.text)
		}
		u := newLibrary(front, map[string][]byte{"x.star": []byte(text)}).load("x.star")
		for _, ft := range u.faults {
			if ft.File != "x.star" || ft.Line > lines(text) || ft.Message == "" || strings.Contains(ft.Message, "internal error") {
				t.Fatalf("%q has the fault %+v", text, ft)
			}
		}
		if len(u.faults) == 0 {
			again, err := front.unit(u.bundle)
			if err != nil || len(again.workflows) != len(u.workflows) {
				t.Fatalf("%q does not load from its bundle: %v", text, err)
			}
		}
	})
}

func lines(s string) int {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Count(s, "\n") + strings.Count(s, "\r") + 1
}

package script

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var wantLine = regexp.MustCompile(`(?m)^# want: (.*)$`)

// TestBadFiles loads files with faults, each alone, and compares all faults
// with what the file says that it wants, "LINE:COL: message" a line.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.star")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".star"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, m := range wantLine.FindAllStringSubmatch(string(text), -1) {
				want = append(want, m[1])
			}
			ws, faults := newPlant().front(t, Options{MaxSteps: 100_000}).LoadDir(writeFiles(t, map[string]string{"x.star": string(text)}))
			if len(ws) > 0 {
				t.Errorf("it gave workflows: %v", ws[0].Name)
			}
			var got []string
			for _, f := range faults {
				if filepath.Base(f.File) != "x.star" {
					t.Errorf("fault names file %s", f.File)
				}
				got = append(got, fmt.Sprintf("%d:%d: %s", f.Line, f.Col, f.Message))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got:\n# want: %s\nwant:\n# want: %s", strings.Join(got, "\n# want: "), strings.Join(want, "\n# want: "))
			}
		})
	}
}

package script

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPassedOver sees that what editors and file managers leave behind is no
// workflow, and that each such name is told with its reason.
func TestPassedOver(t *testing.T) {
	t.Parallel()
	broken := "def (\n" // were it loaded, it would be a fault
	dir := writeFiles(t, map[string]string{
		"good.star":                "@workflow\ndef good(): pass\n",
		"line-1.v2/größe_2.star":   "@workflow\ndef sub(): pass\n",
		"foo.bak.star":             "@workflow\ndef bak(): pass\n",
		"README.md":                "no workflow, and not said",
		".gitignore":               "*.star~",
		".hidden.star":             broken,
		"._mac.star":               broken,
		".foo.star.swp":            broken,
		"#foo.star#":               broken,
		"#foo.star":                broken,
		"foo.star~":                broken,
		"foo~.star":                "@workflow\ndef tilde(): pass\n",
		"foo.star.bak":             broken,
		"foo.STAR":                 broken,
		"copy of foo.star":         broken,
		"foo (copy).star":          broken,
		"foo\u00a0- Kopie.star":    broken,
		".git/hooks/a.star":        broken,
		"old~/a.star":              broken,
		"line (copy)/a.star":       broken,
		"line-1.v2/.deep/sub/a.md": broken,
	})
	if err := os.Symlink("eva@box.1234:1690000000", filepath.Join(dir, ".#lock.star")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("line-1.v2", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	ws, faults := newPlant().front(t, Options{}).LoadDir(dir)
	var names []string
	for _, w := range ws {
		names = append(names, w.Name)
	}
	if len(faults) > 0 || !slices.Equal(names, []string{"bak", "good", "sub", "tilde"}) {
		t.Errorf("got %q, %v", names, faults)
	}
	got := map[string]string{}
	for _, p := range PassedOver(dir) {
		name, err := filepath.Rel(dir, p.Path)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = p.Why
	}
	want := map[string]string{
		".hidden.star":          `its name begins with "."`,
		"._mac.star":            `its name begins with "."`,
		".foo.star.swp":         `its name begins with "."`,
		".#lock.star":           `its name begins with "."`,
		".git":                  `its name begins with "."`,
		"line-1.v2/.deep":       `its name begins with "."`,
		"#foo.star#":            `its name begins with "#"`,
		"#foo.star":             `its name begins with "#"`,
		"foo.star~":             `its name ends with "~"`,
		"old~":                  `its name ends with "~"`,
		"copy of foo.star":      `its name holds a space`,
		"foo (copy).star":       `its name holds a space`,
		"foo\u00a0- Kopie.star": `its name holds a space`,
		"line (copy)":           `its name holds a space`,
		"foo.star.bak":          `its name does not end with ".star"`,
		"foo.STAR":              `its name does not end with ".star"`,
		"linked":                `it is a link to a folder, which is not followed`,
	}
	for name, why := range want {
		if got[name] != why {
			t.Errorf("%s: %q, want %q", name, got[name], why)
		}
		delete(got, name)
	}
	for name, why := range got {
		t.Errorf("%s is passed over: %s", name, why)
	}
}

// TestLoadOfPassedOver: what loads a file that was passed over is told why.
func TestLoadOfPassedOver(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	dir := writeFiles(t, map[string]string{
		"a.star":            "load(\"lib/my units.star\", \"x\")\n",
		"b.star":            "load(\".lib/units.star\", \"x\")\n",
		"lib/my units.star": "x = 1\n",
		".lib/units.star":   "x = 1\n",
	})
	_, faults := f.LoadDir(dir)
	var got []string
	for _, ft := range faults {
		got = append(got, strings.TrimPrefix(ft.Error(), dir+string(filepath.Separator)))
	}
	want := []string{
		`a.star:1:6: cannot load lib/my units.star: "my units.star" is passed over, as its name holds a space`,
		`b.star:1:6: cannot load .lib/units.star: ".lib" is passed over, as its name begins with "."`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPinnedName: a source that was pinned before such names were passed over
// is loaded all the same.
func TestPinnedName(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	files := map[string][]byte{
		"my line.star": []byte("load(\".units.star\", \"x\")\n@workflow\ndef w(): return x\n"),
		".units.star":  []byte("x = 1\n"),
	}
	u := newLibrary(f, files).load("my line.star")
	if len(u.faults) > 0 {
		t.Fatal(u.faults)
	}
	if _, err := f.Load(u.bundle, "w"); err != nil {
		t.Error(err)
	}
}

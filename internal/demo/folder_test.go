package demo

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/configs"
	"holdfast/gateway/tag"
	"holdfast/internal/app"
	"holdfast/internal/config"
)

// A file of the demo's is kept up to date until its user has changed it.
func TestPut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(text string, wantOwn bool, want string) {
		t.Helper()
		f, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		own, err := f.put("holdfast.yaml", []byte(text))
		if err == nil {
			err = f.remember()
		}
		if err != nil || own != wantOwn {
			t.Fatalf("put says %v, %v", own, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "holdfast.yaml"))
		if err != nil || string(got) != want {
			t.Errorf("the file holds %q, %v, want %q", got, err, want)
		}
	}
	put("one", false, "one")
	put("two", false, "two")
	if err := os.WriteFile(filepath.Join(dir, "holdfast.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	put("three", true, "mine")
	put("mine", false, "mine")
	if err := os.Remove(filepath.Join(dir, "holdfast.yaml")); err != nil {
		t.Fatal(err)
	}
	put("four", false, "four")
}

func TestFolderIsOneDemos(t *testing.T) {
	t.Parallel()
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.lock(); err == nil || !strings.HasSuffix(err.Error(), "another demo is at work there") {
		t.Errorf("a second demo: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = f.lock(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultFolder(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	f, err := openFolder("")
	if err != nil || f.dir != filepath.Join(cache, "holdfast-demo") {
		t.Errorf("got %+v, %v", f, err)
	}
	if err := os.WriteFile(f.path("demo.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(""); err == nil || !strings.Contains(err.Error(), "demo.json: unexpected end") {
		t.Errorf("a broken memory: %v", err)
	}
}

func TestSocketPath(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	at := func(dir string) string {
		t.Helper()
		s, err := (&folder{dir: dir}).socket()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := at("/home/eva/.cache/holdfast-demo"); got != "/home/eva/.cache/holdfast-demo/holdfast.sock" {
		t.Errorf("got %s", got)
	}
	long, other := "/"+strings.Repeat("d", 100), "/"+strings.Repeat("e", 100)
	if got := at(long); !strings.HasPrefix(got, os.TempDir()) || got == at(other) || got != at(long) {
		t.Errorf("got %s", got)
	}
	if err := os.Chmod(filepath.Dir(at(long)), 0o755); err != nil {
		t.Fatal(err)
	}
	if s, err := (&folder{dir: long}).socket(); err == nil || !strings.Contains(err.Error(), "not a folder of yours alone") {
		t.Errorf("a folder that others may enter: %q, %v", s, err)
	}
}

func TestCommandFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ exe, arg0, want string }{
		{"/tmp/go-build123/b001/exe/holdfast", "/tmp/go-build123/b001/exe/holdfast", "go run ./cmd/holdfast"},
		{"/usr/bin/holdfast", "holdfast", "holdfast"},
		{"/home/eva/bin/holdfast", "./holdfast", "/home/eva/bin/holdfast"},
	} {
		if got := commandFor(c.exe, c.arg0); got != c.want {
			t.Errorf("%s started as %s: got %q, want %q", c.exe, c.arg0, got, c.want)
		}
	}
}

// The configuration that the demo writes, and the one that is shipped, have no
// faults, and have every tag that an example names.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPlant(f.path("plant.json"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if changed, err := f.fill(p, "holdfast.sock"); err != nil || len(changed) != 0 {
		t.Fatalf("changed %v, %v", changed, err)
	}
	shipped := filepath.Join("..", "..", "configs", "holdfast.yaml")
	for _, file := range []string{f.path("holdfast.yaml"), shipped} {
		var out strings.Builder
		faults, err := app.Check(file, true, &out)
		if err != nil || len(faults) > 0 {
			t.Errorf("%s: %q, %v", file, faults, err)
		}
		cfg, _ := config.Load(file, nil)
		known := map[tag.Path]bool{}
		for _, tg := range cfg.Tags {
			known[tg.Path] = true
		}
		for _, path := range tagsOfExamples(t) {
			if !known[path] {
				t.Errorf("%s lacks %s, which an example names", file, path)
			}
		}
	}
}

func tagsOfExamples(t *testing.T) (paths []tag.Path) {
	t.Helper()
	files, err := configs.Workflows()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range files {
		text, err := configs.Workflow(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"((?:filler|press|line)/[a-z_/]+)"`).FindAllSubmatch(text, -1) {
			paths = append(paths, tag.Path(m[1]))
		}
	}
	if len(paths) < 10 {
		t.Fatalf("found only %q", paths)
	}
	return paths
}

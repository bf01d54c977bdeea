package demo

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/engine/script"
	"holdfast/internal/app"
	"holdfast/steps"
)

// blocks returns the fenced blocks of a language in a page of the documentation.
func blocks(t *testing.T, page, language string) (texts []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```\n").FindAllSubmatch(b, -1) {
		texts = append(texts, string(m[1]))
	}
	if len(texts) == 0 {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return texts
}

func writeAll(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The configuration that docs/configure.md builds has no faults, step by step.
func TestDocsConfigure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	yaml, stars := blocks(t, "configure.md", "yaml"), blocks(t, "configure.md", "python")
	if len(yaml) != 2 || len(stars) != 1 {
		t.Fatalf("the page has %d configurations and %d workflows", len(yaml), len(stars))
	}
	for _, files := range []map[string]string{
		{"holdfast.yaml": yaml[0], "workflows/none.star": ""}, {"conf.d/press.yaml": yaml[1]}, {"workflows/blink.star": stars[0]},
	} {
		writeAll(t, dir, files)
		if faults, err := app.Check(filepath.Join(dir, "holdfast.yaml"), true, io.Discard); err != nil || len(faults) > 0 {
			t.Errorf("%q, %v", faults, err)
		}
	}
}

// All listings of docs/author.md load.
func TestDocsAuthor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	texts := blocks(t, "author.md", "python")
	for i, text := range texts {
		writeAll(t, dir, map[string]string{string(rune('a'+i)) + ".star": text})
	}
	dbs, err := steps.NewDatabases()
	if err != nil {
		t.Fatal(err)
	}
	lib, err := steps.All(steps.Config{Databases: dbs})
	if err != nil {
		t.Fatal(err)
	}
	front, err := script.New(script.Options{Steps: lib})
	if err != nil {
		t.Fatal(err)
	}
	wfs, faults := front.LoadDir(dir)
	if len(faults) > 0 || len(wfs) != len(texts) {
		t.Errorf("%d workflows of %d listings, faults %v", len(wfs), len(texts), faults)
	}
	if warnings := front.Warnings(dir); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	// The table of steps names every one with its parameters.
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "author.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range lib {
		call := s.Name() + "("
		for i, p := range s.Params() {
			if i > 0 {
				call += ", "
			}
			call += p.Name
		}
		plain := regexp.MustCompile(`=(None|\d+)`).ReplaceAllString(string(page), "")
		if !strings.Contains(plain, call+")") {
			t.Errorf("author.md does not have %s)", call)
		}
	}
}

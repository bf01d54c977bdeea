package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/cli"
)

// corpus has one bad configuration a file, or a folder where it takes several
// files. The first line of each says the fault: "# want: LINE:COL: …".
const corpus = "../../internal/config/testdata/bad"

// TestCheckCorpus runs check and serve on each bad configuration: exit code 78,
// the fault where it is and in its exact words, and nothing opened or written.
func TestCheckCorpus(t *testing.T) {
	t.Parallel()
	before := tree(t, corpus)
	var files []string
	for name := range before {
		if filepath.Ext(name) == ".yaml" && (filepath.Dir(name) == "." || filepath.Base(name) == "holdfast.yaml") {
			files = append(files, name)
		}
	}
	if len(files) < 60 {
		t.Fatalf("the corpus has %d configurations, want 60 or more", len(files))
	}
	for _, name := range files {
		file := filepath.Join(corpus, name)
		first, _, _ := strings.Cut(before[name], "\n")
		want, ok := strings.CutPrefix(first, "# want: ")
		if !ok {
			t.Fatalf("%s does not begin with # want:", file)
		}
		for _, verb := range []string{"check", "serve"} {
			var stdout, stderr bytes.Buffer
			code := cli.Run(t.Context(), []string{verb, "--config", file}, strings.NewReader(""), &stdout, &stderr, deps())
			if code != 78 || stdout.Len() > 0 {
				t.Errorf("%s %s: exit code %d, want 78; standard output: %s", verb, name, code, &stdout)
			}
			if faults := shortened(file, stderr.String()); !strings.Contains(faults, "\n"+want+"\n") {
				t.Errorf("%s %s, want:\n\t%s\ngot:%s", verb, name, want, faults)
			}
		}
	}
	for name, text := range tree(t, corpus) {
		if was, ok := before[name]; !ok || was != text {
			t.Errorf("%s has been made or changed", name)
		}
	}
}

// shortened is what was said of a file, with names as the corpus has them:
// without the folder, and without the file's own.
func shortened(file, said string) string {
	said = "\n" + strings.ReplaceAll(said, filepath.Dir(file)+"/", "")
	return strings.ReplaceAll(said, "\n"+filepath.Base(file)+":", "\n")
}

// tree returns the texts of all files below a folder, by their paths; folders
// have the text "folder", and what is neither, such as a socket, its mode.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			all[name] = "folder"
		case !d.Type().IsRegular():
			all[name] = d.Type().String()
		default:
			text, err := os.ReadFile(path)
			all[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

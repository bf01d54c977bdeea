package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/script"
	"holdfast/journal"
)

// workflowFile writes a file into the workflows folder of a configuration.
func workflowFile(t testing.TB, config, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(config), "workflows", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A faulty workflow file keeps the daemon from starting, and nothing is made,
// but where the journal has a live run.
func TestFaultyFileAtStart(t *testing.T) {
	t.Parallel()
	path := folder(t, simple)
	data := filepath.Join(filepath.Dir(path), "data")
	workflowFile(t, path, "half.star", "def (\n")
	var bad *BadConfig
	err := Serve(t.Context(), Options{ConfigPath: path, Stderr: os.Stderr})
	if !errors.As(err, &bad) || len(bad.Faults) != 1 || !strings.Contains(bad.Faults[0], "half.star:1:6: ") {
		t.Fatalf("got %v, %+v", err, bad)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder: %v", err)
	}

	if err := os.Mkdir(data, 0o750); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(data, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = j.Writer().Commit(journal.Change{Run: 1, Start: &journal.Header{Run: 1, ID: "one"}})
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.mayStart(); err != nil || len(in.files) != 1 {
		t.Errorf("with a live run: %v, faults %v", err, in.files)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(simple, "int16", "int17", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if in, err = load(path); err != nil {
		t.Fatal(err)
	}
	if err := in.mayStart(); !errors.As(err, &bad) || len(bad.Faults) != 2 {
		t.Errorf("with a live run and a faulty configuration: %v", err)
	}
}

// A file must not take the name of a workflow in Go.
func TestNameOfGoWorkflow(t *testing.T) {
	t.Parallel()
	path := folder(t, simple)
	workflowFile(t, path, "a.star", "\n@workflow(name=\"holdfast.selftest\")\ndef a(): pass\n")
	faults, err := Check(path, false, &bytes.Buffer{})
	want := `workflow "holdfast.selftest" is already defined in the program, at internal/app/selftest.go`
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0], "/workflows/a.star:3: "+want) {
		t.Errorf("got %q, %v", faults, err)
	}
}

func TestNotLoadedLines(t *testing.T) {
	t.Parallel()
	got := notLoaded([]script.Fault{{File: "a", Line: 1, Col: 2, Message: "x"}, {File: "a", Line: 3, Col: 4, Message: "y"}, {File: "b", Message: "z"}})
	if want := []string{"a:1:2: x (and 1 more fault)", "b: z"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

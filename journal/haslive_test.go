package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// files returns the content of a journal's files but the lock.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestHasLive: whether there are live runs is told without a change.
func TestHasLive(t *testing.T) {
	t.Parallel()
	ask := func(dir string, want bool) {
		t.Helper()
		before := files(t, dir)
		got, err := HasLive(dir)
		if err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		after := files(t, dir)
		if len(after) != len(before) {
			t.Errorf("files were %d, are %d", len(before), len(after))
		}
		for name, b := range before {
			if !bytes.Equal(after[name], b) {
				t.Errorf("%s was changed", name)
			}
		}
	}
	if got, err := HasLive(filepath.Join(t.TempDir(), "none")); err != nil || got {
		t.Errorf("without a folder: %v, %v", got, err)
	}
	empty := t.TempDir()
	ask(empty, false)
	if _, err := os.Stat(filepath.Join(empty, lockName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock in a folder without a journal: %v", err)
	}

	j := open(t, Options{})
	if _, err := HasLive(j.dir); !errors.Is(err, ErrLocked) {
		t.Errorf("of an open journal: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ask(j.dir, false)
	j = reopen(t, j, Options{})
	commit(t, j, begin(1, "one"), record(1, 1, "x"), begin(2, "two"), Change{Run: 1, End: []byte("over")})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ask(j.dir, true)
	j = reopen(t, j, Options{})
	commit(t, j, Change{Run: 2, End: []byte("over")})
	if err := j.Close(); err != nil { // before or after it has moved to the history
		t.Fatal(err)
	}
	ask(j.dir, false)
}

// TestHasLiveDoubt: where a live run may have been, it is for Open to say.
func TestHasLiveDoubt(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"gone":    os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"damaged": func(path string) error { return os.Truncate(path, 5000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(filepath.Join(dir, liveName)); err != nil {
				t.Fatal(err)
			}
			if got, err := HasLive(dir); err != nil || !got {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

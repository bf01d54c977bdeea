package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/cli"
	"holdfast/internal/control/controltest"
	"holdfast/journal"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	dir := t.TempDir()
	file := filepath.Join(dir, "b")
	hf(t, d.Socket, "journal", "backup", file).want(t, 0, file+": 0 live runs and those that have ended, as of 2", "")
	isBackup(t, file)
	// It takes the place of one that is there, and behind a link.
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink(file, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	var said struct {
		File, Journal string
		Bytes         int64
	}
	hf(t, d.Socket, "journal", "backup", filepath.Join(dir, "link"), "-o", "json").want(t, 0, `"frame": `, "").decode(t, &said)
	if info := isBackup(t, file); said.File != filepath.Join(dir, "link") || said.Journal != info.Journal || said.Bytes != info.Bytes {
		t.Errorf("said %+v, is %+v", said, info)
	}
	r := hf(t, d.Socket, "journal", "backup", "-").want(t, 0, "holdfast backup\n", "-: 0 live runs and those that have ended, ")
	if _, err := journal.ReadBackup(strings.NewReader(r.out)); err != nil {
		t.Error(err)
	}
	hf(t, d.Socket, "journal", "backup", "-", "-o", "json").want(t, 2, "", "name a FILE, or leave out -o json")
	hf(t, d.Socket, "journal", "backup").want(t, 2, "", "hint: usage: holdfast journal backup FILE\n")
	hf(t, d.Socket, "journal", "backup", dir).want(t, 1, "", "is not a file, and is not replaced by one")
	hf(t, d.Socket, "journal", "backup", filepath.Join(dir, "none", "b")).want(t, 1, "", "no such file or directory")
	hf(t, filepath.Join(dir, "s"), "journal", "backup", file).want(t, 3, "", "no daemon listens")
	hf(t, d.Socket, "journal", "bakup").want(t, 2, "", "did you mean holdfast journal backup?")
	onlyFiles(t, dir, "b", "link")
}

// TestBackupThatFails: no part of a backup is left, and a file that was there
// stays as it was.
func TestBackupThatFails(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	dir := t.TempDir()
	file := filepath.Join(dir, "b")
	if err := os.WriteFile(file, []byte("the old one"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.FailBackups(func(_ context.Context, w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 1<<18))
		return errors.Join(err, errors.New("page 7 is damaged"))
	})
	hf(t, d.Socket, "journal", "backup", file).want(t, 1, "", "holdfast: cannot back up the journal: page 7 is damaged\n")
	if b, err := os.ReadFile(file); err != nil || string(b) != "the old one" {
		t.Errorf("the file is %q, %v", b, err)
	}
	onlyFiles(t, dir, "b")
	begun := make(chan struct{})
	d.FailBackups(func(ctx context.Context, w io.Writer) error {
		_, err := w.Write([]byte("x"))
		close(begun)
		<-ctx.Done()
		return err
	})
	b := goRun(t, d.Socket, "journal", "backup", file)
	<-begun
	b.interrupt()
	b.ends(t, 1)
	if !strings.Contains(b.err.String(), "cannot back up the journal: interrupted\n") {
		t.Errorf("it says %s", b.err)
	}
	onlyFiles(t, dir, "b")
}

func isBackup(t *testing.T, file string) journal.BackupInfo {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := journal.ReadBackup(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

// TestStoppedJournal: the verbs on a stopped daemon's journal need no daemon, and
// say what came of it.
func TestStoppedJournal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := deps("/nowhere")
	report := cli.JournalReport{Dir: "/data", Sentences: []string{"one\nthing", "another"}, Interrupted: true,
		Runs: []cli.JournalDoubt{{ID: "r1", What: "w"}}}
	d.Journal.Check = func(path string) (cli.JournalReport, error) {
		switch {
		case strings.Contains(path, "busy"):
			return cli.JournalReport{}, &cli.InUse{Cause: errors.New("in use by another process: process 7")}
		case strings.Contains(path, "bad"):
			return cli.JournalReport{}, &cli.BadConfig{Faults: []string{"bad.yaml:1:1: fault"}}
		case strings.Contains(path, "clean"):
			return cli.JournalReport{Dir: "/data", Clean: true}, nil
		}
		return report, nil
	}
	d.Journal.Salvage = d.Journal.Check
	d.Journal.Restore = func(path string, backup io.ReadSeeker) (cli.JournalReport, error) {
		if b, err := io.ReadAll(backup); err != nil || string(b) != "content" {
			t.Errorf("the backup is %q, %v", b, err)
		}
		return d.Journal.Check(path)
	}
	do := func(args ...string) result { return runIn(t.Context(), d, "", append([]string{"journal"}, args...)...) }
	text := "one; thing\nanother\nit was not closed in order, which alone loses nothing\n"
	do("check").want(t, 1, text, "holdfast: cannot find the journal in order: 2 findings\nhint: ")
	do("check", "--config", "clean").want(t, 0, "the journal in /data is in order\n", "")
	do("check", "-o", "json").want(t, 1, `"sentences": [`, "2 findings")
	var r cli.JournalReport
	do("check", "-o", "json", "--config", "clean").want(t, 0, `"runs": []`, "").decode(t, &r)
	if !r.Clean || r.Dir != "/data" {
		t.Errorf("report %+v", r)
	}
	do("salvage").want(t, 0, text, "")
	do("salvage", "-o", "json").want(t, 0, `"id": "r1"`, "")
	do("restore", file).want(t, 0, text, "")
	do("restore", file+"x").want(t, 1, "", "no such file or directory")
	do("restore").want(t, 2, "", "an argument is missing")
	for _, args := range [][]string{{"check"}, {"salvage"}, {"restore", file}} {
		do(append(args, "--config", "busy")...).want(t, 75, "", "in use by another process: process 7\nhint: stop the daemon first (systemctl stop holdfast)\n")
		do(append(args, "--config", "bad")...).want(t, 78, "", "bad.yaml:1:1: fault\n")
	}
}

package journal

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockedInOneProcess(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	if _, err := Open(j.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("Open: got %v, want ErrLocked", err)
	}
	if _, err := Check(j.dir); !errors.Is(err, ErrLocked) {
		t.Errorf("Check: got %v, want ErrLocked", err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), loadVariable+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it is at work
		t.Fatal(err)
	}
	_, err = Open(dir, Options{})
	if kerr := cmd.Process.Kill(); kerr != nil {
		t.Fatal(kerr)
	}
	if werr := cmd.Wait(); werr == nil {
		t.Error("the process ended by itself")
	}
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "in use by another process: process ") {
		t.Errorf("got %v, want ErrLocked and a process number", err)
	}
	openIn(t, dir, Options{})
}

// closedJournal makes a journal with one live and one ended run, and closes it.
func closedJournal(t *testing.T) string {
	t.Helper()
	j := open(t, Options{MoveWithin: time.Hour})
	commit(t, j, begin(1, "lives"), begin(2, "ended"), record(2, 1, "x"), Change{Run: 2, End: []byte("end")})
	moved(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return j.dir
}

// A journal that is gone is never replaced by a new one without a word.
func TestFilesThatAreGone(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"removed": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
	} {
		for _, file := range []string{liveName, historyName} {
			t.Run(file+" "+name, func(t *testing.T) {
				t.Parallel()
				// A folder of its own, for the check at the end of the other is of its own.
				dir := filepath.Join(t.TempDir(), "copy")
				if err := os.CopyFS(dir, os.DirFS(closedJournal(t))); err != nil {
					t.Fatal(err)
				}
				if err := damage(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
				_, err := Open(dir, Options{})
				want := file + " is missing or empty, but journal.marker says that a journal was here: restore the files from a backup (holdfast journal restore), " +
					"or have what is left put together (holdfast journal salvage), or, to give up every run and begin anew, move all files away from " + dir
				if err == nil || !strings.HasSuffix(err.Error(), want) {
					t.Fatalf("got  %v\nwant …%s", err, want)
				}
				if r, err := Check(dir); err != nil || r.Clean {
					t.Errorf("check: %+v, %v", r, err)
				}
				// What the error names does help.
				if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
					t.Fatal(err)
				}
				j := openIn(t, dir, Options{})
				commit(t, j, begin(j.NextRun(), "anew"))
			})
		}
	}
}

func TestMarkerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "nonsense", "holdfast journal 2\nid 00112233445566778899aabbccddeeff\nclosed frame 3 history 3\ncrc 00000000\n"} {
		dir := closedJournal(t)
		if err := os.WriteFile(filepath.Join(dir, markerName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		j := openIn(t, dir, Options{})
		if r := j.Report(); !r.Clean || !r.Interrupted {
			t.Errorf("marker %q: report %+v", content, r)
		}
		if r := load(t, j, 1); r.Header.ID != "lives" {
			t.Errorf("marker %q: run 1 is %+v", content, r)
		}
	}
}

func TestLaterVersion(t *testing.T) {
	t.Parallel()
	rewrite := func(file string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			s, err := openBolt(filepath.Join(dir, file), false, 0)
			if err != nil {
				t.Fatal(err)
			}
			key := []byte(keyFormat)
			value := append(make([]byte, sealLen), binary.BigEndian.AppendUint32(nil, formatVersion+1)...)
			seal(key, value, 1)
			if err := errors.Join(s.Commit([]op{{opPut, key, value}}), s.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, change := range map[string]func(t *testing.T, dir string){
		"marker": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, markerName), []byte("holdfast journal 3\nsomething new\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		liveName:    rewrite(liveName),
		historyName: rewrite(historyName),
		// A damaged file of a later version is not mended by this one.
		"damaged": func(t *testing.T, dir string) {
			rewrite(liveName)(t, dir)
			damageFile(t, filepath.Join(dir, liveName), func(b []byte) []byte {
				b[pageHeaderLen+5] ^= 1
				b[pageSize+pageHeaderLen+5] ^= 1
				return b
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(closedJournal(t))); err != nil {
				t.Fatal(err)
			}
			change(t, dir)
			before := listing(t, dir)
			_, err := Open(dir, Options{})
			if !errors.Is(err, ErrVersion) {
				t.Errorf("Open: got %v, want ErrVersion", err)
			}
			if after := listing(t, dir); before != after {
				t.Errorf("Open left %s; there was %s", after, before)
			}
			if _, err := Check(dir); name != "damaged" && !errors.Is(err, ErrVersion) {
				t.Errorf("Check: got %v, want ErrVersion", err)
			}
		})
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func damageFile(t testing.TB, path string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What a crash while a file was being made has left does not hinder.
func TestLeftoverOfACreation(t *testing.T) {
	t.Parallel()
	dir := closedJournal(t)
	for _, name := range []string{liveName, historyName, markerName} {
		if err := os.WriteFile(filepath.Join(dir, name+newSuffix), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j := openIn(t, dir, Options{})
	if r := load(t, j, 2); string(r.End) != "end" {
		t.Errorf("run 2 is %+v", r)
	}
	if l := listing(t, dir); strings.Contains(l, newSuffix) {
		t.Errorf("left: %s", l)
	}
}

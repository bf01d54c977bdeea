package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// closedHistory makes a closed journal of the changes of lives(). All of them
// are in the log, too, or the log is empty.
func closedHistory(t *testing.T, inLog bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir, Options{LogBytes: 1, MoveWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		j.NextRun()
	}
	commit(t, j, lives()...)
	moved(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if !inLog {
		forgetLog(t, dir)
	}
	return dir
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func salvage(t *testing.T, dir string) (*Journal, Report) {
	t.Helper()
	r, err := Salvage(dir, Options{LogBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return openIn(t, dir, Options{}), r
}

func saysOne(t *testing.T, r Report, want ...string) {
	t.Helper()
	all := strings.Join(r.Sentences, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("the report does not say %q, but\n%s", w, all)
		}
	}
}

// shuffle changes the files of a journal as somebody might.
func shuffle(t *testing.T, dir string, f func(path func(string) string) error) {
	t.Helper()
	if err := f(func(name string) string { return filepath.Join(dir, name) }); err != nil {
		t.Fatal(err)
	}
}

func exchangeFiles(path func(string) string) error {
	return errors.Join(os.Rename(path(liveName), path("x")), os.Rename(path(historyName), path(liveName)), os.Rename(path("x"), path(historyName)))
}

func overwrite(from, to string) func(path func(string) string) error {
	return func(path func(string) string) error {
		b, err := os.ReadFile(path(from))
		if err != nil {
			return err
		}
		return os.WriteFile(path(to), b, 0o600)
	}
}

// TestSalvageInOrder: a journal that is in order is left so.
func TestSalvageInOrder(t *testing.T) {
	t.Parallel()
	dir := closedHistory(t, true)
	j, r := salvage(t, dir)
	if !r.Clean || len(r.Sentences) > 0 || len(r.SetAside) > 0 {
		t.Errorf("report %+v", r)
	}
	same(t, j, model(lives()))
	if _, err := Salvage(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	empty := t.TempDir()
	if _, err := Salvage(empty, Options{}); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("where no journal is: %v", err)
	}
	if left := listing(t, empty); strings.Contains(left, liveName) {
		t.Errorf("a journal was made: %s", left)
	}
}

// TestSalvageMends: what Open mends, Salvage mends in the same way.
func TestSalvageMends(t *testing.T) {
	t.Parallel()
	dir := threeRuns(t)
	flip(t, dir+"/"+liveName, "the middle of run 2")
	j, r := salvage(t, dir)
	if len(r.Damaged) != 1 || r.Damaged[0].Run != 2 || len(r.SetAside) != 1 {
		t.Errorf("report %+v", r)
	}
	noted(t, j)
}

// TestSalvageExchanged: two files that were exchanged lose nothing.
func TestSalvageExchanged(t *testing.T) {
	t.Parallel()
	for _, marked := range []bool{true, false} {
		dir := closedHistory(t, !marked)
		shuffle(t, dir, exchangeFiles)
		if !marked {
			shuffle(t, dir, func(path func(string) string) error { return os.Remove(path(markerName)) })
		}
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrForeign) && marked {
			t.Fatalf("open: %v", err)
		}
		j, r := salvage(t, dir)
		saysOne(t, r, "journal.db was found as history.db", "history.db was found as journal.db", "what was there before is kept as journal.db.before-salvage-")
		if !j.Report().Clean || r.Clean {
			t.Errorf("report %+v, then %+v", r, j.Report())
		}
		same(t, j, model(lives()))
	}
}

// TestSalvageWithoutLive: what the log has is put together, and its runs are
// named; that may be everything, or nothing.
func TestSalvageWithoutLive(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path func(string) string) error{
		"removed":                    func(path func(string) string) error { return os.Remove(path(liveName)) },
		"empty":                      func(path func(string) string) error { return os.Truncate(path(liveName), 0) },
		"overwritten by the history": overwrite(historyName, liveName),
	} {
		for _, inLog := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := closedHistory(t, inLog)
				shuffle(t, dir, lose)
				if _, err := Open(dir, Options{}); err == nil {
					t.Fatal("it was opened")
				}
				j, r := salvage(t, dir)
				saysOne(t, r, "nothing is left of journal.db: live runs were put together from what the log has of them", "lost: journal.db was lost")
				want := model(lives())
				if !inLog {
					delete(want, 1)
					delete(want, 4)
				}
				same(t, j, want)
				heldBy(t, j, want, "journal.db was lost, and what is here of the run comes from the log alone")
				if next := j.NextRun(); next <= runSkip {
					t.Errorf("next run is %d", next)
				}
			})
		}
	}
}

// TestSalvageWithoutHistory: live runs are as they were.
func TestSalvageWithoutHistory(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path func(string) string) error{
		"removed":                      func(path func(string) string) error { return os.Remove(path(historyName)) },
		"overwritten by the live file": overwrite(liveName, historyName),
		"both, and no marker": func(path func(string) string) error {
			return errors.Join(os.Remove(path(historyName)), os.Remove(path(markerName)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := closedHistory(t, true)
			shuffle(t, dir, lose)
			j, r := salvage(t, dir)
			saysOne(t, r, "nothing is left of history.db: the runs that had ended are lost", "runs that ended since then are lost from it")
			want := model(lives())
			delete(want, 2)
			delete(want, 3)
			same(t, j, want)
			if next := j.NextRun(); next <= 4 {
				t.Errorf("next run is %d", next)
			}
		})
	}
}

// TestSalvageLogAlone: of a journal of which only segments of the log are left.
func TestSalvageLogAlone(t *testing.T) {
	t.Parallel()
	dir := closedHistory(t, true)
	shuffle(t, dir, func(path func(string) string) error {
		return errors.Join(os.Remove(path(liveName)), os.Remove(path(historyName)), os.Remove(path(markerName)))
	})
	j, _ := salvage(t, dir)
	want := model(lives())
	delete(want, 2) // they have left for the history, which is lost
	delete(want, 3)
	same(t, j, want)
	heldBy(t, j, want, "journal.db was lost")
}

// TestSalvageForeign: a file of another journal is set aside, and what it stood
// for is lost.
func TestSalvageForeign(t *testing.T) {
	t.Parallel()
	for _, name := range []string{liveName, historyName, wal.Name(0)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, other := closedHistory(t, true), closedJournal(t)
			b, err := os.ReadFile(filepath.Join(other, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); !errors.Is(err, ErrForeign) && !errors.Is(err, wal.ErrForeign) {
				t.Fatalf("open: %v", err)
			}
			j, r := salvage(t, dir)
			saysOne(t, r, name+" is of journal ")
			want := model(lives())
			if name == historyName {
				delete(want, 2)
				delete(want, 3)
			}
			same(t, j, want)
			noted(t, j)
			kept := false
			for _, aside := range r.SetAside {
				if strings.HasPrefix(aside, name+".before-salvage-") {
					was, err := os.ReadFile(filepath.Join(dir, aside))
					kept = err == nil && string(was) == string(b)
				}
			}
			if !kept {
				t.Errorf("it was not kept: %v", r.SetAside)
			}
		})
	}
}

// TestSalvageUnreadable: of files of which nothing says what they are, what can be
// trusted is taken by their names.
func TestSalvageUnreadable(t *testing.T) {
	t.Parallel()
	dir := closedHistory(t, false)
	shuffle(t, dir, func(path func(string) string) error {
		for _, name := range []string{liveName, historyName} {
			damageFile(t, path(name), func(b []byte) []byte { clear(b[:2*pageSize]); return b })
		}
		return os.Remove(path(markerName))
	})
	if _, err := Open(dir, Options{}); !errors.Is(err, errUnreadable) {
		t.Fatalf("open: %v", err)
	}
	j, _ := salvage(t, dir)
	for run := uint64(1); run <= 4; run++ {
		if r, err := j.Load(run); err != nil || r.Header.Run != run {
			t.Errorf("run %d: %v", run, err)
		}
	}
	noted(t, j)
}

// TestCrashWhileSalvaging: wherever the process dies, salvage that is run again
// comes to the same.
func TestCrashWhileSalvaging(t *testing.T) {
	t.Parallel()
	origin := closedHistory(t, false)
	shuffle(t, origin, exchangeFiles)
	shuffle(t, origin, func(path func(string) string) error { return os.Remove(path(wal.Name(1))) })
	crashEverywhere(t, 40, func(f dyingFolder) error {
		dir := copyOf(t, origin)
		f.Folder = disk.At(dir)
		s := &salvager{Journal: unopened(dir, Options{LogBytes: 1, folder: f})}
		err := s.locked(s.rebuild)
		j, _ := salvage(t, dir)
		same(t, j, model(lives()))
		noted(t, j)
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		return err
	})
}

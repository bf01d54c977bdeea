package journal

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// An error that is not want of room, at every operation, alone or with all that
// follow: the journal accepts nothing more, nobody hangs, and a start that can
// write nothing new, only what lies there already, has all that was acknowledged.
func TestDiskErrorAtEachOperation(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(int, error) func(int, bool) error{"for good": from, "once": only} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := 0
			at := 1
			for met := true; met; at++ {
				synctest.Test(t, func(t *testing.T) {
					var ended bool
					met, ended = brokenAt(t, fail(at, syscall.EIO))
					if ended {
						failed++
					}
				})
				if t.Failed() {
					t.Fatalf("at operation %d", at)
				}
			}
			if failed < 50 {
				t.Errorf("the journal failed in %d cases only", failed)
			}
			t.Logf("%d operations failed, in %d of them the journal or its start", at-2, failed)
		})
	}
}

func brokenAt(t *testing.T, fail func(int, bool) error) (met, ended bool) {
	disk, dir := new(tap), t.TempDir()
	disk.set(fail)
	j, err := Open(dir, disk.on(dir))
	if err != nil {
		if !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		disk.set(nil)
		if j, err = Open(dir, disk.on(dir)); err != nil {
			t.Fatalf("a new journal, when the disk is sound: %v", err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return true, true
	}
	l := &ledger{t: t, j: j, waiting: map[chan error]Change{}, cases: new(outcomes)}
	l.load(14)
	if len(l.waiting)+len(l.refused) > 0 {
		t.Fatalf("%d calls wait, %d were refused; the disk is not full", len(l.waiting), len(l.refused))
	}
	err = j.Close()
	if err == nil && len(l.failed) > 0 {
		t.Error("Close says nothing of what failed")
	}
	ended = err != nil
	if ended && !errors.Is(err, syscall.EIO) {
		t.Errorf("Close: %v", err)
	}
	met = disk.failures() > 0
	for _, err := range []error{syscall.EIO, syscall.ENOSPC} {
		bad := new(tap)
		bad.set(allocating(err))
		at := copyDir(t, dir)
		j, err := Open(at, bad.on(at))
		if err != nil {
			t.Fatalf("a start that can write nothing new: %v", err)
		}
		if len(j.Report().Damaged) > 0 {
			t.Fatalf("%+v", j.Report())
		}
		l.holds(j, !ended)
		_ = j.Close() // what it can write, the tap says
		if j, err = Open(at, Options{}); err != nil {
			t.Fatal(err)
		}
		l.holds(j, !ended)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return met, ended
}

// Where nothing at all can be written the start fails, and says why.
func TestStartOnDeadDisk(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EIO, syscall.EROFS} {
		for _, orderly := range []bool{false, true} {
			for _, empty := range []bool{false, true} {
				dir := t.TempDir()
				j := openIn(t, dir, Options{})
				if !empty {
					commit(t, j, begin(1, "a"))
				}
				at := copyDir(t, dir)
				if orderly {
					if err := j.Close(); err != nil {
						t.Fatal(err)
					}
					at = copyDir(t, dir)
				}
				dead := new(tap)
				dead.set(from(1, cause))
				if _, err := Open(at, dead.on(at)); !errors.Is(err, cause) || !strings.Contains(err.Error(), "cannot write journal.wal.") && !strings.Contains(err.Error(), "cannot sync history.db") {
					t.Errorf("closed in order %v, empty %v: %v", orderly, empty, err)
				}
			}
		}
	}
}

// A start that fails after the log was opened ends; it does not wait for ever.
func TestStartFailsWithoutHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := openIn(t, dir, Options{})
		commit(t, j, begin(1, "a"))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{wrap: func(name string, s store) store { return unreadable{s} }})
		if !errors.Is(err, errCannotRead) {
			t.Fatal(err)
		}
		_ = openIn(t, dir, Options{})
	})
}

type unreadable struct{ store }

var errCannotRead = errors.New("cannot be read")

func (unreadable) Get([]byte) ([]byte, error) { return nil, errCannotRead }

func (unreadable) Scan(_, _ []byte, _ func(_, _ []byte) bool) error { return errCannotRead }

// A journal whose first marker could not be replaced is a new one to the next
// start, and would be made anew: it must not be used.
func TestNewJournalOnDiskThatFillsUp(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		dir, disk := t.TempDir(), new(tap)
		markers := 0
		o := disk.on(dir)
		o.folder = markerFails{tapFolder: o.folder.(tapFolder), err: cause, n: &markers}
		if _, err := Open(dir, o); !errors.Is(err, cause) {
			t.Errorf("a new journal with a marker that says that it is being made: %v", err)
		}
		j := openIn(t, dir, Options{})
		commit(t, j, begin(1, "a"))
		j = reopen(t, j, Options{})
		if load(t, j, 1).Header.ID != "a" {
			t.Error("lost")
		}
	}
}

// markerFails is a folder in which the second marker cannot be written.
type markerFails struct {
	tapFolder
	err error
	n   *int
}

func (d markerFails) Rename(from, to string) error {
	if to == markerName {
		if *d.n++; *d.n == 2 {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: d.err}
		}
	}
	return d.tapFolder.Rename(from, to)
}

// One start after the other on a full disk, each with as much work as it takes:
// each time what an operator asks for is recorded, and at last all goes on.
func TestManyStartsOnFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full, dir := new(tap), t.TempDir()
		j, err := Open(dir, full.on(dir))
		if err != nil {
			t.Fatal(err)
		}
		commit(t, j, begin(1, "a"), begin(3, "c"))
		at := copyDir(t, dir)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		l := &ledger{t: t, cases: new(outcomes)}
		seq := uint32(0)
		for range 8 {
			// Commits of the file that change hardly anything go through, as on a
			// disk where a few pages of the file are free.
			o := full.on(at)
			o.beforeDown = func(ops []op) error {
				if len(ops) > 1 {
					return full.op(true)
				}
				return nil
			}
			full.set(allocating(syscall.ENOSPC))
			if j, err = Open(at, o); err != nil {
				t.Fatal(err)
			}
			l.j, l.waiting = j, map[chan error]Change{}
			w := j.Writer()
			for range 60 {
				c := record(1, seq, strings.Repeat("x", padding))
				seq++
				l.call(c, func() error { return w.Commit(c) })
			}
			word := Change{Run: 3, Inbox: []Message{{Number: uint64(seq), Time: epoch, Data: []byte("STOP")}}, Essential: true}
			before := len(l.acked)
			l.call(word, func() error { return w.Commit(word) })
			if len(l.waiting) > 0 || len(l.acked) != before+1 {
				t.Fatal("STOP was not recorded")
			}
			l.refused = nil
			next := copyDir(t, at)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			at = next
		}
		full.set(nil)
		if j, err = Open(at, full.on(at)); err != nil {
			t.Fatal(err)
		}
		l.j, l.waiting = j, map[chan error]Change{}
		w := j.Writer()
		for range 60 {
			c := record(1, seq, strings.Repeat("x", padding))
			seq++
			l.call(c, func() error { return w.Commit(c) })
			time.Sleep(time.Millisecond)
		}
		l.recovered()
		l.holds(j, false)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// What is longer than the log takes waits for nobody where the disk is full,
// nobody waits for it, and it is recorded when there is room.
func TestLongChangesOnFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full, dir := new(tap), t.TempDir()
		j, err := Open(dir, full.on(dir))
		if err != nil {
			t.Fatal(err)
		}
		l := &ledger{t: t, j: j, waiting: map[chan error]Change{}, cases: new(outcomes)}
		commit(t, j, begin(1, "a"), begin(3, "c"))
		w, lazy := j.Writer(), j.Writer()
		full.set(allocating(syscall.ENOSPC))
		for seq := range uint32(5) {
			c := record(1, seq, strings.Repeat("y", 200_000))
			l.call(c, func() error { return w.Commit(c) })
			c = record(1, 100+seq, strings.Repeat("y", 300_000))
			l.call(c, func() error { return lazy.Append(c, Later) })
			if err := j.PutScript("hash", make([]byte, 500_000)); !errors.Is(err, ErrNoRoom) {
				t.Fatalf("a long script: %v", err)
			}
			word := Change{Run: 3, Inbox: []Message{{Number: uint64(seq), Time: epoch, Data: []byte("HOLD")}}, Essential: true}
			l.call(word, func() error { return w.Commit(word) })
			time.Sleep(time.Minute)
		}
		if len(l.waiting) > 0 || len(l.refused) != 10 || len(l.acked) != 5 {
			t.Fatalf("%d wait, %d refused, %d recorded; want 0, 10, 5", len(l.waiting), len(l.refused), len(l.acked))
		}
		l.holds(j, false)
		full.set(nil)
		l.recovered()
		if err := j.PutScript("hash", make([]byte, 500_000)); err != nil {
			t.Fatal(err)
		}
		named := begin(4, "d") // a script is kept for the runs that name it
		named.Start.Script = "hash"
		commit(t, j, named)
		l.holds(j, false)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err = Open(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		l.holds(j, false)
		if _, err := j.Script(t.Context(), "hash"); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

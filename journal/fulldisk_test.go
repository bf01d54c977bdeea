package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/journal/disk"
)

// tap is a disk of which a test counts what is written, and can have it fail:
// each operation on the journal's own files, and each commit of bbolt's.
type tap struct {
	mu     sync.Mutex
	n      int // operations
	failed int
	fail   func(n int, allocates bool) error // nil: all goes well
}

func (p *tap) op(allocates bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.fail == nil {
		return nil
	}
	err := p.fail(p.n, allocates)
	if err != nil {
		p.failed++
	}
	return err
}

func (p *tap) set(fail func(n int, allocates bool) error) {
	p.mu.Lock()
	p.fail = fail
	p.mu.Unlock()
}

func (p *tap) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// on returns options for a journal in dir on this disk.
func (p *tap) on(dir string) Options {
	down := func([]op) error { return p.op(true) }
	return Options{LogBytes: 1, Reserve: 64 << 10, MoveWithin: time.Hour, folder: tapFolder{disk.At(dir), p}, beforeDown: down}
}

type tapFolder struct {
	disk.Folder
	tap *tap
}

func (d tapFolder) Open(name string, flag int) (disk.File, error) {
	fresh := flag&os.O_CREATE != 0
	if fresh {
		if err := d.tap.op(true); err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
	f, err := d.Folder.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return tapFile{f, d.tap, fresh}, nil
}

func (d tapFolder) Rename(from, to string) error {
	if err := d.tap.op(true); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return os.Rename(filepath.Join(d.dir(), from), filepath.Join(d.dir(), to))
}

func (d tapFolder) dir() string { return fmt.Sprint(d.Folder) }

type tapFile struct {
	disk.File
	tap       *tap
	allocates bool
}

func (f tapFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.tap.op(f.allocates); err != nil {
		half := len(b) / 2 // a part of it is there
		if n, werr := f.File.WriteAt(b[:half], off); werr != nil {
			return n, werr
		}
		return half, err
	}
	return f.File.WriteAt(b, off)
}

func (f tapFile) Sync() error { return f.tap.op(f.allocates) }

// from lets operation n and all after it fail; only lets n alone fail.
func from(at int, err error) func(int, bool) error {
	return func(n int, _ bool) error {
		if n < at {
			return nil
		}
		return err
	}
}

func only(at int, err error) func(int, bool) error {
	return func(n int, _ bool) error {
		if n != at {
			return nil
		}
		return err
	}
}

func allocating(err error) func(int, bool) error {
	return func(_ int, allocates bool) error {
		if !allocates {
			return nil
		}
		return err
	}
}

// ledger is what a test knows of the changes that it has brought.
type ledger struct {
	t       *testing.T
	j       *Journal
	acked   []Change // durable, as Commit said
	lazy    []Change // appended, as Append said
	refused []Change // ErrNoRoom
	failed  []Change // ErrFailed: unknown
	waiting map[chan error]Change
	cases   *outcomes
}

// outcomes counts over all cases.
type outcomes struct{ operations, refused, essential, waited, exhausted int }

// call runs f, and fails the test if it neither returns nor waits for room.
func (l *ledger) call(c Change, f func() error) {
	l.t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	synctest.Wait()
	select {
	case err := <-done:
		l.note(c, err)
	default:
		if l.j.Room() == nil && l.j.Err() == nil {
			l.t.Fatalf("run %d: the call hangs, and there is room", c.Run)
		}
		l.cases.waited++
		l.waiting[done] = c
	}
}

func (l *ledger) note(c Change, err error) {
	l.t.Helper()
	switch {
	case err == nil:
		l.acked = append(l.acked, c)
		if c.Essential && l.j.Room() != nil {
			l.cases.essential++
		}
	case errors.Is(err, ErrNoRoom):
		l.cases.refused++
		if c.Essential {
			l.cases.exhausted++
		}
		if l.j.Room() == nil {
			l.t.Fatalf("run %d: refused, and there is room", c.Run)
		}
		l.refused = append(l.refused, c)
	case errors.Is(err, ErrFailed), errors.Is(err, ErrClosed):
		l.failed = append(l.failed, c)
	default:
		l.t.Fatalf("run %d: %v", c.Run, err)
	}
}

const padding = 20_000

// load brings a few hundred KB of changes of all kinds, and now and then an
// operator's word.
func (l *ledger) load(rounds uint32) {
	w := l.j.Writer()
	pad := strings.Repeat("x", padding)
	for run := uint64(1); run <= 3; run++ {
		c := begin(run, fmt.Sprint("run", run))
		l.call(c, func() error { return w.Commit(c) })
	}
	for seq := range rounds {
		for run := uint64(1); run <= 2; run++ {
			c := record(run, 3*seq, pad)
			l.call(c, func() error { return w.Commit(c) })
			lazy := record(run, 3*seq+1, pad[:2000])
			if err := w.Append(lazy, Later); err == nil {
				l.lazy = append(l.lazy, lazy)
			} else {
				l.note(lazy, err)
			}
		}
		hold := Change{Run: 3, Inbox: []Message{{Number: uint64(seq), Time: epoch, Data: []byte("HOLD")}}, Essential: true}
		l.call(hold, func() error { return w.Commit(hold) })
	}
	end := Change{Run: 2, End: []byte("end"), Essential: true}
	l.call(end, func() error { return w.Commit(end) })
	long := record(1, 1_000_000, strings.Repeat("y", 200_000)) // longer than the log takes
	l.call(long, func() error { return w.Commit(long) })
}

// recovered waits until there is room, and brings again what was refused.
func (l *ledger) recovered() {
	l.t.Helper()
	for range 4 {
		time.Sleep(2 * lastRetry)
		for done, c := range l.waiting {
			select {
			case err := <-done:
				l.note(c, err)
				delete(l.waiting, done)
			default:
				l.t.Fatalf("run %d still waits, and there is room on the disk", c.Run)
			}
		}
		again := l.refused
		l.refused = nil
		w := l.j.Writer()
		for _, c := range again {
			l.call(c, func() error { return w.Commit(c) })
		}
	}
	if n := l.j.Room(); n != nil {
		l.t.Fatalf("there is room on the disk, and the journal has not seen it: %v", n.Cause)
	}
	if len(l.refused)+len(l.waiting)+len(l.failed) > 0 {
		l.t.Fatalf("%d changes refused, %d wait, %d failed, and there is room again", len(l.refused), len(l.waiting), len(l.failed))
	}
}

// holds checks that a journal has all that was acknowledged, and the lazy ones
// too if all of it must be there; and nothing that was refused.
func (l *ledger) holds(j *Journal, lazy bool) {
	l.t.Helper()
	have := map[uint64]Run{}
	runs := func(cs []Change, check func(r Run, c Change)) {
		for _, c := range cs {
			r, ok := have[c.Run]
			if !ok {
				var err error
				if r, err = j.Load(c.Run); err != nil && !errors.Is(err, ErrNotFound) {
					l.t.Fatal(err)
				}
				have[c.Run] = r
			}
			check(r, c)
		}
	}
	must := func(r Run, c Change) {
		switch {
		case c.Start != nil && r.Header.ID != c.Start.ID:
			l.t.Errorf("run %d is lost", c.Run)
		case c.End != nil && r.End == nil:
			l.t.Errorf("the end of run %d is lost", c.Run)
		}
		for _, rec := range c.Records {
			if !hasRecord(r, rec) {
				l.t.Errorf("run %d: record %d is lost", c.Run, rec.Seq)
			}
		}
		for _, m := range c.Inbox {
			if !hasMessage(r, m) {
				l.t.Errorf("run %d: message %d is lost", c.Run, m.Number)
			}
		}
	}
	runs(l.acked, must)
	if lazy {
		runs(l.lazy, must)
	}
	runs(l.refused, func(r Run, c Change) {
		for _, rec := range c.Records {
			if hasRecord(r, rec) {
				l.t.Errorf("run %d: record %d was refused, and is there", c.Run, rec.Seq)
			}
		}
		for _, m := range c.Inbox {
			if hasMessage(r, m) {
				l.t.Errorf("run %d: message %d was refused, and is there", c.Run, m.Number)
			}
		}
	})
	if l.t.Failed() {
		l.t.FailNow()
	}
}

func hasRecord(r Run, want Record) bool {
	for _, have := range r.Records {
		if have.Seq == want.Seq {
			return reflect.DeepEqual(have, want)
		}
	}
	return false
}

func hasMessage(r Run, want Message) bool {
	for _, have := range r.Inbox {
		if have.Number == want.Number {
			return true
		}
	}
	return false
}

// copyDir is the folder as a power cut, or a kill, leaves it.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// At every operation of a scenario the disk becomes full, for good or in
// passing: at the start, at run time, at a start after a kill. Every call
// returns, or waits while Room says why; when there is room all goes on.
func TestDiskFullAtEachOperation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail func(at int, err error) func(int, bool) error
		err  error
	}{{"for good", from, syscall.ENOSPC}, {"in passing", only, syscall.ENOSPC}, {"quota", from, syscall.EDQUOT}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sum outcomes
			at := 1
			for met := true; met; at++ {
				synctest.Test(t, func(t *testing.T) { met = fullAt(t, c.fail(at, c.err), &sum) })
				if t.Failed() {
					t.Fatalf("at operation %d", at)
				}
			}
			if sum.refused == 0 || sum.essential == 0 {
				t.Errorf("%+v: nothing was refused, or nothing essential was taken", sum)
			}
			t.Logf("%d operations failed; %+v", at-2, sum)
		})
	}
}

func fullAt(t *testing.T, fail func(int, bool) error, sum *outcomes) (met bool) {
	disk, dir := new(tap), t.TempDir()
	disk.set(fail)
	j, err := Open(dir, disk.on(dir))
	if err != nil {
		if !noRoom(err) {
			t.Fatal(err)
		}
		disk.set(nil)
		if j, err = Open(dir, disk.on(dir)); err != nil {
			t.Fatalf("a new journal, when there is room: %v", err)
		}
	}
	l := &ledger{t: t, j: j, waiting: map[chan error]Change{}, cases: sum}
	l.load(14)
	if j.Err() != nil {
		t.Fatal(j.Err())
	}
	met = disk.failures() > 0
	for range 2 { // what a kill leaves now can be started on the full disk; once more, too
		dir = copyDir(t, dir)
		if err := restartFull(t, l, dir); err != nil {
			t.Fatal(err)
		}
	}
	disk.set(nil)
	l.recovered()
	l.holds(j, true)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(j.dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if r := j.Report(); !r.Clean || r.Interrupted {
		t.Errorf("report: %+v", r)
	}
	l.holds(j, true)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return met
}

// restartFull opens what lies in dir on a disk on which nothing new can be
// written, and looks whether what an operator asks for is recorded.
func restartFull(t *testing.T, l *ledger, dir string) error {
	full := new(tap)
	full.set(allocating(syscall.ENOSPC))
	j, err := Open(dir, full.on(dir))
	if err != nil {
		return fmt.Errorf("a start on a full disk: %w", err)
	}
	if len(j.Report().Damaged) > 0 {
		return fmt.Errorf("a start on a full disk: %+v", j.Report())
	}
	l.holds(j, false)
	r := &ledger{t: t, j: j, waiting: map[chan error]Change{}, cases: l.cases}
	w := j.Writer()
	for n := range uint64(3) {
		word := Change{Run: 3, Inbox: []Message{{Number: 1000 + n, Time: epoch, Data: []byte("STOP")}}, Essential: true}
		r.call(word, func() error { return w.Commit(word) })
		c := record(3, 100+uint32(n), strings.Repeat("z", padding))
		r.call(c, func() error { return w.Commit(c) })
	}
	if len(r.waiting) > 0 {
		return fmt.Errorf("%d calls wait", len(r.waiting))
	}
	if err := j.Close(); err != nil {
		return fmt.Errorf("its close: %w", err)
	}
	return nil
}

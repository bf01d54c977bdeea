package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faulty is a store whose commits a test can watch, delay and fail.
type faulty struct {
	store
	mu      sync.Mutex
	commits []time.Time
	ops     []int
	fail    func(commit int) error // called before the commit; n from 1
	after   bool                   // the failing commit is done nevertheless
	delay   time.Duration
}

func (f *faulty) Commit(ops []op) error {
	f.mu.Lock()
	delay := f.delay
	f.mu.Unlock()
	if delay > 0 {
		<-time.After(delay)
	}
	f.mu.Lock()
	f.commits = append(f.commits, time.Now())
	f.ops = append(f.ops, len(ops))
	n := len(f.commits)
	f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(n); err != nil {
			if f.after {
				return errors.Join(err, f.store.Commit(ops))
			}
			return err
		}
	}
	return f.store.Commit(ops)
}

func (f *faulty) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.commits)
}

// on returns options that put f over the named file.
func (f *faulty) on(file string) Options {
	return Options{wrap: func(name string, s store) store {
		if name != file {
			return s
		}
		f.store = s
		return f
	}}
}

func TestLazyChangesAreFlushedInTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		append []Urgency // one each two milliseconds
		want   []time.Duration
	}{
		{"soon", []Urgency{Soon}, []time.Duration{5 * time.Millisecond}},
		{"later", []Urgency{Later}, []time.Duration{time.Minute}},
		{"soon after later", []Urgency{Later, Soon, Later}, []time.Duration{7 * time.Millisecond}},
		{"several soon", []Urgency{Soon, Soon, Soon}, []time.Duration{5 * time.Millisecond}},
		{"two rounds", []Urgency{Soon, Later, Soon, Later}, []time.Duration{5 * time.Millisecond, time.Minute + 6*time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(faulty)
				j := open(t, f.on(liveName))
				w := j.Writer()
				begun := time.Now()
				for i, u := range c.append {
					if err := w.Append(record(1, uint32(i), "x"), u); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Millisecond)
				}
				time.Sleep(time.Hour) // an idle journal commits nothing
				synctest.Wait()
				if len(f.commits) != len(c.want) {
					t.Fatalf("%d commits, want %d", len(f.commits), len(c.want))
				}
				for i, at := range f.commits {
					if got := at.Sub(begun); got != c.want[i] {
						t.Errorf("commit %d after %v, want %v", i, got, c.want[i])
					}
				}
				commit(t, j, begin(1, "the header that the records need"))
			})
		})
	}
}

func TestBarrierTakesLazyChangesAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(faulty)
		j := open(t, f.on(liveName))
		w := j.Writer()
		begun := time.Now()
		for seq := range uint32(3) {
			if err := w.Append(record(1, seq, "x"), Later); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(begin(1, "a")); err != nil {
			t.Fatal(err)
		}
		if f.count() != 1 || f.ops[0] != 5 || !time.Now().Equal(begun) {
			t.Errorf("%d commits of %v entries after %v, want one of 5 at once", f.count(), f.ops, time.Since(begun))
		}
		time.Sleep(time.Minute)
		if f.count() != 1 {
			t.Error("the timer committed what was committed before")
		}
	})
}

func TestWritersShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{delay: 5 * time.Millisecond}
		j := open(t, f.on(liveName))
		const writers = 100
		var wg sync.WaitGroup
		for run := uint64(1); run <= writers; run++ {
			wg.Go(func() {
				if err := j.Writer().Commit(begin(run, fmt.Sprint(run))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := f.count(); n > 2 {
			t.Errorf("%d commits for %d writers that came at once, want 1 or 2", n, writers)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{delay: time.Hour}
		o := f.on(liveName)
		o.LogBytes = 8 << 20
		j := open(t, o)
		var appended atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			w := j.Writer()
			for run := uint64(1); run <= 60; run++ {
				c := begin(run, fmt.Sprint(run))
				c.Records = []Record{{Data: make([]byte, 1<<20)}}
				if err := w.Append(c, Later); err != nil {
					t.Error(err)
				}
				appended.Add(1)
			}
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := appended.Load(); n < 2 || n > 8 {
			t.Errorf("%d MiB went into the queue while the disk stood still, want what half a segment of the log takes", n)
		}
		<-done // the disk goes on, an hour for each commit
		f.mu.Lock()
		f.delay = 0
		f.mu.Unlock()
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		for i, n := range f.ops {
			if n > 3 {
				t.Errorf("commit %d has %d entries of 1 MiB", i, n)
			}
		}
	})
}

func TestTransactionsAreLimited(t *testing.T) {
	t.Parallel()
	f := new(faulty)
	j := open(t, f.on(liveName))
	// One Change above the limit is not divided; small ones are gathered up to it.
	big := begin(1, "big")
	for seq := range uint32(6000) {
		big.Records = append(big.Records, Record{Seq: seq})
	}
	w := j.Writer()
	for run := uint64(2); run <= 3000; run++ {
		if err := w.Append(begin(run, fmt.Sprint(run)), Later); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(big); err != nil {
		t.Fatal(err)
	}
	for i, n := range f.ops {
		if n > 4096 && n != 6002 {
			t.Errorf("commit %d has %d entries", i, n)
		}
	}
	if n := len(load(t, j, 1).Records); n != 6000 {
		t.Errorf("%d records", n)
	}
}

func TestFailedCommit(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("done nevertheless %v", after), func(t *testing.T) {
			t.Parallel()
			f := &faulty{after: after, fail: func(n int) error {
				if n == 2 {
					return syscall.ENOSPC
				}
				return nil
			}}
			j := open(t, f.on(liveName))
			commit(t, j, begin(1, "a"))
			w := j.Writer()
			err := w.Commit(begin(2, "b"))
			if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("got %v", err)
			}
			for name, err := range map[string]error{"Commit": w.Commit(begin(3, "c")), "Append": w.Append(begin(3, "c"), Soon), "Err": j.Err(), "Sync": j.Sync()} {
				if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("%s: got %v", name, err)
				}
			}
			if r := load(t, j, 1); r.Header.ID != "a" {
				t.Error("what was committed before cannot be read")
			}
			if err := j.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("Close: got %v", err)
			}
			j = openIn(t, j.dir, Options{})
			if !j.Report().Interrupted {
				t.Error("not said to be interrupted")
			}
			_, err = j.Load(2)
			if after && err != nil || !after && !errors.Is(err, ErrNotFound) {
				t.Errorf("the run whose commit failed: %v", err)
			}
			if _, err := j.Load(3); !errors.Is(err, ErrNotFound) {
				t.Errorf("a run that came after the failure: %v", err)
			}
		})
	}
}

// All who wait when a commit fails are told, and nobody hangs.
func TestFailedCommitTellsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{delay: time.Second, fail: func(int) error { return syscall.EIO }}
		j := open(t, f.on(liveName))
		var wg sync.WaitGroup
		for run := uint64(1); run <= 50; run++ {
			wg.Go(func() {
				time.Sleep(time.Duration(run) * 10 * time.Millisecond)
				if err := j.Writer().Commit(begin(run, fmt.Sprint(run))); !errors.Is(err, ErrFailed) {
					t.Errorf("run %d: got %v", run, err)
				}
			})
		}
		wg.Wait()
		if f.count() != 1 {
			t.Errorf("%d commits were tried", f.count())
		}
	})
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MaxBytes: 4 << 20})
	w := j.Writer()
	var err error
	acknowledged := uint64(0)
	for run := uint64(1); err == nil; run++ {
		c := begin(run, fmt.Sprint(run))
		c.Records = []Record{{Data: make([]byte, 100_000)}}
		if err = w.Commit(c); err == nil {
			acknowledged = run
		}
	}
	if !errors.Is(err, ErrNoRoom) || acknowledged < 10 || acknowledged > 42 {
		t.Fatalf("refused after %d runs: %v", acknowledged, err)
	}
	none := j.Room()
	if none == nil || none.Cause == nil {
		t.Fatalf("room: %+v", none)
	}
	// What an operator asks for goes on record all the same.
	if err := w.Commit(Change{Run: 1, Inbox: []Message{{Number: 1, Time: epoch, Data: []byte("HOLD")}}, Essential: true}); err != nil {
		t.Error(err)
	}
	j = reopen(t, j, Options{})
	for run := uint64(1); run <= acknowledged; run++ {
		if r := load(t, j, run); len(r.Records) != 1 {
			t.Errorf("run %d has %d records", run, len(r.Records))
		}
	}
	commit(t, j, begin(j.NextRun(), "there is room again"))
}

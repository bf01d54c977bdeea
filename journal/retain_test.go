package journal

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 1))
		j := open(t, Options{Retention: Retention{Age: 24 * time.Hour}})
		for run := uint64(1); run <= 48; run++ { // one an hour
			appendAll(t, j, ten(rng, run, "all"))
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		var got []uint64
		for _, l := range list(t, j, "all", 0) {
			got = append(got, l.run)
		}
		var want []uint64
		for run := uint64(48); run > 24; run-- {
			want = append(want, run)
		}
		if slices.Contains(got, 24) {
			want = append(want, 24) // it is a day old just now
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Retention keeps the newest, and what it removes gives room: the file neither
// grows on, nor stays long when much is removed.
func TestRetentionGivesRoom(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 2))
	o := Options{MoveWithin: time.Hour}
	o.tests.compactAt = 1 << 20
	j := open(t, o)
	fill := func(from, to uint64) {
		var cs []Change
		for run := from; run <= to; run++ {
			c := ten(rng, run, "all")
			c.Records[0].Data = noise(rng, 3000)
			cs = append(cs, c)
		}
		appendAll(t, j, cs...)
		moved(t, j)
	}
	fill(1, 2000)
	full := j.Stats()
	o.Retention = Retention{Bytes: 1 << 20}
	j = reopen(t, j, o)
	for s := j.Stats(); s.HistoryUsed > 1<<20 || s.HistoryBytes > full.HistoryBytes/2; s = j.Stats() {
		j.mover.kick()
		<-time.After(time.Millisecond)
	}
	for from := uint64(2001); from < 4000; from += 500 {
		fill(from, from+499)
	}
	for s := j.Stats(); s.HistoryUsed > 1<<20 || s.HistoryBytes > full.HistoryBytes/2; s = j.Stats() {
		j.mover.kick()
		<-time.After(time.Millisecond)
	}
	s := j.Stats()
	got := list(t, j, "all", 0)
	t.Logf("%d bytes, %d in use, %d runs; before %d bytes", s.HistoryBytes, s.HistoryUsed, len(got), full.HistoryBytes)
	for i, l := range got {
		if l.run != uint64(4000-i) {
			t.Fatalf("entry %d is run %d", i, l.run)
		}
	}
	if len(got) < 100 || int64(len(got))+s.Deleted != 4000 {
		t.Errorf("%d runs, %d deleted since", len(got), s.Deleted)
	}
	j = reopen(t, j, o)
	if next := j.NextRun(); next != 4001 {
		t.Errorf("next run is %d", next)
	}
}

// While the file is exchanged for a smaller one, others read and runs end.
func TestReadersWhileCompacting(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	o := Options{MoveWithin: time.Millisecond}
	o.tests.compactAt = 1
	var swaps atomic.Int64
	o.tests.step = func(what string) error {
		if what == "sync the folder" {
			swaps.Add(1)
		}
		return nil
	}
	j := open(t, o)
	const n = 300
	want := make([]Run, n+1)
	for run := uint64(1); run <= n; run++ {
		c := ten(rng, run, "all")
		want[run] = asRun(c)
		appendAll(t, j, c)
	}
	moved(t, j)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var reads atomic.Int64
	for k := range uint64(3) {
		wg.Go(func() {
			for i := k; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				run := 1 + i*7%n
				if got, err := j.Load(run); err != nil || !reflect.DeepEqual(got, want[run]) {
					t.Errorf("run %d: %v", run, err)
					return
				}
				if i%20 == 0 {
					if err := j.Ended(t.Context(), 0, func(e EndedRun) bool {
						if e.Err != nil {
							t.Errorf("run %d: %v", e.Header.Run, e.Err)
						}
						return true
					}); err != nil {
						t.Error(err)
					}
				}
				reads.Add(1)
			}
		})
	}
	begun := swaps.Load()
	for run := uint64(n + 1); swaps.Load() < begun+20 && !t.Failed(); run++ {
		appendAll(t, j, ten(rng, run, "all"))
		if run%3 == 0 {
			if got, err := j.Delete(t.Context(), run); err != nil || got != 1 {
				t.Errorf("deleted %d: %v", got, err)
			}
		}
		j.mover.kick()
	}
	close(stop)
	wg.Wait()
	t.Logf("%d exchanges, %d reads", swaps.Load(), reads.Load())
}

// A disk that is full, or fails, at any step of a compaction before its file
// has taken the place costs nothing; it is done later.
func TestCompactionThatFails(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"remove a compaction", "create a compaction", "sync a compaction", "rename a compaction"} {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			var failed, swaps atomic.Int64
			o := Options{MoveWithin: time.Hour}
			o.tests.compactAt = 1
			o.tests.step = func(what string) error {
				if what == "sync the folder" {
					swaps.Add(1)
				}
				if what == at && failed.Add(1) <= 2 {
					return syscall.ENOSPC
				}
				return nil
			}
			j := open(t, o)
			for run := uint64(1); run <= 50; run++ {
				appendAll(t, j, ten(rng, run))
			}
			moved(t, j)
			synctest.Wait()
			if swaps.Load() != 0 || j.Err() != nil || j.Stats().MoveError != nil {
				t.Errorf("%s: %d exchanges, %v, %v", at, swaps.Load(), j.Err(), j.Stats().MoveError)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if swaps.Load() == 0 || failed.Load() < 3 {
				t.Errorf("%s: it was not done later", at)
			}
			if len(load(t, j, 50).Records) != 20 {
				t.Error("run 50 is not whole")
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	// What fails once the new file is there has any outcome.
	o := Options{MoveWithin: time.Millisecond}
	o.tests.compactAt = 1
	var fails atomic.Bool
	o.tests.step = func(what string) error {
		if what == "sync the folder" && fails.Load() {
			return syscall.EIO
		}
		return nil
	}
	j := open(t, o)
	commit(t, j, ten(rand.New(rand.NewPCG(3, 5)), 1))
	fails.Store(true)
	for j.Err() == nil {
		j.mover.kick()
		<-time.After(time.Millisecond)
	}
	if !errors.Is(j.Err(), syscall.EIO) {
		t.Errorf("got %v", j.Err())
	}
	j = reopen(t, j, Options{})
	if len(load(t, j, 1).Records) != 20 {
		t.Error("run 1 is not whole")
	}
	if _, err := os.Stat(j.path(historyName) + newSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unfinished copy is left: %v", err)
	}
}

// A full disk at any commit of retention is waited out.
func TestFullDiskWhileRetaining(t *testing.T) {
	t.Parallel()
	tried := 0
	for at := 1; at <= 12; at++ {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 7))
			dir := memoryDir(t)
			j := openIn(t, dir, Options{MoveWithin: time.Hour})
			for run := uint64(1); run <= 250; run++ {
				appendAll(t, j, ten(rng, run, "all"))
			}
			moved(t, j)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			f := &faulty{after: at%2 == 0, fail: func(n int) error {
				if n >= at && n < at+3 {
					return syscall.ENOSPC
				}
				return nil
			}}
			o := f.on(historyName)
			o.Retention = Retention{Runs: 30}
			j = openIn(t, dir, o)
			synctest.Wait()
			hit := f.count() >= at
			if err := j.Stats().MoveError; hit != errors.Is(err, syscall.ENOSPC) {
				t.Errorf("commit %d: %v", at, err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			got := list(t, j, "all", 0)
			if len(got) != 30 || got[29].run != 221 || j.Stats().MoveError != nil || j.Err() != nil {
				t.Errorf("commit %d: %d runs, %v, %v", at, len(got), j.Stats().MoveError, j.Err())
			}
			if hit {
				tried++
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if t.Logf("%d full disks", tried); tried < 3 {
		t.Error("too few commits")
	}
}

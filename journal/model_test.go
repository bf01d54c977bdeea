package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// settled is moved, also when a full disk keeps a move from going on at once.
func settled(t testing.TB, j *Journal) {
	t.Helper()
	for waits := true; waits; {
		n, err := j.mover.state()
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if waits = n > 0 && err == nil; waits {
			j.mover.kick()
			<-time.After(time.Millisecond)
		}
	}
}

// A journal under any sequence of starts, records, ends, amendments, deletions
// and restarts holds what a map in memory holds.
func TestModel(t *testing.T) {
	t.Parallel()
	sequences, steps := cases(36), 0
	for n := range sequences {
		rng := rand.New(rand.NewPCG(12, uint64(n)))
		o := Options{MoveWithin: []time.Duration{time.Hour, time.Millisecond, time.Microsecond}[n%3]}
		o.tests.compactAt = 1 + int64(n/2%2)<<40 // always, or never
		dir := memoryDir(t)
		// Now and then the disk is full at a commit of the history, which is done, or not.
		var commits atomic.Int64
		o.wrap = func(name string, s store) store {
			if name != historyName || n%2 == 0 {
				return s
			}
			return &faulty{store: s, after: n%4 == 1, fail: func(int) error {
				if commits.Add(1)%7 == 0 {
					return syscall.ENOSPC
				}
				return nil
			}}
		}
		j := openIn(t, dir, o)
		m := ideal{}
		some := func(ended bool) (uint64, bool) {
			var runs []uint64
			for _, run := range slices.Sorted(maps.Keys(m)) {
				if (m[run].End != nil) == ended {
					runs = append(runs, run)
				}
			}
			if len(runs) == 0 {
				return 0, false
			}
			return runs[rng.IntN(len(runs))], true
		}
		top := uint64(0)
		for range 300 {
			steps++
			switch k := rng.IntN(100); {
			case k < 30:
				run := j.NextRun()
				if run <= top {
					t.Fatalf("number %d is given again", run)
				}
				top = run
				c := begin(run, fmt.Sprintf("run-%06d", run))
				c.Start.Script = fmt.Sprint("script", run%4)
				commit(t, j, c)
				m[run] = idealRun{Run: Run{Header: *c.Start}}
			case k < 55:
				if run, ok := some(false); ok {
					r := m[run]
					size := rng.IntN(300)
					if rng.IntN(40) == 0 {
						size = rng.IntN(400 << 10)
					}
					rec := Record{Seq: uint32(len(r.Records)), Kind: 1, Count: 1, Time: epoch, Data: noise(rng, 1+size)}
					msg := Message{Number: uint64(len(r.Inbox)), Time: epoch, Data: []byte("m")}
					commit(t, j, Change{Run: run, Records: []Record{rec}, Inbox: []Message{msg}})
					r.Records, r.Inbox = append(slices.Clip(r.Records), rec), append(slices.Clip(r.Inbox), msg)
					m[run] = r
				}
			case k < 75:
				if run, ok := some(false); ok {
					r := m[run]
					r.End, r.terms = noise(rng, rng.IntN(100)), []string{fmt.Sprint("a=", rng.IntN(3)), "all"}
					commit(t, j, Change{Run: run, End: r.End, Terms: r.terms})
					m[run] = r
				}
			case k < 82:
				if run, ok := some(true); ok {
					r := m[run]
					r.End = fmt.Appendf(nil, "amended %d", rng.IntN(1000))
					commit(t, j, Change{Run: run, Amend: r.End})
					m[run] = r
				}
			case k < 90:
				gone := make(map[uint64]bool)
				for range 1 + rng.IntN(5) {
					if run, ok := some(true); ok {
						gone[run] = true
					}
				}
				runs := slices.Collect(maps.Keys(gone))
				got, err := j.Delete(t.Context(), append(runs, 1<<40)...)
				for again := 0; errors.Is(err, syscall.ENOSPC) && again < 5; again++ {
					_, err = j.Delete(t.Context(), runs...) // some are gone
					got = len(runs)
				}
				if err != nil || got != len(runs) {
					t.Fatalf("deleted %d of %v: %v", got, runs, err)
				}
				for _, run := range runs {
					delete(m, run)
				}
				if run, ok := some(false); ok {
					if got, err := j.Delete(t.Context(), run); err == nil || got != 0 {
						t.Fatalf("run %d lives, and was deleted", run)
					}
				}
			case k < 95:
				settled(t, j)
			case k < 97:
				j = reopen(t, j, o)
			default:
				m.holds(t, j, m)
			}
			if t.Failed() {
				t.Fatalf("sequence %d", n)
			}
		}
		m.holds(t, j, m)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d sequences, %d steps", sequences, steps)
}

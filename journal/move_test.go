package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	berrors "go.etcd.io/bbolt/errors"
)

// A disk that is full at any commit of the history, for a while, costs nothing:
// the moves go on when there is room, and the journal says why they do not.
func TestFullDiskWhileMoving(t *testing.T) {
	t.Parallel()
	tried := 0
	for at := 1; ; at++ {
		over := false
		for i, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, berrors.ErrMaxSizeReached} {
			if i > 0 && at%3 != 0 {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				var full, healed atomic.Bool
				f := &faulty{after: at%2 == 0}
				f.fail = func(n int) error {
					if n == at && !healed.Load() {
						full.Store(true)
					}
					if full.Load() {
						return fmt.Errorf("cannot write: %w", cause)
					}
					return nil
				}
				o := f.on(historyName)
				o.MoveWithin = time.Hour
				j := open(t, o)
				rng := rand.New(rand.NewPCG(2, uint64(at)))
				var want []Run
				for run := uint64(1); run <= 60; run++ {
					c := ten(rng, run)
					if run == 30 {
						c.Records[0].Data = noise(rng, 2<<20) // several transactions
					}
					want = append(want, asRun(c))
					appendAll(t, j, c)
					if run%20 == 0 {
						j.mover.kick()
						time.Sleep(time.Second / 2)
					}
				}
				if !full.Load() {
					over = true
				} else {
					time.Sleep(10 * time.Minute)
					tries := f.count()
					time.Sleep(10 * time.Minute)
					if n := f.count() - tries; n < 5 || n > 11 {
						t.Errorf("%d tries in ten minutes", n)
					}
					if s := j.Stats(); !errors.Is(s.MoveError, cause) || s.ToMove == 0 {
						t.Errorf("stats %+v", s)
					}
					commit(t, j, begin(100+uint64(at), "others go on"))
				}
				healed.Store(true)
				full.Store(false)
				time.Sleep(2 * time.Minute)
				j.mover.kick()
				synctest.Wait()
				if s := j.Stats(); s.MoveError != nil || s.ToMove != 0 || j.Err() != nil {
					t.Errorf("commit %d: when there was room again: %+v, %v", at, s, j.Err())
				}
				for i, w := range want {
					if got := load(t, j, uint64(i+1)); !reflect.DeepEqual(got, w) {
						t.Errorf("run %d: got %.200v", i+1, got)
					}
				}
				if err := j.Close(); err != nil {
					t.Error(err)
				}
			})
			tried++
		}
		if t.Failed() || over {
			break
		}
	}
	t.Logf("%d full disks", tried)
}

// Another error of the history may have any outcome: the journal fails, and the
// next one sees.
func TestFailedHistoryCommitFailsTheJournal(t *testing.T) {
	t.Parallel()
	f := &faulty{fail: func(int) error { return syscall.EIO }}
	o := f.on(historyName)
	o.MoveWithin = time.Microsecond
	j := open(t, o)
	rng := rand.New(rand.NewPCG(2, 2))
	appendAll(t, j, ten(rng, 1))
	for j.Err() == nil {
		<-time.After(time.Millisecond)
	}
	if err := j.Err(); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	j = reopen(t, j, Options{})
	if r := load(t, j, 1); len(r.Records) != 20 {
		t.Errorf("run 1 has %d records", len(r.Records))
	}
}

// While somebody waits for commits, the mover rests most of the time, and yet
// goes on.
func TestMoverRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{MoveWithin: time.Hour})
		m := newMover(j, time.Hour)
		m.j.q.mu.Lock()
		m.j.q.leading = true
		m.j.q.mu.Unlock()
		for waiting, want := range map[int64]time.Duration{0: 32 * time.Millisecond, backlog / 2: 16 * time.Millisecond, backlog: 0, 2 * backlog: 0} {
			m.ended.n.Store(waiting)
			m.since = time.Now().Add(-2 * time.Millisecond)
			begun := time.Now()
			m.rest()
			if got := time.Since(begun); got != want {
				t.Errorf("%d wait: a rest of %v, want %v", waiting, got, want)
			}
		}
		m.j.q.mu.Lock()
		m.j.q.leading = false
		m.j.q.mu.Unlock()
		m.ended.n.Store(0)
		m.since = time.Now().Add(-time.Second)
		begun := time.Now()
		if m.rest(); time.Since(begun) != 0 {
			t.Error("it rests, and nobody waits")
		}
	})
}

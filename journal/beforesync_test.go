package journal

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBeforeSync: the hook is called once for a commit into the log, and twice
// for each of bbolt's, of the history as of a checkpoint.
func TestBeforeSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = 5 * time.Millisecond
		j := open(t, Options{BeforeSync: func() { time.Sleep(slow) }})
		took := func(syncs int, f func()) {
			t.Helper()
			began := time.Now()
			f()
			if got := time.Since(began); got != time.Duration(syncs)*slow {
				t.Errorf("took %v, want %d syncs of %v", got, syncs, slow)
			}
		}
		took(3, func() { commit(t, j, begin(1, "one"), record(1, 0, "a"), Change{Run: 1, End: []byte("end")}) })
		took(2, func() {
			j.mover.kick()
			synctest.Wait() // the mover is in the hook
			time.Sleep(2 * slow)
			synctest.Wait()
			if n, err := j.mover.state(); n != 0 || err != nil {
				t.Errorf("%d runs wait to be moved, %v", n, err)
			}
		})
		took(1, func() { commit(t, j, begin(2, "two")) }) // what leaves the live file goes along
		took(3, func() {
			// A checkpoint is two syncs, the marker one.
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

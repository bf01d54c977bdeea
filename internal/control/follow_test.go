package control

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
)

// changing is a run whose changes a test makes.
type changing struct {
	mu      sync.Mutex
	version uint64
	changed chan struct{} // closed at the next change
	over    chan struct{} // closed at the end
}

func newChanging() *changing {
	return &changing{version: 1, changed: make(chan struct{}), over: make(chan struct{})}
}

func (c *changing) change() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *changing) end() {
	close(c.over)
	c.change()
}

func (c *changing) Await(ctx context.Context, _ string, version uint64) (uint64, bool, error) {
	for {
		c.mu.Lock()
		now, changed := c.version, c.changed
		c.mu.Unlock()
		select {
		case <-c.over:
			return now, true, nil
		default:
		}
		if now > version {
			return now, false, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, false, ctx.Err()
		}
	}
}

func (c *changing) AwaitEnd(ctx context.Context, _ string) error {
	select {
	case <-c.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *changing) EachLogEntry(context.Context, string, string, uint32, func(engine.LogEntry) bool) error {
	return nil
}

// following is a follower of a run, and when it looked at it.
type following struct {
	*changing
	t     *testing.T
	begun time.Time
	mu    sync.Mutex
	looks []time.Duration // since begun
	done  chan error
}

func follow(ctx context.Context, t *testing.T) *following {
	f := &following{changing: newChanging(), t: t, begun: time.Now(), done: make(chan error, 1)}
	go func() {
		f.done <- (&follower{engine: f.changing}).follow(ctx, func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.looks = append(f.looks, time.Since(f.begun))
			return nil
		})
	}()
	synctest.Wait()
	return f
}

// looked is how often the follower has looked by now, and when last.
func (f *following) looked() (n int, last time.Duration) {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.looks) == 0 {
		f.t.Fatal("it has not looked at all")
	}
	return len(f.looks), f.looks[len(f.looks)-1]
}

// keepChanging changes the run each millisecond.
func (f *following) keepChanging(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); <-time.After(time.Millisecond) {
		f.change()
	}
}

// What changes seldom is shown at once, and so are some changes close together.
func TestFollowShowsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := follow(t.Context(), t)
		if n, at := f.looked(); n != 1 || at != 0 {
			t.Fatalf("%d looks, the last after %v; want one at the beginning", n, at)
		}
		want := 1
		for range 3 {
			<-time.After(time.Hour)
			for range followBurst {
				f.change()
				want++
				if n, at := f.looked(); n != want || at != time.Since(f.begun) {
					t.Errorf("%d looks, the last %v ago; want %d, the last now", n, time.Since(f.begun)-at, want)
				}
			}
		}
		f.end()
		if n, at := f.looked(); n != want+1 || at != time.Since(f.begun) {
			t.Errorf("the end was seen in look %d, %v late", n, time.Since(f.begun)-at)
		}
		if err := <-f.done; err != nil {
			t.Error(err)
		}
	})
}

// What changes all the time is shown once each followPause, in the long run; its
// end is shown at once nevertheless.
func TestFollowIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := follow(t.Context(), t)
		const pauses = 600
		for round := range 2 {
			before, _ := f.looked()
			f.keepChanging(pauses * followPause)
			after, _ := f.looked()
			// The second round comes with no quiet time before it.
			least, most := pauses-1, pauses+1
			if round == 0 {
				least, most = least+followBurst-1, most+followBurst
			}
			if n := after - before; n < least || n > most {
				t.Errorf("round %d: %d looks in %d pauses, want %d to %d", round, n, pauses, least, most)
			}
		}
		for _, d := range []time.Duration{followPause / 2, followPause / 3} {
			f.keepChanging(d)
		}
		f.end()
		if _, at := f.looked(); at != time.Since(f.begun) {
			t.Errorf("the end was seen %v late", time.Since(f.begun)-at)
		}
		if err := <-f.done; err != nil {
			t.Error(err)
		}
	})
}

// Who follows no more is let go, between two changes and within a pause.
func TestFollowIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, busy := range []time.Duration{0, 10 * followPause} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			f := follow(ctx, t)
			f.keepChanging(busy)
			before, _ := f.looked()
			cancel()
			if err := <-f.done; err != context.Canceled {
				t.Errorf("got %v", err)
			}
			if n, _ := f.looked(); n != before {
				t.Errorf("%d looks after it was given up", n-before)
			}
		})
	}
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// A read that demands a younger sample than the image's asks the device; one that does not, does not.
func TestReadFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.value(0, tag.Int(1))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 10*time.Second))})
		pass(time.Second)
		scanned := time.Now().Add(-time.Second)
		d.value(0, tag.Int(2))
		for _, c := range []struct {
			what      string
			notBefore time.Time
			want      string
			asked     int
		}{
			{"whatever there is", time.Time{}, "1", 1},
			{"not before the scan", scanned, "1", 1},
			{"not before now", time.Now(), "2", 2},
			{"whatever there is now", time.Time{}, "2", 2},
			{"not before now, once more", time.Now(), "2", 2},
		} {
			s := mustRead(t, g, "a", c.notBefore)
			expect(t, c.what, show(s), c.want)
			d.set(func() { expect(t, c.what+": requests", len(d.reads), c.asked) })
			if s.Received.Before(c.notBefore) {
				t.Errorf("%s: received at %v", c.what, s.Received)
			}
		}
	})
}

// A sample whose request went out before notBefore may be older than that,
// even if it came later.
func TestReadUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = time.Second
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Minute))})
		pass(500 * time.Millisecond) // the first scan is on the wire
		s := mustRead(t, g, "a", time.Now())
		d.set(func() { expect(t, "requests", len(d.reads), 2) })
		expect(t, "read ends after the start", s.Received.Sub(g.start), 2*time.Second)
	})
}

// Reads of several callers that wait for one link are one request, and the
// scans that come in between answer who can use them.
func TestReadsCoalesce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = time.Second
		for h := range 3 {
			d.value(h, tag.Int(int64(10+h)))
		}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(
			polled("t0", time.Hour), polled("t1", 0), polled("t2", 0), polled("t3", 0))})
		// The scan of t0 is on the wire, asked at this very moment.
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				p := tag.Path(fmt.Sprintf("t%d", i%3))
				if s, err := g.Read(t.Context(), p, time.Now()); err != nil || show(s) != fmt.Sprint(10+i%3) {
					t.Errorf("%s: %v, %v", p, s, err)
				}
			})
		}
		wg.Wait()
		d.set(func() {
			expect(t, "requests: the scan, and one for all", len(d.reads), 2)
			expect(t, "tags in the second", len(d.reads[1].handles), len("1 2"))
		})
	})
}

// What a plain read shows is at most max(3 periods, period + 2 s) old while the link is up.
func TestReadStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("asked", 0), polled("a", time.Second))})
		mustRead(t, g, "asked", time.Now())
		for _, c := range []struct {
			wait time.Duration
			more int
		}{{2 * time.Second, 0}, {time.Millisecond, 1}, {2001 * time.Millisecond, 1}} {
			pass(c.wait)
			before := d.count("0")
			mustRead(t, g, "asked", time.Time{})
			expect(t, fmt.Sprintf("requests after %v", c.wait), d.count("0")-before, c.more)
		}
		e := g.byPath["a"]
		at := time.Now()
		c := cell{sample: tag.Sample{Received: at}}
		for age, want := range map[time.Duration]bool{3 * time.Second: false, 3001 * time.Millisecond: true} {
			expect(t, fmt.Sprintf("1 s class, %v old, stale", age), c.stale(e, at.Add(age)), want)
		}
		e.Item.Period = 10 * time.Second
		for age, want := range map[time.Duration]bool{30 * time.Second: false, 30001 * time.Millisecond: true} {
			expect(t, fmt.Sprintf("10 s class, %v old, stale", age), c.stale(e, at.Add(age)), want)
		}
	})
}

func (d *device) count(handles string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.reads {
		if c.handles == handles {
			n++
		}
	}
	return n
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = time.Second
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 0))})
		pass(time.Second)
		_, err := g.Read(t.Context(), "b", time.Time{})
		var refusal *tag.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != tag.NoSuchTag || err.Error() != "b: there is no such tag" {
			t.Errorf("a tag that is not there: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Read(ended, "a", time.Time{}); !errors.Is(err, context.Canceled) {
			t.Errorf("a ctx that has ended: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := g.Read(short, "a", time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a ctx that ends while the device is asked: %v", err)
		}
		queued, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := g.Read(queued, "a", time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a ctx that ends while the link is busy: %v", err)
		}
		pass(time.Second)
		expect(t, "requests of four reads", d.count("0"), 1)
	})
}

// A read of a tag that a subscription keeps fresh does not ask, however old
// the last change is, unless it demands a younger sample.
func TestReadSubscribed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(5)}}}
		pass(time.Hour)
		expect(t, "an hour later", show(mustRead(t, g, "a", time.Time{})), "5")
		expect(t, "requests", d.count("0"), 0)
		d.value(0, tag.Int(6))
		expect(t, "demanded", show(mustRead(t, g, "a", time.Now())), "6")
		expect(t, "requests", d.count("0"), 1)
	})
}

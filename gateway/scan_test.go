package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// Each class is read at its period, by one request each, with the same slice each time.
func TestScanPeriods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		_, stop := startable(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(
			polled("a", 100*time.Millisecond), polled("b", time.Second), polled("c", 100*time.Millisecond), polled("never", 0))})
		pass(9950 * time.Millisecond)
		stop()
		count := make(map[string]int)
		first := make(map[string]*tag.Item)
		for i, c := range d.reads {
			count[c.handles]++
			if p := first[c.handles]; p != nil && p != d.first[i] {
				t.Errorf("scan %d of %s came with another slice", count[c.handles], c.handles)
			}
			first[c.handles] = d.first[i]
		}
		expect(t, "kinds of requests", len(count), 2)
		expect(t, "scans of the fast class in 9.95 s", count["0 2"], 100)
		expect(t, "scans of the slow class in 9.95 s", count["1"], 10)
	})
}

// The first scan comes at once, the second after a part of the period that is
// left to chance, then the period is kept.
func TestScanPhase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g, err := New(Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		if err != nil {
			t.Fatal(err)
		}
		g.jitter = func() float64 { return 0.75 }
		begin := time.Now()
		run(t, g)
		pass(2500 * time.Millisecond)
		var got []time.Duration
		d.set(func() {
			for _, c := range d.reads {
				got = append(got, c.at.Sub(begin))
			}
		})
		want := []time.Duration{0, 250 * time.Millisecond, 1250 * time.Millisecond, 2250 * time.Millisecond}
		if len(got) != len(want) {
			t.Fatalf("scans at %v, want %v", got, want)
		}
		for i := range want {
			expect(t, "scan", got[i], want[i])
		}
	})
}

// A scan that takes longer than its period leaves out what it missed, and says so.
func TestScanOverrun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = 250 * time.Millisecond
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 100*time.Millisecond))})
		pass(1900 * time.Millisecond)
		synctest.Wait()
		// The first scan ends at 250 ms; the second is due at 350 ms, and from
		// then on every third beat is kept: 650, 950, 1250, 1550, 1850 ms.
		d.set(func() { expect(t, "scans in 1.9 s", len(d.reads), 7) })
		expect(t, "overruns", g.Links()[0].Overruns, 10)
	})
}

// Fast classes that never keep their time do not starve the slow one.
func TestScanFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = 120 * time.Millisecond // more than the fast period
		_, stop := startable(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("fast", 100*time.Millisecond), polled("too", 110*time.Millisecond), polled("slow", time.Second))})
		pass(10 * time.Second)
		stop()
		slow := 0
		for _, c := range d.reads {
			if c.handles == "2" {
				slow++
			}
		}
		if slow < 8 {
			t.Errorf("%d scans of the slow class in 10 s beside two fast ones that never keep their time", slow)
		}
	})
}

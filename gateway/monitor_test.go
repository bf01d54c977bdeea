package gateway

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// refused is what a driver tells of an item that its device does not monitor.
func refused(handle int, code tag.StatusCode) tag.Change {
	return tag.Change{Handle: handle, Sample: tag.BadSample(code, time.Time{}), Unmonitored: true}
}

// tells has the device tell something and waits until the gateway has it.
func (d *teller) tells(changes ...tag.Change) {
	d.tell <- changes
	synctest.Wait()
}

// good is a change to a good value.
func good(handle int, v int64) tag.Change {
	return tag.Change{Handle: handle, Sample: tag.Sample{Value: tag.Int(v)}}
}

// shownAs returns what the image shows of the only, or first, tag.
func shownAs(g *Gateway) string { return show(g.Snapshot()[0]) }

// An item that the device does not monitor follows the device by polling, at its
// own pace and with the times of its own reads, beside one that is monitored.
func TestUnmonitoredIsPolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.value(0, tag.Int(1))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(
			polled("a", time.Second), polled("b", time.Second), polled("c", 3*time.Second), polled("d", 0))})
		d.tells(good(1, 5), refused(2, tag.BadNodeIdUnknown), refused(0, tag.BadOutOfRange), refused(3, tag.BadOutOfRange))
		begin := time.Now()
		for n := range 10 {
			expect(t, "polled", shownAs(g), tag.Int(int64(n+1)).String())
			s := g.Snapshot()[0]
			expect(t, "its time", s.Received.Sub(begin), time.Duration(n)*time.Second)
			d.value(0, tag.Int(int64(n+2)))
			pass(time.Second)
			synctest.Wait()
		}
		expect(t, "monitored all the time", show(g.Snapshot()[1]), "5")
		expect(t, "on demand only", show(g.Snapshot()[3]), "BadOutOfRange")
		d.set(func() {
			for _, c := range d.reads {
				at := c.at.Sub(begin)
				if want := map[bool]string{true: "2", false: "0"}[c.handles == "2"]; c.handles != want || at%time.Second != 0 {
					t.Errorf("%s was read at %v", c.handles, at)
				}
			}
		})
		expect(t, "reads of a", d.count("0"), 11)
		expect(t, "reads of c", d.count("2"), 4)
	})
}

// When polling stops while the link is up, the item's age tells.
func TestUnmonitoredGrowsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.value(0, tag.Int(1))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), polled("b", time.Second))})
		d.tells(refused(0, tag.BadOutOfRange), good(1, 5))
		expect(t, "polled", shownAs(g), "1")
		d.set(func() { d.readTakes = time.Hour })
		last := g.Snapshot()[0].Received
		for range 100 {
			pass(100 * time.Millisecond)
			synctest.Wait()
			s := g.Snapshot()[0]
			if age := time.Since(last); s.Status.IsGood() != (age <= 3*time.Second) {
				t.Fatalf("%v after its last read the item is %s", age, show(s))
			}
		}
		expect(t, "monitored", show(g.Snapshot()[1]), "5")
	})
}

// A value that was read on demand of an item that was never told of does not
// stay fresh, though the link is subscribed.
func TestReadOnceAndNeverTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.value(0, tag.Int(1))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		expect(t, "read", show(mustRead(t, g, "a", time.Now())), "1")
		expect(t, "shown", shownAs(g), "1")
		d.value(0, tag.Int(2))
		pass(3001 * time.Millisecond)
		expect(t, "later", shownAs(g), "1 UncertainLastUsableValue")
		expect(t, "plain read", show(mustRead(t, g, "a", time.Time{})), "2")
	})
}

// An item returns to the subscription with what the device tells of it, and
// leaves it again; no other item is read for that.
func TestMonitoredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), polled("b", time.Second))})
		d.tells(refused(0, tag.BadOutOfRange), refused(1, tag.BadOutOfRange))
		pass(time.Second)
		synctest.Wait()
		expect(t, "reads of both", d.count("0 1"), 2)

		d.tells(good(0, 7))
		pass(time.Hour)
		synctest.Wait()
		expect(t, "reads of a", d.count("0 1")+d.count("0"), 2)
		expect(t, "told", shownAs(g), "7")

		d.tells(good(1, 8))
		all := len(d.reads)
		pass(time.Hour)
		synctest.Wait()
		expect(t, "more reads", len(d.reads)-all, 0)

		d.value(0, tag.Int(9))
		d.tells(refused(0, tag.BadNodeIdUnknown))
		expect(t, "lost, and read at once", shownAs(g), "9")
		d.set(func() {
			for i := range d.first {
				for k := range i {
					if d.first[i] == d.first[k] && d.reads[i].handles != d.reads[k].handles {
						t.Errorf("the slice of %q was used for %q", d.reads[k].handles, d.reads[i].handles)
					}
				}
			}
		})
	})
}

// What is told of an item that is polled already does not take its value away:
// the reads say more than why it is not monitored.
func TestUnmonitoredKeepsReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.value(0, tag.Int(1))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		ch := mustWatch(t, g, "a")
		mustRead(t, g, "a", time.Now())
		expect(t, "read on demand", show((<-ch).Sample), "1")
		d.tells(refused(0, tag.BadWaitingForInitialData))
		expect(t, "polled", show((<-ch).Sample), "1")
		d.tells(refused(0, tag.BadOutOfRange))
		expect(t, "polled again", show((<-ch).Sample), "1")

		d.tells(good(0, 2))
		expect(t, "told", show((<-ch).Sample), "2")
		d.set(func() { d.readTakes = 10 * time.Millisecond })
		d.tells(refused(0, tag.BadNodeIdUnknown))
		expect(t, "lost", show((<-ch).Sample), "BadNodeIdUnknown")
	})
}

// A new session begins with nothing known: what was polled is not polled on,
// and what was told is not taken for fresh.
func TestUnmonitoredSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), polled("b", time.Second))})
		d.tells(refused(0, tag.BadOutOfRange), good(1, 5))
		d.lose <- errors.New("cut")
		pass(time.Second) // it is up again
		synctest.Wait()
		reads := len(d.reads)
		pass(time.Minute)
		synctest.Wait()
		expect(t, "reads", len(d.reads)-reads, 0)
		mustRead(t, g, "b", time.Now())
		pass(time.Minute)
		expect(t, "read a minute ago", show(g.Snapshot()[1]), "0 UncertainLastUsableValue")
	})
}

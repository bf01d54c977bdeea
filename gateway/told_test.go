package gateway

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// A change that the device tells of while a read is under way is not undone by
// the read's answer, in whatever order the two come: the device does not tell
// of it again.
func TestToldDuringRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.readTakes = 10 * time.Millisecond
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		d.value(0, tag.Int(1))
		answer := make(chan string)
		read := func() {
			s, err := g.Read(t.Context(), "a", time.Now())
			if err != nil {
				t.Error(err)
			}
			answer <- show(s)
		}
		tell := func(v int64, received time.Time) {
			d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(v), Received: received}}}
			synctest.Wait()
		}

		go read()
		pass(5 * time.Millisecond)
		tell(2, time.Now())
		expect(t, "the read's own answer", <-answer, "1")
		expect(t, "told before the answer", show(mustRead(t, g, "a", time.Time{})), "2")

		go read()
		pass(5 * time.Millisecond)
		received := time.Now()
		expect(t, "the read's own answer", <-answer, "1")
		tell(3, received)
		expect(t, "told after the answer, received before", show(mustRead(t, g, "a", time.Time{})), "3")
	})
}

// What a device told of after a write, but may have sampled before it, is not
// the state after the write.
func TestToldLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		a := polled("a", time.Second)
		a.Write = &WriteRule{}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(a)})
		ch := mustWatch(t, g, "a")
		tell := func(v int64, taken time.Time) tag.Update {
			d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(v)}, Taken: taken}}
			synctest.Wait() // so that it is the newest that waits to be read
			return <-ch
		}
		tell(1, time.Time{})
		pass(time.Minute)
		mustWrite(t, g, "a", tag.Int(2))
		pass(time.Second)
		taken := time.Now().Add(-2 * time.Second)
		expect(t, "asked", tell(1, taken).Asked, taken)
		expect(t, "shown", show(g.Snapshot()[0]), "1")
		expect(t, "plain read", show(mustRead(t, g, "a", time.Time{})), "2")

		began := time.Now()
		pass(time.Second)
		tell(1, began.Add(-time.Millisecond))
		expect(t, "demanded", show(mustRead(t, g, "a", began)), "2")
		asked := d.count("0")
		pass(time.Second)
		tell(5, time.Now())
		expect(t, "certain", show(mustRead(t, g, "a", began)), "5")
		expect(t, "more requests", d.count("0")-asked, 0)
		now := time.Now()
		expect(t, "taken in the future", tell(6, now.Add(time.Hour)).Asked, now)
	})
}

// An interlock is not held by what its device may have sampled too long ago.
func TestInterlockToldLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		a := polled("a", time.Second)
		a.Write = &WriteRule{Interlocks: []Interlock{{Tag: "closed", Equals: tag.Int(1), MaxAge: time.Second}}}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(a, polled("closed", time.Second))})
		pass(time.Minute)
		d.value(1, tag.Int(0))
		d.tell <- []tag.Change{{Handle: 1, Sample: tag.Sample{Value: tag.Int(1)}, Taken: time.Now().Add(-2 * time.Second)}}
		synctest.Wait()
		got, _ := refusal(t, g, "a", tag.Int(1))
		expect(t, "refusal", got, "interlock closed is 0, must be 1")
	})
}

// A link that goes down while its device tells of something ends with no value.
func TestDownWhileTold(t *testing.T) {
	t.Parallel()
	for range 100 {
		g, err := New(Config{Connections: []Connection{plc("plc", newTeller())}, Tags: table(polled("a", time.Second))})
		if err != nil {
			t.Fatal(err)
		}
		l := g.links[0]
		s := l.up()
		g.mu.Lock()
		about, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			close(about)
			l.down(s, nil, false)
		}()
		<-about
		for range 100 {
			runtime.Gosched() // until it waits for the lock
		}
		e, now := g.byPath["a"], time.Now()
		g.cells[0].put(e, &tag.Sample{Value: tag.Int(1), Received: now}, now)
		g.mu.Unlock()
		<-ended
		if got := show(g.Snapshot()[0]); got != "BadNoCommunication" {
			t.Fatalf("the link is down, its tag is %s", got)
		}
	}
}

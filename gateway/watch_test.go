package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// A watch delivers what there is, then each sample, whether the value changed or not.
func TestWatchEverySample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		begin := time.Now()
		pass(500 * time.Millisecond)
		ch := mustWatch(t, g, "a", "a")
		for n := range 5 {
			u := <-ch
			expect(t, "path", u.Path, "a")
			expect(t, "value", show(u.Sample), "0")
			expect(t, "time of the sample", u.Sample.Received.Sub(begin), time.Duration(n)*time.Second)
			expect(t, "time of the request", u.Asked.Sub(begin), time.Duration(n)*time.Second)
		}
	})
}

// A watch before the first sample waits for it.
func TestWatchNothingYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readTakes = time.Second
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Minute))})
		ch := mustWatch(t, g, "a")
		synctest.Wait()
		select {
		case u := <-ch:
			t.Errorf("delivered %v before there was a sample", u)
		default:
		}
		expect(t, "first", show((<-ch).Sample), "0")
	})
}

// Who does not read delays nobody, and finds the newest sample of each tag, in
// the order in which their slots were filled.
func TestWatchNewestWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 0), polled("b", 0), polled("c", 0))})
		ch := mustWatch(t, g, "a", "b", "c")
		for n := range 1000 {
			d.tell <- []tag.Change{{Handle: n % 2, Sample: tag.Sample{Value: tag.Int(int64(n))}}}
		}
		synctest.Wait()
		for _, want := range []string{"998", "999"} {
			expect(t, "delivered", show((<-ch).Sample), want)
		}
		d.tell <- []tag.Change{{Handle: 2, Sample: tag.Sample{Value: tag.Int(7)}}}
		u := <-ch
		expect(t, "then", string(u.Path)+" "+show(u.Sample), "c 7")
	})
}

func TestWatchCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g, stop := startable(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		ctx, cancel := context.WithCancel(t.Context())
		mine, err := g.Watch(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		other := mustWatch(t, g, "a")
		<-mine
		cancel()
		synctest.Wait()
		if _, open := <-mine; open {
			t.Error("the watch is open after its ctx has ended")
		}
		expect(t, "slots left", len(g.cells[0].slots), 1)
		expect(t, "the other watch goes on", show((<-other).Sample), "0")
		stop()
		select {
		case _, open := <-other:
			expect(t, "the other watch is open after Run has returned", open, false)
		default:
			t.Error("the other watch is open after Run has returned")
		}
		expect(t, "slots left", len(g.cells[0].slots), 0)
		if _, open := <-mustWatch(t, g, "a"); open {
			t.Error("a watch of a gateway that has stopped is open")
		}
	})
}

func TestWatchUnknown(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Connections: []Connection{plc("plc", newDevice())}, Tags: table(polled("a", time.Second))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Watch(t.Context(), "a", "b")
	var refusal *tag.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != tag.NoSuchTag || refusal.Path != "b" {
		t.Errorf("a watch of a tag that is not there: %v", err)
	}
	expect(t, "slots of the refused watch", len(g.cells[0].slots), 0)
}

// A watch of nothing ends like any other.
func TestWatchNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := start(t, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ch, err := g.Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if u, open := <-ch; open {
			t.Errorf("delivered %v", u)
		}
	})
}

// A sample that comes while the one before is being handed over is delivered next.
func TestWatchHandover(t *testing.T) {
	t.Parallel()
	w := &watcher{g: &Gateway{}, wake: make(chan struct{}, 1), queue: make([]*slot, 2)}
	a, b := &slot{w: w}, &slot{w: w}
	put := func(s *slot, v int64) { s.put(tag.Update{Sample: tag.Sample{Value: tag.Int(v)}}) }
	put(a, 1)
	put(b, 2)
	s, _, count := w.front()
	put(a, 3)
	w.delivered(s, count)
	for _, want := range []string{"2", "3"} {
		s, u, count := w.front()
		if s == nil {
			t.Fatalf("%s was lost", want)
		}
		expect(t, "delivered", show(u.Sample), want)
		w.delivered(s, count)
	}
	if s, u, _ := w.front(); s != nil {
		t.Errorf("delivered once more: %v", u)
	}
}

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// The waits between attempts double from min to max; up to half of each is left to chance.
func TestBackoff(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Connections: []Connection{plc("plc", newDevice())}})
	if err != nil {
		t.Fatal(err)
	}
	l := g.links[0]
	for _, c := range []struct {
		jitter float64
		want   string
	}{
		{1, "[500ms 1s 2s 4s 8s 16s 30s 30s]"},
		{0.5, "[500ms 750ms 1.5s 3s 6s 12s 22.5s 22.5s]"},
		{0, "[500ms 500ms 1s 2s 4s 8s 15s 15s]"},
	} {
		g.jitter = func() float64 { return c.jitter }
		var got []time.Duration
		for n := range 8 {
			got = append(got, l.backoff(n))
		}
		expect(t, fmt.Sprintf("waits at chance %v", c.jitter), fmt.Sprint(got), c.want)
	}
	for n := range 10000 {
		if d := l.backoff(n); d < l.conn.ReconnectMin || d > l.conn.ReconnectMax {
			t.Fatalf("wait %d is %v", n, d)
		}
	}
}

// A link that cannot be reached is tried for ever, and said to be down once.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.down = errors.New("no route")
		var log bytes.Buffer
		g, stop := startable(t, Config{
			Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second)), Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		pass(time.Hour)
		s := g.Links()[0]
		expect(t, "state", s.State, Down)
		expect(t, "last error", s.LastError, "no route")
		expect(t, "errors", s.Errors, uint64(len(d.connects)))
		if n := len(d.connects); n < 200 || n > 250 { // every 15 s without chance
			t.Errorf("%d attempts in an hour", n)
		}
		d.set(func() { d.down = nil })
		pass(15 * time.Second)
		expect(t, "state", g.Links()[0].State, Up)
		expect(t, "reconnects of a link that came up for the first time", g.Links()[0].Reconnects, 0)
		stop()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"link is down"`) || !strings.Contains(lines[0], "no route") ||
			!strings.Contains(lines[1], `"link is up"`) || !strings.Contains(lines[1], fmt.Sprintf("repeated_failures=%d", s.Errors-1)) {
			t.Errorf("the log has\n%s", log.String())
		}
		expect(t, "driver closed", d.closed, 1)
	})
}

// A link that connects but brings no data waits longer and longer, too.
func TestBackoffWithoutData(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.readErr = errors.New("reset by peer")
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		pass(time.Hour)
		d.set(func() {
			if n := len(d.connects); n > 250 {
				t.Errorf("%d connections in an hour", n)
			}
			d.readErr = nil
		})
		pass(30 * time.Second)
		expect(t, "state", g.Links()[0].State, Up)
		// Data came, so the next loss is tried again soon.
		d.set(func() { d.readErr = errors.New("once more") })
		for u := range mustWatch(t, g, "a") {
			if u.Sample.Status.IsBad() {
				break
			}
		}
		d.set(func() { d.readErr = nil })
		pass(500 * time.Millisecond)
		synctest.Wait()
		expect(t, "state 500 ms after a loss", g.Links()[0].State, Up)
	})
}

// When a link is lost its tags lose their value, whoever watches or reads them
// is told, and when it is back it goes on by itself.
func TestLinkLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.value(0, tag.Int(7))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), polled("b", 0)), StartupGrace: time.Minute})
		ch := mustWatch(t, g, "a")
		expect(t, "up", show((<-ch).Sample), "7")
		d.set(func() { d.readErr, d.down = tag.ErrNotConnected, errors.New("no route") })
		lost := (<-ch).Sample
		expect(t, "lost", show(lost), "BadNoCommunication")
		expect(t, "value of what is lost", lost.Value.IsNone(), true)
		for _, p := range []tag.Path{"a", "b"} {
			at := time.Now()
			for _, notBefore := range []time.Time{{}, at} {
				s := mustRead(t, g, p, notBefore)
				expect(t, "read while down", show(s), "BadNoCommunication")
				if s.Received.Before(at) || time.Since(at) > 0 {
					t.Errorf("received at %v, returned at %v, asked at %v", s.Received, time.Now(), at)
				}
			}
		}
		status := g.Links()[0]
		expect(t, "state", status.State, Down)
		expect(t, "since", status.Since, lost.Received)
		pass(time.Minute)
		d.set(func() { d.readErr, d.down = nil, nil })
		expect(t, "back", show((<-ch).Sample), "7")
		status = g.Links()[0]
		expect(t, "state", status.State, Up)
		expect(t, "reconnects", status.Reconnects, 1)
		expect(t, "last data", status.LastData, time.Now())
	})
}

// What arrived before the link was lost in the middle of a request is used.
func TestPartialRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.value(0, tag.Int(7))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 0), polled("b", 0), polled("c", time.Hour))})
		d.set(func() { d.readErr, d.partial, d.readTakes = errors.New("cut"), 1, time.Second })
		samples := g.Links()[0].Samples
		expect(t, "the tag that arrived", show(mustRead(t, g, "a", time.Now())), "7")
		synctest.Wait()
		expect(t, "samples", g.Links()[0].Samples-samples, 1)
		expect(t, "last error", g.Links()[0].LastError, "cut")
		pass(time.Second)
		d.set(func() { d.partial = 0 })
		expect(t, "a tag that did not", show(mustRead(t, g, "b", time.Now())), "BadNoCommunication")
	})
}

// A driver that returns less than it was asked for is not trusted any further.
func TestMiscount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := start(t, Config{Connections: []Connection{plc("plc", short{newDevice()})}, Tags: table(polled("a", time.Second), polled("b", time.Second))})
		s := g.Links()[0]
		expect(t, "state", s.State, Down)
		expect(t, "last error", s.LastError, "the driver returned 1 samples for 2 items")
	})
}

// A device that hangs delays nothing on the other links.
func TestDeadLinkSlowsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead, live := newDevice(), newDevice()
		dead.readTakes, dead.writeTakes = 10*time.Hour, 10*time.Hour
		tags := []Tag{polled("dead", 100*time.Millisecond), polled("live", 100*time.Millisecond)}
		tags[0].Connection, tags[1].Connection = "dead", "live"
		tags[1].Write = &WriteRule{}
		g := start(t, Config{Connections: []Connection{plc("dead", dead), plc("live", live)}, Tags: table(tags...)})
		go g.Read(t.Context(), "dead", time.Now()) // it never ends before the test
		begin := time.Now()
		mustRead(t, g, "live", time.Now().Add(time.Nanosecond))
		mustWrite(t, g, "live", tag.Int(1))
		expect(t, "time for a read and a write", time.Since(begin), 0)
		pass(9950 * time.Millisecond)
		if n := live.count("0"); n < 100 {
			t.Errorf("%d scans in 9.95 s", n)
		}
	})
}

func TestStartupGrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		up    time.Duration // when the device can be reached
		grace time.Duration
		want  string
		after time.Duration // when the read returns
	}{
		{"in time", 5 * time.Second, 30 * time.Second, "0", 8 * time.Second},
		{"too late", time.Minute, 30 * time.Second, "BadNoCommunication", 30 * time.Second},
		{"no grace", 5 * time.Second, 0, "BadNoCommunication", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				d.down = errors.New("no route")
				writable := polled("a", time.Second)
				writable.Write = &WriteRule{}
				g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable), StartupGrace: c.grace})
				begin := time.Now()
				time.AfterFunc(c.up, func() { d.set(func() { d.down = nil }) })
				written := make(chan tag.Outcome)
				go func() { written <- mustWrite(t, g, "a", tag.Int(0)) }()
				expect(t, "read", show(mustRead(t, g, "a", time.Time{})), c.want)
				expect(t, "after", time.Since(begin), c.after)
				out := <-written
				expect(t, "written", out.Result == tag.Accepted, c.want == "0")
				expect(t, "after", time.Since(begin), c.after)
			})
		})
	}
}

// A subscription that ends is a link that is lost.
func TestSubscriptionLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), polled("b", time.Second))})
		ch := mustWatch(t, g, "a")
		d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(1)}}}
		expect(t, "told", show((<-ch).Sample), "1")
		pass(time.Minute)
		expect(t, "requests", len(d.reads), 0)
		d.lose <- errors.New("no publish response")
		expect(t, "lost", show((<-ch).Sample), "BadNoCommunication")
		expect(t, "last error", g.Links()[0].LastError, "subscription lost: no publish response")
		d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(2)}}} // of the next subscription
		expect(t, "again", show((<-ch).Sample), "2")
		expect(t, "connects", len(d.connects), 2)
		d.tell <- []tag.Change{{Handle: 9}, {Handle: 1, Sample: tag.Sample{Value: tag.Int(3)}}}
		synctest.Wait()
		expect(t, "beside a handle that does not exist", show(mustRead(t, g, "b", time.Time{})), "3")
		expect(t, "last error", g.Links()[0].LastError, errHandle.Error())
		d.lose <- nil
		expect(t, "lost without a reason", show((<-ch).Sample), "BadNoCommunication")
		expect(t, "last error", g.Links()[0].LastError, "subscription lost: the subscription ended")
	})
}

// Once a link is up again nobody is told any more that it was down.
func TestReadAfterReconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.value(0, tag.Int(7))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		d.lose <- errors.New("cut")
		synctest.Wait()
		expect(t, "while down", show((<-mustWatch(t, g, "a")).Sample), "BadNoCommunication")
		pass(500 * time.Millisecond)
		synctest.Wait()
		ch := mustWatch(t, g, "a")
		expect(t, "up, and nothing told yet", show(mustRead(t, g, "a", time.Time{})), "7")
		expect(t, "watched", show((<-ch).Sample), "7")
	})
}

// Each failure counts once.
func TestCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		d.down = errors.New("no route")
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Second, WriteRule{}), polled("b", 0))})
		pass(700 * time.Millisecond) // two attempts
		d.set(func() { d.down = nil })
		pass(300 * time.Millisecond)
		synctest.Wait()
		mustRead(t, g, "a", time.Now())
		mustWrite(t, g, "a", tag.Int(1))
		d.tell <- []tag.Change{{Handle: 0}, {Handle: 1}}
		synctest.Wait()
		s := g.Links()[0]
		got := [4]uint64{s.Requests, s.Errors, s.Samples, s.Reconnects}
		expect(t, "requests, errors, samples, reconnects", got, [4]uint64{2, 2, 3, 0})
		lose := []func(){
			func() { d.lose <- errors.New("cut") },
			func() { d.set(func() { d.readErr = errors.New("cut") }); mustRead(t, g, "a", time.Now()) },
			func() { d.set(func() { d.writeErr = errors.New("cut") }); mustWrite(t, g, "a", tag.Int(2)) },
		}
		for i, f := range lose {
			f()
			d.set(func() { d.readErr, d.writeErr = nil, nil })
			pass(5 * time.Second)
			synctest.Wait()
			s := g.Links()[0]
			expect(t, "state", s.State, Up)
			expect(t, "errors", s.Errors, uint64(3+i))
			expect(t, "reconnects", s.Reconnects, uint64(1+i))
		}
		expect(t, "requests", g.Links()[0].Requests, 4)
	})
}

func TestRunTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, stop := startable(t, Config{Connections: []Connection{plc("plc", newDevice())}})
		stop()
		if err := g.Run(t.Context()); err == nil || err.Error() != "cannot run the gateway: it has run before" {
			t.Errorf("a second Run: %v", err)
		}
	})
}

func TestAfterStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writable := polled("a", time.Second)
		writable.Write = &WriteRule{}
		g, stop := startable(t, Config{Connections: []Connection{plc("plc", newDevice())}, Tags: table(writable), StartupGrace: time.Minute})
		stop()
		expect(t, "read", show(mustRead(t, g, "a", time.Time{})), "BadShutdown")
		out := mustWrite(t, g, "a", tag.Int(1))
		expect(t, "write", out, tag.Outcome{Result: tag.Rejected, Status: tag.BadShutdown, Detail: "connection plc is not up, nothing was sent"})
	})
}

func TestCannotClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Connections: []Connection{plc("plc", stuck{newDevice()})}})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- g.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err == nil || err.Error() != "cannot close connection plc: it hangs" {
			t.Errorf("Run: %v", err)
		}
	})
}

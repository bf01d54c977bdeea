package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// writable is a tag of connection "plc" that may be written.
func writable(path tag.Path, period time.Duration, w WriteRule) Tag {
	t := polled(path, period)
	t.Write = &w
	return t
}

// Each fate of a write passes as it is; an unknown one costs the link, and
// what was or may have been written is not shown as it was before.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what    string
		outcome tag.Outcome
		err     error
		want    tag.Outcome
		up      bool
		asks    bool // a plain read asks the device
	}{
		{"accepted", tag.Outcome{Result: tag.Accepted, Status: tag.GoodCompletesAsync}, nil,
			tag.Outcome{Result: tag.Accepted, Status: tag.GoodCompletesAsync}, true, true},
		{"rejected", tag.Outcome{Result: tag.Rejected, Status: tag.BadNotWritable, Detail: "exception 2"}, nil,
			tag.Outcome{Result: tag.Rejected, Status: tag.BadNotWritable, Detail: "exception 2"}, true, false},
		{"unknown", tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}, nil,
			tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}, false, true},
		{"nothing sent", tag.Outcome{}, tag.ErrNotConnected,
			tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: "cannot write a: not connected"}, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Hour, WriteRule{}))})
				d.set(func() { d.outcome, d.writeErr = c.outcome, c.err })
				expect(t, "outcome", mustWrite(t, g, "a", tag.Int(5)), c.want)
				synctest.Wait()
				expect(t, "link is up", g.Links()[0].State == Up, c.up)
				if !c.up {
					pass(500 * time.Millisecond)
					synctest.Wait()
					expect(t, "link is up again", g.Links()[0].State, Up)
					return
				}
				before := d.count("0")
				mustRead(t, g, "a", time.Time{})
				expect(t, "the next read asks", d.count("0") > before, c.asks)
			})
		})
	}
}

// After a write nobody gets the value from before it: not a plain read, not
// one of this very moment, not a watch that begins.
func TestReadAfterWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		banded := writable("a", time.Hour, WriteRule{})
		banded.Deadband = 10
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(banded)})
		for _, read := range []func() tag.Sample{
			func() tag.Sample { return mustRead(t, g, "a", time.Time{}) },
			func() tag.Sample { return mustRead(t, g, "a", time.Now()) },
			func() tag.Sample {
				ch := mustWatch(t, g, "a")
				synctest.Wait()
				select {
				case u := <-ch:
					t.Errorf("the watch begins with %v", u)
				default:
				}
				mustRead(t, g, "a", time.Time{})
				return (<-ch).Sample
			},
		} {
			before := show(mustRead(t, g, "a", time.Time{}))
			mustWrite(t, g, "a", tag.Int(3))
			expect(t, "after the write", show(read()), "3") // within the deadband, and yet seen
			d.value(0, tag.Int(0))
			mustWrite(t, g, "a", tag.Int(0))
			if before != "0" {
				t.Fatalf("began with %s", before)
			}
		}
	})
}

func TestWriteScaled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		scaled := writable("a", time.Hour, WriteRule{})
		scaled.Scale = &tag.Scale{Factor: 0.1, Offset: -40}
		scaled.Item.Type = tag.TypeInt16
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(scaled)})
		mustWrite(t, g, "a", tag.Float(10.3))
		d.set(func() { expect(t, "on the wire", d.writes[0].Value.String(), "503") })
		expect(t, "read back", show(mustRead(t, g, "a", time.Time{})), "10.3")
		info, _ := g.Lookup("a")
		shown, err := info.Shown(tag.Float(10.33))
		if err != nil || shown.String() != "10.3" {
			t.Errorf("10.33 would be shown as %v, %v", shown, err)
		}
	})
}

// A write waits for no link that is down, and dies with the one that it waits for.
func TestWriteNotQueuedOverDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Second, WriteRule{})), StartupGrace: time.Hour})
		pass(100 * time.Millisecond)
		d.set(func() { d.readTakes, d.readErr, d.down = 5*time.Second, errors.New("cut"), errors.New("no route") })
		pass(time.Second) // a scan is on the wire that will fail
		begin := time.Now()
		read := make(chan string)
		go func() {
			s := mustRead(t, g, "a", time.Now())
			read <- show(s) + " after " + time.Since(begin).String()
		}()
		out := mustWrite(t, g, "a", tag.Int(1))
		expect(t, "read behind it", <-read, "BadNoCommunication after 4.9s")
		expect(t, "write behind it", out, tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: "connection plc was lost before the write was sent"})
		expect(t, "told after", time.Since(begin), 4900*time.Millisecond)
		begin = time.Now()
		out = mustWrite(t, g, "a", tag.Int(2))
		expect(t, "write while down", out, tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: "connection plc is not up, nothing was sent"})
		expect(t, "told after", time.Since(begin), 0)
		d.set(func() { d.readTakes, d.readErr, d.down = 0, nil, nil })
		pass(time.Minute)
		expect(t, "state", g.Links()[0].State, Up)
		d.set(func() { expect(t, "writes sent", len(d.writes), 0) })
	})
}

// Until it is on the wire a write can be withdrawn; from then on its outcome is waited for.
func TestWriteWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		limit := 100.0
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(
			writable("a", time.Hour, WriteRule{}), writable("stepped", 0, WriteRule{MaxStep: &limit}))})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Write(ended, "a", tag.Int(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("a ctx that has ended: %v", err)
		}
		d.set(func() { d.readTakes = 2 * time.Second })
		go g.Read(t.Context(), "a", time.Now().Add(time.Nanosecond)) // keeps the link busy
		synctest.Wait()
		queued, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Write(queued, "a", tag.Int(2)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a ctx that ends while the link is busy: %v", err)
		}
		pass(time.Second)
		guarded, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Write(guarded, "stepped", tag.Int(3)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a ctx that ends while a guard reads: %v", err)
		}
		d.set(func() {
			expect(t, "writes sent", len(d.writes), 0)
			d.writeTakes = 3 * time.Second
		})
		sent, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		out, err := g.Write(sent, "a", tag.Int(4))
		if err != nil || out.Result != tag.Accepted {
			t.Errorf("a ctx that ends while the write is on the wire: %v, %v", out, err)
		}
		expect(t, "outcome after", time.Since(begin), 3*time.Second)
	})
}

// A write that is on the wire when the gateway is stopped is waited for, with a limit.
func TestStopWithWriteOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		takes time.Duration
		want  tag.Result
		after time.Duration
	}{{3 * time.Second, tag.Accepted, 2 * time.Second}, {time.Minute, tag.Unknown, shutdownGrace}} {
		t.Run(c.want.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				g, stop := startable(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Hour, WriteRule{}))})
				d.set(func() { d.writeTakes = c.takes })
				results := make(chan tag.Result, 2)
				for range 2 { // one goes on the wire, one waits
					go func() { results <- mustWrite(t, g, "a", tag.Int(1)).Result }()
				}
				pass(time.Second)
				begin := time.Now()
				stop()
				expect(t, "stopped after", time.Since(begin), c.after)
				first, second := <-results, <-results
				if first > second {
					first, second = second, first
				}
				expect(t, "write that waited", first, tag.Rejected)
				expect(t, "write on the wire", second, c.want)
				expect(t, "writes sent", len(d.writes), 1)
				expect(t, "driver closed", d.closed, 1)
			})
		})
	}
}

// A driver that returns no outcome leaves it unknown.
func TestWriteMiscount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := start(t, Config{Connections: []Connection{plc("plc", silent{newDevice()})}, Tags: table(writable("a", time.Hour, WriteRule{}))})
		expect(t, "outcome", mustWrite(t, g, "a", tag.Int(1)),
			tag.Outcome{Result: tag.Unknown, Status: tag.BadInternalError, Detail: "the driver returned 0 outcomes for one write"})
	})
}

// Writes go before reads and scans, but do not shut them out.
func TestWritesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.writeTakes = 10 * time.Millisecond
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), writable("b", 0, WriteRule{}))})
		ctx, cancel := context.WithCancel(t.Context())
		for range 100 {
			go func() {
				for ctx.Err() == nil {
					g.Write(ctx, "b", tag.Int(1)) // ends with ctx
				}
			}()
		}
		pass(9950 * time.Millisecond)
		cancel()
		if n := d.count("0"); n < 10 {
			t.Errorf("%d scans in 9.95 s under a storm of writes", n)
		}
		d.set(func() {
			if n := len(d.writes); n < 950 {
				t.Errorf("%d writes in 9.95 s, of 10 ms each", n)
			}
		})
	})
}

// Every attempt leaves one line.
func TestAudit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.value(0, tag.Int(7))
		var log bytes.Buffer
		replace := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		g, stop := startable(t, Config{
			Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Hour, WriteRule{}), polled("b", 0)),
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: replace})),
		})
		d.set(func() { d.writeTakes = 20 * time.Millisecond })
		mustWrite(t, g, "a", tag.Int(8))
		d.set(func() {
			d.outcome = tag.Outcome{Result: tag.Rejected, Status: tag.BadOutOfRange, Detail: "exception 3"}
		})
		mustWrite(t, g, "a", tag.Int(9))
		for _, p := range []tag.Path{"a", "b", "c"} {
			if _, err := g.Write(t.Context(), p, tag.String("x")); err == nil {
				t.Errorf("%s took a text", p)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Write(ended, "a", tag.Int(1)); err == nil {
			t.Error("written although ctx has ended")
		}
		stop()
		want := `level=INFO msg="link is up" connection=plc driver=fake was=connecting for=0s repeated_failures=0
level=INFO msg="tag write" tag=a before=7 value=8 outcome=accepted status=Good latency=20ms
level=WARN msg="tag write" tag=a value=9 outcome=rejected status=BadOutOfRange detail="exception 3" latency=20ms
level=WARN msg="tag write" tag=a value="\"x\"" outcome=refused detail="\"x\" is not a int32" latency=0s
level=WARN msg="tag write" tag=b value="\"x\"" outcome=refused detail="it has no write: section, so nobody may write it" latency=0s
level=WARN msg="tag write" tag=c value="\"x\"" outcome=refused detail="there is no such tag" latency=0s
level=INFO msg="tag write" tag=a value=1 outcome=withdrawn detail="context canceled" latency=0s
`
		if got := log.String(); got != want {
			t.Errorf("the log has\n%swant\n%s", got, want)
		}
	})
}

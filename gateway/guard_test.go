package gateway

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

func ptr(f float64) *float64 { return &f }

// refusal writes v and returns why it was refused; "" if it was not.
func refusal(t *testing.T, g *Gateway, p tag.Path, v tag.Value) (string, tag.Reason) {
	t.Helper()
	out, err := g.Write(t.Context(), p, v)
	var r *tag.Refusal
	switch {
	case errors.As(err, &r):
		return r.Message, r.Reason
	case err != nil || out.Result != tag.Accepted:
		t.Fatalf("write of %v to %s: %+v, %v", v, p, out, err)
	}
	return "", 0
}

// The guards that need nothing but the value.
func TestStaticGuards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		limits := WriteRule{Min: ptr(-2.5), Max: ptr(1200)}
		typed := func(p tag.Path, typ tag.Type, s *tag.Scale, w *WriteRule) Tag {
			return Tag{Path: p, Connection: "plc", Item: tag.Item{Type: typ}, Scale: s, Write: w}
		}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(
			typed("read_only", tag.TypeInt16, nil, nil),
			typed("free", tag.TypeUint16, nil, &WriteRule{}),
			typed("limited", tag.TypeFloat64, nil, &limits),
			typed("any", tag.TypeAny, nil, &limits),
			typed("scaled", tag.TypeInt16, &tag.Scale{Factor: 0.5}, &limits),
			typed("coarse", tag.TypeInt16, &tag.Scale{Factor: 0.3}, &WriteRule{Min: ptr(-0.4), Max: ptr(100.4)}),
			typed("flag", tag.TypeBool, nil, &WriteRule{}),
		)})
		for _, c := range []struct {
			path   tag.Path
			v      tag.Value
			want   string
			reason tag.Reason
		}{
			{"nothing", tag.Int(1), "there is no such tag", tag.NoSuchTag},
			{"read_only", tag.Int(1), "it has no write: section, so nobody may write it", tag.NotWritable},
			{"free", tag.Int(65535), "", 0},
			{"free", tag.Int(65536), "65536 is outside the range of uint16, 0 to 65535", tag.BadValue},
			{"free", tag.Float(1.5), "1.5 is not a whole number, as uint16 needs", tag.BadValue},
			{"free", tag.Bool(true), "true is not a uint16", tag.BadValue},
			{"free", tag.None(), "null is not a uint16", tag.BadValue},
			{"limited", tag.Float(-2.5), "", 0},
			{"limited", tag.Int(1200), "", 0},
			{"limited", tag.Float(-2.6), "-2.6 is below min -2.5", tag.Guarded},
			{"limited", tag.Float(1200.1), "1200.1 is above max 1200", tag.Guarded},
			{"limited", tag.Float(math.NaN()), `"NaN" is not a number that can be written`, tag.BadValue},
			{"any", tag.Int(5), "", 0},
			{"any", tag.String("5"), `"5" is not a number, as its limits need`, tag.BadValue},
			{"scaled", tag.Float(-2.5), "", 0}, // limits are in engineering units: -5 raw
			{"scaled", tag.Int(1201), "1201 is above max 1200", tag.Guarded},
			{"scaled", tag.Bool(true), "true is not a number, as scaling needs", tag.BadValue},
			{"scaled", tag.Float(1e6), "1000000 scaled to the device's number: 2000000 is outside the range of int16, -32768 to 32767", tag.BadValue},
			{"coarse", tag.Float(100.2), "", 0}, // 334 raw
			{"coarse", tag.Float(100.3), "", 0}, // 334 raw again
			{"coarse", tag.Float(100.4), "100.4 becomes 100.5 at the device, which is above max 100.4", tag.Guarded},
			{"coarse", tag.Float(-0.4), "", 0}, // -1 raw
			{"flag", tag.Int(1), "1 is not a bool", tag.BadValue},
			{"flag", tag.Bool(true), "", 0},
		} {
			var r *tag.Refusal
			if err := g.Admits(c.path, c.v); (err == nil) != (c.want == "") || errors.As(err, &r) && (r.Message != c.want || r.Reason != c.reason) {
				t.Errorf("%s = %v is judged as %v, want %q", c.path, c.v, err, c.want)
			}
			sent := len(d.writes)
			got, reason := refusal(t, g, c.path, c.v)
			if got != c.want || reason != c.reason {
				t.Errorf("%s = %v: %q (%d), want %q (%d)", c.path, c.v, got, reason, c.want, c.reason)
			}
			expect(t, "sent", len(d.writes) > sent, c.want == "")
		}
	})
}

// max_step counts from what the device has at the moment, not from the image.
func TestMaxStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		scaled := writable("b", 0, WriteRule{MaxStep: ptr(1)})
		scaled.Scale = &tag.Scale{Factor: 0.1}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Hour, WriteRule{MaxStep: ptr(200)}), scaled)})
		for _, c := range []struct {
			path tag.Path
			has  tag.Value
			st   tag.StatusCode
			v    tag.Value
			want string
		}{
			{"a", tag.Int(100), tag.Good, tag.Int(300), ""},
			{"a", tag.Int(100), tag.Good, tag.Int(301), "from 100 to 301 is a step of 201, max_step is 200"},
			{"a", tag.Int(100), tag.Good, tag.Int(-101), "from 100 to -101 is a step of 201, max_step is 200"},
			{"a", tag.Float(math.NaN()), tag.Good, tag.Int(0), `max_step 200 cannot be checked: the tag reads "NaN"`},
			{"a", tag.String("x"), tag.Good, tag.Int(0), `max_step 200 cannot be checked: the tag reads "x"`},
			{"a", tag.Int(0), tag.BadDeviceFailure, tag.Int(0), "max_step 200 cannot be checked: the tag reads BadDeviceFailure"},
			{"a", tag.Int(0), tag.Uncertain, tag.Int(0), "max_step 200 cannot be checked: the tag reads Uncertain"},
			{"b", tag.Int(100), tag.Good, tag.Float(10.9), ""},
			{"b", tag.Int(100), tag.Good, tag.Float(11.5), "from 10 to 11.5 is a step of 1.5, max_step is 1"},
		} {
			handle := g.byPath[c.path].Item.Handle
			d.set(func() { d.values[handle], d.status[handle] = c.has, c.st })
			asked, sent := d.count(strconv.Itoa(handle)), len(d.writes)
			got, _ := refusal(t, g, c.path, c.v)
			expect(t, "refusal", got, c.want)
			expect(t, "reads", d.count(strconv.Itoa(handle))-asked, 1)
			expect(t, "sent", len(d.writes) > sent, c.want == "")
		}
		d.set(func() { d.readErr = errors.New("cut") })
		out, err := g.Write(t.Context(), "a", tag.Int(0))
		if err != nil || out != (tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: "cut"}) {
			t.Errorf("write while the link is cut: %+v, %v", out, err)
		}
	})
}

func TestMinInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(writable("a", time.Hour, WriteRule{MinInterval: time.Second}))})
		write := func(want string) {
			t.Helper()
			got, _ := refusal(t, g, "a", tag.Int(1))
			expect(t, "refusal", got, want)
		}
		write("")
		pass(400 * time.Millisecond)
		write("it was written 400ms ago, min_interval is 1s")
		pass(600 * time.Millisecond) // the refused one does not count
		write("")
		pass(time.Second)
		d.set(func() { d.writeErr = tag.ErrNotConnected })
		expect(t, "not sent", mustWrite(t, g, "a", tag.Int(1)).Result, tag.Rejected)
		d.set(func() { d.writeErr = nil })
		pass(500 * time.Millisecond) // the link comes back
		synctest.Wait()
		write("") // what was not sent does not count
		d.set(func() { d.outcome = tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout} })
		pass(time.Second)
		expect(t, "unknown", mustWrite(t, g, "a", tag.Int(1)).Result, tag.Unknown)
		d.set(func() { d.outcome = tag.Outcome{Result: tag.Accepted} })
		pass(500 * time.Millisecond)
		synctest.Wait()
		write("it was written 500ms ago, min_interval is 1s") // over the new link, too
	})
}

// interlocked is a gateway whose tag "valve" may be written while "guard" is
// closed; the guard is on the connection of that name.
func interlocked(t *testing.T, plcs, guards Driver, connection string, maxAge, period time.Duration) *Gateway {
	t.Helper()
	guard := polled("guard", period)
	guard.Connection = connection
	valve := writable("valve", 0, WriteRule{Interlocks: []Interlock{{Tag: "guard", Equals: tag.Int(1), MaxAge: maxAge}}})
	connections := []Connection{plc("plc", plcs)}
	if connection != "plc" {
		connections = append(connections, plc(connection, guards))
	}
	return start(t, Config{Connections: connections, Tags: table(guard, valve)})
}

func TestInterlocks(t *testing.T) {
	t.Parallel()
	for _, connection := range []string{"plc", "other"} {
		t.Run(connection, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				guards := d
				if connection != "plc" {
					guards = newDevice()
				}
				g := interlocked(t, d, guards, connection, 2*time.Second, time.Hour)
				for _, c := range []struct {
					wait time.Duration
					has  tag.Value
					st   tag.StatusCode
					want string
					asks int
				}{
					{0, tag.Int(1), tag.Good, "interlock guard is 0, must be 1", 0}, // as the first scan saw it
					{2 * time.Second, tag.Int(1), tag.Good, "interlock guard is 0, must be 1", 0},
					{time.Millisecond, tag.Int(1), tag.Good, "", 1},
					{time.Second, tag.Int(0), tag.Good, "", 0}, // still young enough
					{2 * time.Second, tag.Float(1), tag.Good, "", 1},
					{3 * time.Second, tag.Bool(true), tag.Good, "interlock guard is true, must be 1", 1},
					{3 * time.Second, tag.Float(math.NaN()), tag.Good, `interlock guard is "NaN", must be 1`, 1},
					{3 * time.Second, tag.Int(1), tag.Uncertain, "interlock guard is Uncertain, must be Good", 1},
					{3 * time.Second, tag.Int(1), tag.BadSensorFailure, "interlock guard is BadSensorFailure, must be Good", 1},
				} {
					pass(c.wait)
					guards.set(func() { guards.values[0], guards.status[0] = c.has, c.st })
					asked, sent := guards.count("0"), len(d.writes)
					got, _ := refusal(t, g, "valve", tag.Int(1))
					expect(t, "refusal", got, c.want)
					expect(t, "reads of the guard", guards.count("0")-asked, c.asks)
					expect(t, "sent", len(d.writes) > sent, c.want == "")
				}
			})
		})
	}
}

// With max_age 0 each write has the guard read.
func TestInterlockAlwaysRead(t *testing.T) {
	t.Parallel()
	for _, connection := range []string{"plc", "other"} {
		t.Run(connection, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				guards := d
				if connection != "plc" {
					guards = newDevice()
				}
				guards.value(0, tag.Int(1))
				g := interlocked(t, d, guards, connection, 0, 100*time.Millisecond)
				for n := range 5 {
					pass(time.Millisecond)
					got, _ := refusal(t, g, "valve", tag.Int(1))
					expect(t, "refusal", got, "")
					expect(t, "reads of the guard", guards.count("0"), n+2)
				}
			})
		})
	}
}

// The guard's link is down: the write is refused at once, and the write's own link is not held up.
func TestInterlockLinkDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, guards := newDevice(), newDevice()
		guards.down = errors.New("no route")
		g := interlocked(t, d, guards, "other", time.Second, time.Hour)
		begin := time.Now()
		got, _ := refusal(t, g, "valve", tag.Int(1))
		expect(t, "refusal", got, "interlock guard is BadNoCommunication, must be Good")
		expect(t, "after", time.Since(begin), 0)
	})
}

// The guard's sample grows too old while the write waits for its turn: it is
// read again, and in the end the write is refused.
func TestInterlockTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, guards := newDevice(), newDevice()
		guards.value(0, tag.Int(1))
		guards.readTakes = 800 * time.Millisecond // longer than max_age, once read
		g := interlocked(t, d, guards, "other", 500*time.Millisecond, time.Hour)
		pass(2 * time.Second)
		asked := guards.count("0")
		got, reason := refusal(t, g, "valve", tag.Int(1))
		expect(t, "refusal", got, "interlock guard was read 800ms ago, max_age is 500ms")
		expect(t, "reason", reason, tag.Guarded)
		expect(t, "reads of the guard", guards.count("0")-asked, attempts)
		expect(t, "sent", len(d.writes), 0)
	})
}

// Two links whose tags lock each other are never stuck.
func TestInterlocksCrosswise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDevice(), newDevice()
		a.readTakes, b.readTakes = 10*time.Millisecond, 10*time.Millisecond
		lockedBy := func(path, by tag.Path, connection string) Tag {
			w := writable(path, 0, WriteRule{Interlocks: []Interlock{{Tag: by, Equals: tag.Int(0)}}, MaxStep: ptr(5)})
			w.Connection = connection
			return w
		}
		g := start(t, Config{Connections: []Connection{plc("one", a), plc("two", b)}, Tags: table(lockedBy("x", "y", "one"), lockedBy("y", "x", "two"))})
		done := make(chan string)
		for _, p := range []tag.Path{"x", "y"} {
			for range 20 {
				go func() {
					got, _ := refusal(t, g, p, tag.Int(0))
					done <- got
				}()
			}
		}
		begin := time.Now()
		for range 40 {
			if got := <-done; got != "" && !strings.HasPrefix(got, "interlock ") {
				t.Errorf("refused: %s", got)
			}
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("40 writes took %v", took)
		}
	})
}

package gateway

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// A change within the deadband keeps the value that is shown and refreshes the
// times; quality always passes; NaN is within nothing.
func TestDeadband(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		banded := polled("a", 0)
		banded.Deadband = 0.5
		banded.Item.Type = tag.TypeFloat64
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(banded)})
		ch := mustWatch(t, g, "a")
		for _, c := range []struct {
			v      tag.Value
			status tag.StatusCode
			shown  string
			exact  string
		}{
			{tag.Float(10), tag.Good, "10", "10"},
			{tag.Float(10.5), tag.Good, "10", "10.5"},
			{tag.Float(9.5), tag.Good, "10", "9.5"},
			{tag.Float(10.51), tag.Good, "10.51", "10.51"},
			{tag.Float(10.52), tag.Uncertain, "10.52 Uncertain", "10.52 Uncertain"},
			{tag.Float(10.51), tag.Uncertain, "10.52 Uncertain", "10.51 Uncertain"},
			{tag.Float(10.51), tag.Good, "10.51", "10.51"},
			{tag.None(), tag.BadSensorFailure, "BadSensorFailure", "BadSensorFailure"},
			{tag.Float(10.51), tag.Good, "10.51", "10.51"},
			{tag.Float(math.NaN()), tag.Good, `"NaN"`, `"NaN"`},
			{tag.Float(math.NaN()), tag.Good, `"NaN"`, `"NaN"`},
			{tag.Float(10.51), tag.Good, "10.51", "10.51"},
			{tag.Float(math.Inf(1)), tag.Good, `"+Inf"`, `"+Inf"`},
			{tag.String("10.51"), tag.Good, `"10.51"`, `"10.51"`},
			{tag.Float(1), tag.Good, "1", "1"},
			{tag.Int(1), tag.Good, "1", "1"},
		} {
			pass(time.Second)
			at := time.Now()
			source := at.Add(-time.Hour)
			d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: c.v, Status: c.status, Source: source, Server: source}}}
			u := <-ch
			expect(t, "shown", show(u.Sample), c.shown)
			own := u.Sample
			if !u.Own.IsNone() {
				own.Value = u.Own
			}
			expect(t, "own", show(own), c.exact)
			expect(t, "received", u.Sample.Received, at)
			expect(t, "source", u.Sample.Source, source)
			expect(t, "server", u.Sample.Server, source)
			expect(t, "plain read", show(mustRead(t, g, "a", time.Time{})), c.shown)
			expect(t, "read of now", show(mustRead(t, g, "a", at)), c.exact)
		}
		expect(t, "requests", len(d.reads), 0)
	})
}

// Deadband and scale meet in engineering units.
func TestDeadbandScaled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		banded := polled("a", 0)
		banded.Deadband, banded.Scale = 0.5, &tag.Scale{Factor: 0.1}
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(banded)})
		ch := mustWatch(t, g, "a")
		for raw, want := range []string{100: "10", 105: "10", 106: "10.6"} {
			if want == "" {
				continue
			}
			d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(int64(raw))}}}
			expect(t, "shown", show((<-ch).Sample), want)
		}
		d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.String("x")}}}
		s := (<-ch).Sample
		expect(t, "text that should be scaled", show(s), "BadTypeMismatch")
		expect(t, "its value", s.Value.IsNone(), true)
	})
}

// Of two samples the one that was received later stays, and a driver's clock
// cannot reach into the future.
func TestNewerWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTeller()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", 0))})
		pass(time.Minute)
		tell := func(v int64, received time.Time) {
			d.tell <- []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(v), Received: received}}}
			synctest.Wait()
		}
		at := time.Now()
		tell(1, at)
		tell(2, at.Add(-time.Second))
		expect(t, "after an older one", show(mustRead(t, g, "a", time.Time{})), "1")
		tell(3, at.Add(time.Hour))
		s := mustRead(t, g, "a", time.Time{})
		expect(t, "after one of the future", show(s), "3")
		expect(t, "its time", s.Received, at)
		tell(4, time.Time{})
		expect(t, "after one without a time", show(mustRead(t, g, "a", time.Time{})), "4")
	})
}

// A bad sample has no value, whatever the driver put there; what a driver says
// after its session ended is not heard.
func TestBadSample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.status[0] = tag.BadDeviceFailure
		d.value(0, tag.Int(5))
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second))})
		s := mustRead(t, g, "a", time.Time{})
		expect(t, "status", s.Status, tag.BadDeviceFailure)
		expect(t, "value", s.Value.IsNone(), true)

		g.take(&session{link: g.links[0]}, []tag.Change{{Handle: 0, Sample: tag.Sample{Value: tag.Int(9)}}})
		g.ingest(&session{link: g.links[0]}, g.links[0].tags, []tag.Sample{{Value: tag.Int(9)}}, time.Now())
		expect(t, "after the end", show(mustRead(t, g, "a", time.Time{})), "BadDeviceFailure")
	})
}

// Snapshot shows the image and asks nobody.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		g := start(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("z", time.Second), polled("b", 0), polled("c", 0))})
		mustRead(t, g, "c", time.Now())
		pass(2500 * time.Millisecond)
		requests := len(d.reads)
		var got [3]string
		for i, s := range g.Snapshot() {
			got[i] = show(s)
		}
		expect(t, "b, c, z", got, [3]string{"BadWaitingForInitialData", "0 UncertainLastUsableValue", "0"})
		d.set(func() { expect(t, "requests", len(d.reads), requests) })
	})
}

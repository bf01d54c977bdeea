package drivertest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"holdfast/gateway/tag"
)

// plainCases need nothing of the device but that it answers.
func plainCases() []testCase {
	return []testCase{
		{"not connected", testNotConnected},
		{"connect twice", testConnectTwice},
		{"close twice", testCloseTwice},
		{"read each type", testReadTypes},
		{"read in the order of the items", testReadOrder},
		{"read nothing", testReadNothing},
		{"cancelled context", testCancelled},
	}
}

func testNotConnected(t *testing.T, d Device) {
	is := items(d.Points)
	p := d.Points[0]
	set(t, d, p, p.value(0))
	var conns int64
	if d.Proxy != nil {
		conns = d.Proxy.Conns()
	}
	drv := newDriver(t, d, is)
	if samples, err := read(t, d, drv, is); !errors.Is(err, tag.ErrNotConnected) {
		t.Errorf("Read before Connect returned %v and %v; want tag.ErrNotConnected", samples, err)
	}
	outcomes, err := write(t, d, drv, []tag.Write{{Item: is[0], Value: p.value(1)}})
	if !errors.Is(err, tag.ErrNotConnected) {
		t.Errorf("Write before Connect returned %v and %v; want tag.ErrNotConnected", outcomes, err)
	}
	if v := get(t, d, p); !v.Equal(p.value(0)) {
		t.Errorf("Write before Connect changed the device to %v", v)
	}
	if d.Proxy != nil && d.Proxy.Conns() != conns {
		t.Errorf("a driver that was not told to connect did")
	}
}

func testConnectTwice(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	connect(t, d, drv)
	p := d.Points[0]
	set(t, d, p, p.value(1))
	expectGood(t, p, mustRead(t, d, drv, is)[0], p.value(1))
}

func testCloseTwice(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	for i := range 2 {
		within(t, d, "Close", func() {
			if err := drv.Close(); err != nil {
				t.Errorf("Close, call %d: %v", i+1, err)
			}
		})
	}
	expectLost(t, d, drv, is)

	unused := newDriver(t, d, is)
	if err := unused.Close(); err != nil {
		t.Errorf("Close before Connect: %v", err)
	}
}

func testReadTypes(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	for i, p := range d.Points {
		for _, v := range p.values() {
			set(t, d, p, v)
			expectGood(t, p, mustRead(t, d, drv, is)[i], v)
			expectGood(t, p, mustRead(t, d, drv, is[i:i+1])[0], v)
		}
	}
}

func testReadOrder(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	mixed := slices.Concat(is, is) // each point twice
	slices.Reverse(mixed)
	for round := range 2 {
		for i, p := range d.Points {
			set(t, d, p, p.value(i+round))
		}
		// Two scans of one slice: a driver may keep its plan, not its values.
		for j, s := range mustRead(t, d, drv, mixed) {
			i := mixed[j].Handle
			expectGood(t, d.Points[i], s, d.Points[i].value(i+round))
		}
	}

	// A slice that is used again for other items is not the scan class it was.
	buf := make([]tag.Item, 2)
	for i := range len(is) - 1 {
		copy(buf, is[i:])
		for j, s := range mustRead(t, d, drv, buf) {
			expectGood(t, d.Points[i+j], s, d.Points[i+j].value(i+j+1))
		}
	}
}

func testReadNothing(t *testing.T, d Device) {
	drv := connected(t, d, items(d.Points))
	if samples, err := read(t, d, drv, nil); err != nil || len(samples) != 0 {
		t.Errorf("Read of no items returned %v and %v", samples, err)
	}
	if outcomes, err := write(t, d, drv, nil); err != nil || len(outcomes) != 0 {
		t.Errorf("Write of nothing returned %v and %v", outcomes, err)
	}
}

func testCancelled(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	p := d.Points[0]
	set(t, d, p, p.value(0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	var samples []tag.Sample
	var err error
	within(t, d, "Read", func() { samples, err = drv.Read(ctx, is) })
	if err == nil {
		t.Errorf("Read with a cancelled context returned %d samples and no error", len(samples))
	}
	expectBad(t, samples, len(is))

	connect(t, d, drv)
	var outcomes []tag.Outcome
	within(t, d, "Write", func() {
		outcomes, err = drv.Write(ctx, []tag.Write{{Item: is[0], Value: p.value(1)}})
	})
	if err == nil && (len(outcomes) != 1 || outcomes[0].Result != tag.Rejected) {
		t.Errorf("Write with a cancelled context returned %v; want rejected, or an error", outcomes)
	}
	if v := get(t, d, p); !v.Equal(p.value(0)) {
		t.Errorf("Write with a cancelled context changed the device to %v", v)
	}
	recovers(t, d, drv, is)

	fresh := newDriver(t, d, is)
	within(t, d, "Connect", func() { err = fresh.Connect(ctx) })
	if err == nil {
		t.Error("Connect with a cancelled context returned no error")
	}
}

// testGoroutines counts goroutines over the life of a driver, once the first
// driver has started what may stay.
func testGoroutines(t *testing.T, d Device) {
	is := items(d.Points)
	life := func() {
		drv := connected(t, d, is)
		mustRead(t, d, drv, is)
		within(t, d, "Close", func() {
			if err := drv.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	life()
	var before int
	eventually(t.Context(), d, func() bool { // what earlier cases left at the device's side goes first
		was := before
		before = runtime.NumGoroutine()
		return was == before
	})
	for range 10 {
		life()
	}
	if !eventually(t.Context(), d, func() bool { return runtime.NumGoroutine() <= before+2 }) {
		buf := make([]byte, 256<<10)
		t.Errorf("%d goroutines before ten drivers, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	}
}

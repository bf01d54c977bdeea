package drivertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// items makes the items of points, with their index as Handle.
func items(points []Point) []tag.Item {
	is := make([]tag.Item, len(points))
	for i, p := range points {
		is[i] = tag.Item{
			Handle: i, Path: tag.Path(fmt.Sprintf("point/%d", i)), Address: p.Address, Type: p.Type,
			Order: p.Order, Length: p.Length, Period: 100 * time.Millisecond, Write: true,
		}
	}
	return is
}

// newDriver makes a driver that the test closes at its end.
func newDriver(t *testing.T, d Device, is []tag.Item) gateway.Driver {
	t.Helper()
	drv, err := d.New(is)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		// An error of a last Close says nothing about the promise under test.
		within(t, d, "Close", func() { _ = drv.Close() })
	})
	return drv
}

// connected makes a driver and connects it.
func connected(t *testing.T, d Device, is []tag.Item) gateway.Driver {
	t.Helper()
	drv := newDriver(t, d, is)
	connect(t, d, drv)
	return drv
}

func connect(t *testing.T, d Device, drv gateway.Driver) {
	t.Helper()
	var err error
	within(t, d, "Connect", func() { err = drv.Connect(t.Context()) })
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
}

// within runs f, and fails the test at once where it takes longer than allowed.
func within(t *testing.T, d Device, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(d.Patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		buf := make([]byte, 64<<10)
		t.Fatalf("%s took longer than %v\n%s", what, d.Patience, buf[:runtime.Stack(buf, true)])
	}
}

func read(t *testing.T, d Device, drv gateway.Driver, is []tag.Item) (samples []tag.Sample, err error) {
	t.Helper()
	within(t, d, "Read", func() { samples, err = drv.Read(t.Context(), is) })
	return samples, err
}

func write(t *testing.T, d Device, drv gateway.Driver, ws []tag.Write) (outcomes []tag.Outcome, err error) {
	t.Helper()
	within(t, d, "Write", func() { outcomes, err = drv.Write(t.Context(), ws) })
	return outcomes, err
}

// mustRead reads is and fails the test unless each has a sample.
func mustRead(t *testing.T, d Device, drv gateway.Driver, is []tag.Item) []tag.Sample {
	t.Helper()
	samples, err := read(t, d, drv, is)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if len(samples) != len(is) {
		t.Fatalf("Read of %d items returned %d samples", len(is), len(samples))
	}
	return samples
}

// mustWrite writes ws and fails the test unless each has an outcome.
func mustWrite(t *testing.T, d Device, drv gateway.Driver, ws []tag.Write) []tag.Outcome {
	t.Helper()
	outcomes, err := write(t, d, drv, ws)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	if len(outcomes) != len(ws) {
		t.Fatalf("Write of %d values returned %d outcomes", len(ws), len(outcomes))
	}
	return outcomes
}

func get(t *testing.T, d Device, p Point) tag.Value {
	t.Helper()
	v, err := d.Get(p)
	if err != nil {
		t.Fatalf("the device's value at %s: %v", p.Address, err)
	}
	return v
}

func set(t *testing.T, d Device, p Point, v tag.Value) {
	t.Helper()
	if err := d.Set(p, v); err != nil {
		t.Fatalf("cannot set %s at the device to %v: %v", p.Address, v, err)
	}
}

// expectGood fails the test unless s is good and holds want.
func expectGood(t *testing.T, p Point, s tag.Sample, want tag.Value) {
	t.Helper()
	if !s.Status.IsGood() || !s.Value.Equal(want) {
		t.Errorf("%s (%v) reads %v, %v; want %v, Good", p.Address, p.Type, s.Value, s.Status, want)
	}
	if s.Received.IsZero() {
		t.Errorf("%s: the sample does not say when it was received", p.Address)
	}
}

// expectLost fails the test unless the driver says that it is not connected,
// and says so again without a Connect.
func expectLost(t *testing.T, d Device, drv gateway.Driver, is []tag.Item) {
	t.Helper()
	for range 2 {
		if samples, err := read(t, d, drv, is); !errors.Is(err, tag.ErrNotConnected) {
			t.Errorf("Read on a lost link returned %d samples and %v; want tag.ErrNotConnected", len(samples), err)
		}
	}
	w := tag.Write{Item: is[0], Value: tag.Int(1)}
	if outcomes, err := write(t, d, drv, []tag.Write{w}); !errors.Is(err, tag.ErrNotConnected) {
		t.Errorf("Write on a lost link returned %v and %v; want tag.ErrNotConnected", outcomes, err)
	}
}

// expectBad fails the test unless samples is nil, or one bad sample an item.
func expectBad(t *testing.T, samples []tag.Sample, n int) {
	t.Helper()
	if samples == nil {
		return
	}
	if len(samples) != n {
		t.Errorf("a lost link gave %d samples; want none or %d", len(samples), n)
	}
	for i, s := range samples {
		if !s.Status.IsBad() || !s.Value.IsNone() {
			t.Errorf("sample %d of a lost link is %v, %v; want a bad status and no value", i, s.Value, s.Status)
		}
	}
}

// recovers fails the test unless, after Connect, the driver reads and writes
// right values at once.
func recovers(t *testing.T, d Device, drv gateway.Driver, is []tag.Item) {
	t.Helper()
	connect(t, d, drv)
	for round := range 2 {
		for i, p := range d.Points {
			set(t, d, p, p.value(round))
			expectGood(t, p, mustRead(t, d, drv, is)[i], p.value(round))
		}
	}
	p := d.Points[0]
	if o := mustWrite(t, d, drv, []tag.Write{{Item: is[0], Value: p.value(0)}})[0]; o.Result != tag.Accepted {
		t.Errorf("write after a new Connect: %v %v %s; want accepted", o.Result, o.Status, o.Detail)
	}
	if v := get(t, d, p); !v.Equal(p.value(0)) {
		t.Errorf("the device has %v at %s; want %v", v, p.Address, p.value(0))
	}
}

// eventually polls ok until it is true, for as long as the device's patience.
func eventually(ctx context.Context, d Device, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return ok()
		case <-tick.C:
		}
	}
	return true
}

package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/gateway/tag"
)

// stopCases need a device that can die and come back.
func stopCases() []testCase {
	return []testCase{
		{"device dies", testDeviceDies},
		{"write to a dead device", testWriteDead},
		{"device is down at Connect", testConnectDown},
	}
}

func stop(t *testing.T, d Device) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Fatalf("cannot stop the device: %v", err)
	}
}

func start(t *testing.T, d Device) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatalf("cannot start the device: %v", err)
	}
}

func testDeviceDies(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	mustRead(t, d, drv, is)
	stop(t, d)
	samples, err := read(t, d, drv, is)
	if err == nil {
		t.Error("Read from a dead device returned no error")
	}
	expectBad(t, samples, len(is))
	expectLost(t, d, drv, is)
	start(t, d)
	expectLost(t, d, drv, is) // it never connects by itself
	recovers(t, d, drv, is)
}

// testWriteDead writes to a device that died unseen: a request may have left,
// and then the outcome says so.
func testWriteDead(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	stop(t, d)
	ws := []tag.Write{{Item: is[0], Value: d.Points[0].value(0)}, {Item: is[1], Value: d.Points[1].value(0)}}
	outcomes, err := write(t, d, drv, ws)
	if err == nil && len(outcomes) != len(ws) {
		t.Errorf("Write of %d values returned %d outcomes", len(ws), len(outcomes))
	}
	for i, o := range outcomes {
		if o.Result == tag.Accepted || o.Status.IsGood() {
			t.Errorf("write %d to a dead device: %v %v", i, o.Result, o.Status)
		}
	}
	expectLost(t, d, drv, is)
	start(t, d)
	recovers(t, d, drv, is)
}

func testConnectDown(t *testing.T, d Device) {
	is := items(d.Points)
	drv := newDriver(t, d, is)
	stop(t, d)
	for range 2 {
		within(t, d, "Connect", func() {
			if err := drv.Connect(t.Context()); err == nil {
				t.Error("Connect to a dead device returned no error")
			}
		})
		expectLost(t, d, drv, is)
	}
	start(t, d)
	recovers(t, d, drv, is)
}

// hangCases need a device that takes requests and says nothing.
func hangCases() []testCase {
	return []testCase{
		{"device hangs", testHang},
		{"close during a read", testCloseDuringRead},
		{"cancel during a read", testCancelDuringRead},
	}
}

func hang(t *testing.T, d Device) (undo func()) {
	t.Helper()
	undo, err := d.Hang()
	if err != nil {
		t.Fatalf("cannot make the device hang: %v", err)
	}
	return undo
}

func testHang(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	mustRead(t, d, drv, is)
	undo := hang(t, d)
	samples, err := read(t, d, drv, is)
	undo()
	if err == nil {
		t.Error("Read from a device that hangs returned no error")
	}
	expectBad(t, samples, len(is))
	expectLost(t, d, drv, is)
	recovers(t, d, drv, is)
}

// readAside starts a Read of a hanging device and returns once it is at work.
func readAside(ctx context.Context, t *testing.T, d Device, read func(context.Context) error) (result <-chan error) {
	t.Helper()
	var asked int64
	if d.Proxy != nil {
		asked = d.Proxy.RequestBytes()
	}
	done := make(chan error, 1)
	go func() { done <- read(ctx) }()
	if d.Proxy != nil && !eventually(ctx, d, func() bool { return d.Proxy.RequestBytes() > asked }) {
		t.Fatal("Read sent nothing")
	}
	return done
}

// expectError waits for a call that was started aside, and fails the test
// unless it ended with an error.
func expectError(t *testing.T, d Device, what string, result <-chan error) {
	t.Helper()
	timer := time.NewTimer(d.Patience)
	defer timer.Stop()
	select {
	case err := <-result:
		if err == nil {
			t.Errorf("%s returned no error", what)
		}
	case <-timer.C:
		t.Fatalf("%s did not end within %v", what, d.Patience)
	}
}

func testCloseDuringRead(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	undo := hang(t, d)
	result := readAside(t.Context(), t, d, func(ctx context.Context) error { _, err := drv.Read(ctx, is); return err })
	within(t, d, "Close during Read", func() {
		if err := drv.Close(); err != nil {
			t.Errorf("Close during Read: %v", err)
		}
	})
	undo()
	expectError(t, d, "Read that Close ended", result)
	expectLost(t, d, drv, is)
}

func testCancelDuringRead(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	undo := hang(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := readAside(ctx, t, d, func(ctx context.Context) error { _, err := drv.Read(ctx, is); return err })
	cancel()
	expectError(t, d, "Read that was cancelled", result)
	undo()
	recovers(t, d, drv, is)
}

// proxyCases need a driver on TCP.
func proxyCases() []testCase {
	return []testCase{
		{"links are closed", testLinksClosed},
		{"link is cut", testCut},
		{"answers are slow", testSlow},
		{"answers come late", testLate},
		{"half a frame", testHalf},
		{"write without an answer", testWriteNoAnswer},
		{"write that never arrives", testWriteNoRequest},
	}
}

// testLinksClosed counts the connections that a driver holds: many devices take
// only a few, and keep one that nobody closes.
func testLinksClosed(t *testing.T, d Device) {
	expect := func(when string, n int) {
		t.Helper()
		if !eventually(t.Context(), d, func() bool { return d.Proxy.Links() == n }) {
			t.Errorf("%s %d connections are open; want %d", when, d.Proxy.Links(), n)
		}
	}
	expect("before", 0)
	is := items(d.Points)
	drv := connected(t, d, is)
	expect("after Connect", 1)
	for range 3 {
		connect(t, d, drv)
	}
	expect("after four times Connect", 1)
	undo := hang(t, d)
	if _, err := read(t, d, drv, is); err == nil {
		t.Error("Read without an answer returned no error")
	}
	expect("after a lost link", 0)
	undo()
	connect(t, d, drv)
	within(t, d, "Close", func() {
		if err := drv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	expect("after Close", 0)
}

func testCut(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	mustRead(t, d, drv, is)
	d.Proxy.Cut()
	samples, err := read(t, d, drv, is)
	if err == nil {
		t.Error("Read over a link that was cut returned no error")
	}
	expectBad(t, samples, len(is))
	expectLost(t, d, drv, is)
	recovers(t, d, drv, is)
}

// testSlow delays answers by less than any sensible timeout.
func testSlow(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	defer d.Proxy.Pass()
	d.Proxy.DelayAnswers(2 * time.Millisecond)
	for round := range 2 {
		for i, p := range d.Points {
			set(t, d, p, p.value(i+round))
		}
		for i, s := range mustRead(t, d, drv, is) {
			expectGood(t, d.Points[i], s, d.Points[i].value(i+round))
		}
	}
}

// testLate lets an answer come after the driver gave up on it: it must not be
// taken for the answer to a later request.
func testLate(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	defer d.Proxy.Pass()
	for i, p := range d.Points {
		set(t, d, p, p.value(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.Proxy.DelayAnswers(d.Patience)
	result := readAside(ctx, t, d, func(ctx context.Context) error { _, err := drv.Read(ctx, is); return err })
	expectError(t, d, "Read whose answer is late", result)
	d.Proxy.Pass()
	recovers(t, d, drv, is)
}

func testHalf(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	d.Proxy.HalfAnswers()
	samples, err := read(t, d, drv, is)
	d.Proxy.Pass()
	if err == nil {
		t.Error("Read with half an answer returned no error")
	}
	expectBad(t, samples, len(is))
	expectLost(t, d, drv, is)
	recovers(t, d, drv, is)
}

// testWriteNoAnswer lets the device do a write and swallows its answer: the
// driver may neither say that it did happen nor that it did not, nor go on.
func testWriteNoAnswer(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	p, next := d.Points[0], d.Points[1]
	set(t, d, p, p.value(0))
	set(t, d, next, next.value(0))
	d.Proxy.DropAnswers()
	os := mustWrite(t, d, drv, []tag.Write{{Item: is[0], Value: p.value(1)}, {Item: is[1], Value: next.value(1)}})
	if os[0].Result != tag.Unknown || os[0].Status.IsGood() && os[0].Status != tag.GoodCompletesAsync {
		t.Errorf("a write without an answer is %v %v; want unknown", os[0].Result, os[0].Status)
	}
	if !eventually(t.Context(), d, func() bool { return get(t, d, p).Equal(p.value(1)) }) {
		t.Errorf("the write was not sent, and yet is unknown: the device has %v at %s", get(t, d, p), p.Address)
	}
	switch got := get(t, d, next); {
	case os[1].Result == tag.Accepted:
		t.Error("the write after it, without an answer, is accepted")
	case os[1].Result == tag.Rejected && !got.Equal(next.value(0)):
		t.Error("the write after it is rejected, but the device has its value")
	}
	if _, err := read(t, d, drv, is); !errors.Is(err, tag.ErrNotConnected) {
		t.Errorf("Read after an unknown write: %v; want tag.ErrNotConnected", err)
	}
	d.Proxy.Pass()
	recovers(t, d, drv, is)
}

// testWriteNoRequest swallows the request: to the driver it is the same.
func testWriteNoRequest(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	p := d.Points[0]
	set(t, d, p, p.value(0))
	d.Proxy.DropRequests()
	o := mustWrite(t, d, drv, []tag.Write{{Item: is[0], Value: p.value(1)}})[0]
	if o.Result != tag.Unknown {
		t.Errorf("a write that never arrived is %v %v; the driver cannot know, want unknown", o.Result, o.Status)
	}
	d.Proxy.Pass()
	expectLost(t, d, drv, is)
	if got := get(t, d, p); !got.Equal(p.value(0)) {
		t.Errorf("the device has %v at %s, of a request that it never got", got, p.Address)
	}
	recovers(t, d, drv, is)
}

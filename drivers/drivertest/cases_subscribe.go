package drivertest

import (
	"context"
	"sync"
	"testing"

	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// subscribeCases are for a driver that is a gateway.Subscriber.
func subscribeCases(d Device) []testCase {
	cases := []testCase{
		{"subscribe: first samples", testSubscribeFirst},
		{"subscribe: changes", testSubscribeChanges},
		{"subscribe: beside reads and writes", testSubscribeBeside},
		{"subscribe: close", testSubscribeClose},
	}
	if d.Missing != nil {
		cases = append(cases, testCase{"subscribe: missing address", testSubscribeMissing})
	}
	if d.Unmonitor != nil {
		cases = append(cases, testCase{"subscribe: refused item", testSubscribeRefused})
	}
	if d.Stop != nil {
		cases = append(cases, testCase{"subscribe: device dies", testSubscribeDies})
	}
	return cases
}

// subscription is a Subscribe at work and the last change of each item.
type subscription struct {
	result chan error
	cancel context.CancelFunc

	mu     sync.Mutex
	last   map[int]tag.Change
	inSink int
	over   bool // two calls of sink at once
}

func subscribe(t *testing.T, drv gateway.Driver, is []tag.Item) *subscription {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := &subscription{result: make(chan error, 1), cancel: cancel, last: make(map[int]tag.Change)}
	go func() { s.result <- drv.(gateway.Subscriber).Subscribe(ctx, is, s.sink) }()
	return s
}

func (s *subscription) sink(changes []tag.Change) {
	s.mu.Lock()
	s.inSink++
	s.over = s.over || s.inSink > 1
	s.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.last[c.Handle] = c
	}
	s.inSink--
}

func (s *subscription) get(handle int) (tag.Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.last[handle]
	return c, ok
}

// expect waits until the item's last sample is good, holds want, and comes from
// the device unasked.
func (s *subscription) expect(t *testing.T, d Device, handle int, want tag.Value) {
	t.Helper()
	if !eventually(t.Context(), d, func() bool {
		c, ok := s.get(handle)
		return ok && !c.Unmonitored && c.Sample.Status.IsGood() && c.Sample.Value.Equal(want)
	}) {
		c, ok := s.get(handle)
		t.Errorf("%s: the subscription's last change is %v, %v, unmonitored %t (any: %t); want %v",
			d.Points[handle].Address, c.Sample.Value, c.Sample.Status, c.Unmonitored, ok, want)
	}
}

// end cancels the subscription and waits for it.
func (s *subscription) end(t *testing.T, d Device) {
	t.Helper()
	s.cancel()
	expectError(t, d, "Subscribe whose context ended", s.result)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		t.Error("sink was called from two goroutines at a time")
	}
}

func testSubscribeFirst(t *testing.T, d Device) {
	is := items(d.Points)
	for i, p := range d.Points {
		set(t, d, p, p.value(i))
	}
	drv := connected(t, d, is)
	for range 2 { // a second subscription on the same link is as good
		s := subscribe(t, drv, is)
		for i, p := range d.Points {
			s.expect(t, d, i, p.value(i))
			if c, ok := s.get(i); ok && c.Sample.Received.IsZero() {
				t.Errorf("%s: the sample does not say when it was received", p.Address)
			}
		}
		s.end(t, d)
	}
}

func testSubscribeChanges(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	for round := range 4 {
		for i, p := range d.Points {
			set(t, d, p, p.value(i+round))
		}
		for i, p := range d.Points {
			s.expect(t, d, i, p.value(i+round))
		}
	}
	s.end(t, d)
}

func testSubscribeBeside(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	for round := range 4 {
		for i, p := range d.Points {
			o := mustWrite(t, d, drv, []tag.Write{{Item: is[i], Value: p.value(i + round)}})[0]
			if o.Result != tag.Accepted {
				t.Errorf("write to %s beside a subscription: %v %v %s", p.Address, o.Result, o.Status, o.Detail)
			}
			expectGood(t, p, mustRead(t, d, drv, is)[i], p.value(i+round))
			s.expect(t, d, i, p.value(i+round))
		}
	}
	s.end(t, d)
}

func testSubscribeClose(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	s.expect(t, d, 0, get(t, d, d.Points[0]))
	within(t, d, "Close", func() {
		if err := drv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	expectError(t, d, "Subscribe whose driver was closed", s.result)
}

func testSubscribeMissing(t *testing.T, d Device) {
	points, at := withMissing(d)
	is := items(points)
	for i, p := range points {
		if i != at {
			set(t, d, p, p.value(i))
		}
	}
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	whole := d
	whole.Points = points
	for i, p := range points {
		if i != at {
			s.expect(t, whole, i, p.value(i))
		}
	}
	if !eventually(t.Context(), d, func() bool { c, ok := s.get(at); return ok && c.Sample.Status.IsBad() }) {
		c, ok := s.get(at)
		t.Errorf("the missing %s has %v, %v (any: %t); want a bad sample", points[at].Address, c.Sample.Value, c.Sample.Status, ok)
	}
	s.end(t, d)
}

// testSubscribeRefused is a device that does not tell of one item for a while.
func testSubscribeRefused(t *testing.T, d Device) {
	is := items(d.Points)
	for i, p := range d.Points {
		set(t, d, p, p.value(i))
	}
	undo, err := d.Unmonitor(d.Points[1])
	if err != nil {
		t.Fatalf("Unmonitor: %v", err)
	}
	undo = sync.OnceFunc(undo)
	t.Cleanup(undo)
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	for i, p := range d.Points {
		if i != 1 {
			s.expect(t, d, i, p.value(i))
		}
	}
	if !eventually(t.Context(), d, func() bool { c, ok := s.get(1); return ok && c.Unmonitored && c.Sample.Status.IsBad() }) {
		c, ok := s.get(1)
		t.Errorf("%s, of which the device does not tell, has %v, %v, unmonitored %t (any: %t); want a bad sample, unmonitored",
			d.Points[1].Address, c.Sample.Value, c.Sample.Status, c.Unmonitored, ok)
	}
	expectGood(t, d.Points[1], mustRead(t, d, drv, is)[1], d.Points[1].value(1))
	undo()
	for round := range 2 {
		s.expect(t, d, 1, d.Points[1].value(1+round))
		set(t, d, d.Points[1], d.Points[1].value(2+round))
	}
	s.expect(t, d, 1, d.Points[1].value(3))
	s.end(t, d)
}

func testSubscribeDies(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	s := subscribe(t, drv, is)
	s.expect(t, d, 0, get(t, d, d.Points[0]))
	stop(t, d)
	expectError(t, d, "Subscribe whose device died", s.result)
	start(t, d)
	recovers(t, d, drv, is)
}

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
	if d.Stop != nil {
		cases = append(cases, testCase{"subscribe: device dies", testSubscribeDies})
	}
	return cases
}

// subscription is a Subscribe at work and the last sample of each item.
type subscription struct {
	result chan error
	cancel context.CancelFunc

	mu     sync.Mutex
	last   map[int]tag.Sample
	inSink int
	over   bool // two calls of sink at once
}

func subscribe(t *testing.T, drv gateway.Driver, is []tag.Item) *subscription {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := &subscription{result: make(chan error, 1), cancel: cancel, last: make(map[int]tag.Sample)}
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
		s.last[c.Handle] = c.Sample
	}
	s.inSink--
}

func (s *subscription) get(handle int) (tag.Sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sample, ok := s.last[handle]
	return sample, ok
}

// expect waits until the item's last sample is good and holds want.
func (s *subscription) expect(t *testing.T, d Device, handle int, want tag.Value) {
	t.Helper()
	if !eventually(t.Context(), d, func() bool {
		sample, ok := s.get(handle)
		return ok && sample.Status.IsGood() && sample.Value.Equal(want)
	}) {
		sample, ok := s.get(handle)
		t.Errorf("%s: the subscription's last sample is %v, %v (any: %t); want %v",
			d.Points[handle].Address, sample.Value, sample.Status, ok, want)
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
			if sample, ok := s.get(i); ok && sample.Received.IsZero() {
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
	if !eventually(t.Context(), d, func() bool { sample, ok := s.get(at); return ok && sample.Status.IsBad() }) {
		sample, ok := s.get(at)
		t.Errorf("the missing %s has %v, %v (any: %t); want a bad sample", points[at].Address, sample.Value, sample.Status, ok)
	}
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

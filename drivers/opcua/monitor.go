package opcua

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// monitored is how one item fares at the server.
type monitored struct {
	sub    *subscription  // nil where the item's namespace is gone
	handle uint32         // the client handle of the newest request
	id     uint32         // of the monitored item; 0 where there is none
	since  time.Time      // when the server took it; zero where it did not
	told   bool           // the server told of it since
	why    tag.StatusCode // why it is not monitored; Good while it is, or is awaited
	anew   bool           // the server is to be asked again
	lossy  bool           // its queue overflowed, which was said
}

// creation is the server's answer for one item.
type creation struct {
	index int
	id    uint32
	code  tag.StatusCode
}

// pace is how often the server is asked to sample an item.
func pace(it tag.Item) time.Duration {
	if it.Period <= 0 {
		return defaultInterval
	}
	return max(it.Period, minInterval)
}

// handle is the client handle of an item in the round-th request for it. Each
// request has another one, so that what was sent for an earlier one is known as such.
func (s *subscriber) handle(round uint32, i int) uint32 {
	n := uint32(len(s.items))
	return round%(math.MaxUint32/n)*n + uint32(i)
}

// itemOf returns the item of a client handle, and whether it is the item's newest.
func (s *subscriber) itemOf(handle uint32) (i int, ok bool) {
	if len(s.items) == 0 {
		return 0, false
	}
	i = int(handle % uint32(len(s.items)))
	return i, s.watch[i].handle == handle
}

// monitor asks for monitored items on one subscription. The error is of the
// channel, or says that the subscription is gone.
func (s *subscriber) monitor(ctx context.Context, sub *subscription, indices []int, round uint32) ([]creation, error) {
	var all []creation
	limit := s.limits.monitored
	for len(indices) > 0 {
		part := indices[:min(limit, len(indices))]
		req := &ua.CreateMonitoredItemsRequest{SubscriptionID: sub.id, TimestampsToReturn: ua.TimestampsToReturnBoth}
		for _, i := range part {
			req.ItemsToCreate = append(req.ItemsToCreate, &ua.MonitoredItemCreateRequest{
				ItemToMonitor: s.reads.ids[s.items[i].Handle], MonitoringMode: ua.MonitoringModeReporting,
				RequestedParameters: &ua.MonitoringParameters{
					ClientHandle: s.handle(round, i), SamplingInterval: milliseconds(pace(s.items[i])), QueueSize: queueSize, DiscardOldest: true,
				},
			})
		}
		r, err := call[*ua.CreateMonitoredItemsResponse](ctx, s.channel, req)
		var fault *faultError
		switch {
		case err == nil && len(r.Results) != len(part):
			return nil, fmt.Errorf("the server gave %d results to %d monitored items", len(r.Results), len(part))
		case err == nil:
			for k, i := range part {
				all = append(all, creation{i, r.Results[k].MonitoredItemID, statusCode(r.Results[k].StatusCode)})
			}
		case !errors.As(err, &fault) || endsSession(fault.code) || fault.code == ua.StatusBadSubscriptionIDInvalid:
			return nil, fmt.Errorf("cannot create monitored items: %w", err)
		case len(part) > 1 && (fault.code == ua.StatusBadTooManyOperations || tooLarge(fault.code)):
			limit = len(part) / 2
			continue
		default:
			code := statusCode(fault.code)
			if !code.IsBad() { // what was not done is not good, nor uncertain
				code = tag.BadUnexpectedError
			}
			for _, i := range part {
				all = append(all, creation{i, 0, code})
			}
		}
		indices = indices[len(part):]
	}
	return all, nil
}

// settle takes the server's answers.
func (s *subscriber) settle(answers []creation, now time.Time) {
	for _, c := range answers {
		m := &s.watch[c.index]
		m.anew = c.code.IsBad()
		if m.anew {
			m.id, m.since, m.told = 0, time.Time{}, false
			s.refused(c.index, tag.BadSample(c.code, now))
		} else {
			m.id, m.since = c.id, now // told already, perhaps, by a notification that came first
		}
	}
}

// refused has the gateway know that an item is not monitored, as why says.
func (s *subscriber) refused(i int, why tag.Sample) {
	m := &s.watch[i]
	if m.why == why.Status {
		return
	}
	m.why = why.Status
	s.out = append(s.out, tag.Change{Handle: s.items[i].Handle, Sample: why, Unmonitored: true})
}

// tells takes what the server told of an item.
func (s *subscriber) tells(i int, sample tag.Sample, taken time.Time) {
	m := &s.watch[i]
	m.told = true
	if sameCode(sample.Status, tag.BadNodeIdUnknown) {
		// The node was deleted. Some servers tell of one of that name that comes
		// in its place, others do not.
		m.anew = true
		s.refused(i, sample)
		return
	}
	m.anew, m.why = false, tag.Good
	s.out = append(s.out, tag.Change{Handle: s.items[i].Handle, Sample: sample, Taken: taken})
}

// sameCode compares two codes without their flags.
func sameCode(a, b tag.StatusCode) bool { return a>>16 == b>>16 }

// overdue finds the items that the server took and has not told of for too long.
func (s *subscriber) overdue(now time.Time) {
	for i := range s.watch {
		m := &s.watch[i]
		if m.why == tag.Good && !m.told && !m.since.IsZero() && now.Sub(m.since) >= s.set.WatchdogSilence {
			s.refused(i, tag.BadSample(tag.BadWaitingForInitialData, now))
		}
	}
}

// flush hands over what has gathered, and logs what is new of it.
func (s *subscriber) flush() {
	if len(s.out) == 0 {
		return
	}
	s.sink(s.out)
	s.said.report(s.set, s.out)
	s.out = nil
}

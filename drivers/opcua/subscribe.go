package opcua

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

const (
	// outstanding is how many publish requests wait at the server at least. One
	// alone costs a round trip between any two notifications.
	outstanding = 4

	queueSize = 4 // values that the server keeps of an item between two notifications; the newest are kept

	minInterval     = 10 * time.Millisecond
	defaultInterval = time.Second // of an item without a period
)

// subscriber is a Subscribe at work.
type subscriber struct {
	*session
	items []tag.Item
	sink  func([]tag.Change)
	subs  map[uint32]*subscription
	watch []monitored  // by index in items
	out   []tag.Change // what the sink is to be told
	said  said
	pump  *pump

	wait    time.Duration // before the server is asked again; 0 where there is nothing to ask for
	due     time.Time     // when it is; zero where that is not set
	round   uint32        // how often it was
	retried chan attempt  // nil while it is not
}

// subscription is one of the server's (OPC 10000-4, 5.14). Items of one period
// share one.
type subscription struct {
	id        uint32
	interval  time.Duration // from one notification to the next, as the server revised it
	keepAlive time.Duration // how long the server may be silent, as it revised it
	silence   time.Duration // how long we let it
	heard     time.Time
	order     sequence
}

// Subscribe has the server report changes of items until ctx ends, which leaves
// the session as it was, or the session is lost. It runs beside Read and Write.
func (d *Driver) Subscribe(ctx context.Context, items []tag.Item, sink func([]tag.Change)) error {
	s := d.current()
	if s == nil {
		return tag.ErrNotConnected
	}
	sub := &subscriber{
		session: s, items: slices.Clone(items), sink: sink, subs: map[uint32]*subscription{},
		watch: make([]monitored, len(items)), said: d.said,
	}
	err := sub.run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.fail(err)
	return fmt.Errorf("the subscription to %s ended: %w", d.set.URL, err)
}

// run returns why the subscriptions ended, and leaves none at the server.
func (s *subscriber) run(ctx context.Context) error {
	defer s.remove()
	if err := s.create(ctx); err != nil {
		return err
	}
	s.pump = startPump(s.channel, max(outstanding, len(s.subs)+1), s.publishLimit())
	defer func() {
		// The publish requests that still wait are answered once the
		// subscriptions are gone; a later Subscribe must not meet them.
		s.pump.stop()
		if s.retried != nil {
			<-s.retried
		}
		s.remove()
		s.pump.drain()
	}()
	tick := time.NewTicker(max(s.set.WatchdogSilence/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.lost:
			return s.cause
		case p := <-s.pump.answers:
			if p.err != nil {
				return p.err
			}
			if err := s.take(p.response, time.Now()); err != nil {
				return err
			}
		case a := <-s.retried:
			s.retried = nil
			if a.err != nil {
				return a.err
			}
			s.settle(a.answers, time.Now())
		case now := <-tick.C:
			if err := s.watchdog(now); err != nil {
				return err
			}
			s.overdue(now)
			s.retry(now)
		}
		s.flush()
	}
}

// create makes a subscription for each period and puts the items on them.
func (s *subscriber) create(ctx context.Context) error {
	groups := map[time.Duration][]int{}
	var periods []time.Duration
	for i, it := range s.items {
		if it.Handle < 0 || it.Handle >= len(s.nodes) || s.nodes[it.Handle] == nil {
			s.refused(i, tag.BadSample(tag.BadNodeIdUnknown, time.Now()))
			continue
		}
		p := pace(it)
		if groups[p] == nil {
			periods = append(periods, p)
		}
		groups[p] = append(groups[p], i)
	}
	for _, p := range periods {
		sub, err := s.createOne(ctx, p)
		if err != nil {
			return err
		}
		for _, i := range groups[p] {
			s.watch[i].sub, s.watch[i].handle = sub, s.handle(0, i)
		}
		answers, err := s.monitor(ctx, sub, groups[p], 0)
		if err != nil {
			return err
		}
		s.settle(answers, time.Now())
	}
	s.flush()
	return nil
}

// createOne makes a subscription that is heard of at least three times within
// the watchdog's silence, be its items sampled as rarely as they like.
func (s *subscriber) createOne(ctx context.Context, period time.Duration) (*subscription, error) {
	interval := min(period, s.set.WatchdogSilence/3)
	count := max(1, uint32(s.set.WatchdogSilence/3/interval))
	life := max(3*count, uint32(min(s.set.SessionTimeout/interval, math.MaxInt32)))
	r, err := call[*ua.CreateSubscriptionResponse](ctx, s.channel, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: milliseconds(interval), RequestedMaxKeepAliveCount: count,
		RequestedLifetimeCount: life, PublishingEnabled: true,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot create a subscription: %w", err)
	}
	revised := r.RevisedPublishingInterval * float64(max(1, r.RevisedMaxKeepAliveCount))
	if !(revised > 0) || revised > milliseconds(24*time.Hour) {
		return nil, fmt.Errorf("the server wants to be silent for %g ms", revised)
	}
	sub := &subscription{id: r.SubscriptionID, heard: time.Now(), keepAlive: time.Duration(revised * float64(time.Millisecond)),
		interval: time.Duration(r.RevisedPublishingInterval * float64(time.Millisecond))}
	sub.silence = max(s.set.WatchdogSilence, 2*sub.keepAlive)
	s.subs[sub.id] = sub
	return sub, nil
}

// publishLimit is how long a publish request may wait: each takes its turn, and
// where nothing changes only a keep-alive takes one.
func (s *subscriber) publishLimit() time.Duration {
	longest := s.set.WatchdogSilence
	for _, sub := range s.subs {
		longest = max(longest, 2*sub.keepAlive)
	}
	return time.Duration(max(outstanding, len(s.subs)+1))*longest + s.limit
}

// take hands a publish response's notifications over, in their order.
func (s *subscriber) take(r *ua.PublishResponse, now time.Time) error {
	sub, m := s.subs[r.SubscriptionID], r.NotificationMessage
	if sub == nil || m == nil {
		return nil // of a subscription that was deleted
	}
	sub.heard = now
	ready, err := sub.order.add(m)
	for _, m := range ready {
		if err := s.deliver(sub, m, now); err != nil {
			return err
		}
		s.pump.acknowledge(sub.id, m.SequenceNumber)
	}
	return err
}

// deliver hands one notification message to the sink.
func (s *subscriber) deliver(sub *subscription, m *ua.NotificationMessage, now time.Time) error {
	var ended error
	for _, n := range m.NotificationData {
		switch n := extension(n).(type) {
		case *ua.DataChangeNotification:
			for _, c := range n.MonitoredItems {
				i, ok := s.itemOf(c.ClientHandle)
				if !ok {
					continue // a handle that we did not give, or gave up
				}
				it := s.items[i]
				sample := toSample(c.Value, it.Type, now)
				if overflowed(sample.Status) && !s.watch[i].lossy {
					s.watch[i].lossy = true
					s.set.Log.Warn("values of a tag changed faster than they could be fetched; the older ones are lost", "url", s.set.URL, "tag", it.Path)
				}
				s.tells(i, sample, now.Add(-sub.interval))
			}
		case *ua.StatusChangeNotification:
			ended = fmt.Errorf("the server ended a subscription: %s", statusCode(n.Status))
		}
	}
	s.flush()
	return ended
}

func extension(e *ua.ExtensionObject) any {
	if e == nil {
		return nil
	}
	return e.Value
}

// overflowed tells the bits that say "DataValue" and "Overflow" (OPC 10000-4, 7.39.1).
func overflowed(c tag.StatusCode) bool { return c&0x0C00 == 0x0400 && c&0x0080 != 0 }

// watchdog finds a subscription that fell silent.
func (s *subscriber) watchdog(now time.Time) error {
	for _, sub := range s.subs {
		if d := now.Sub(sub.heard); d > sub.silence {
			return fmt.Errorf("the server was silent about a subscription for %v", d.Round(time.Millisecond))
		}
	}
	return nil
}

// remove deletes what is left of the subscriptions at the server.
func (s *subscriber) remove() {
	if len(s.subs) == 0 {
		return
	}
	req := &ua.DeleteSubscriptionsRequest{}
	for id := range s.subs {
		req.SubscriptionIDs = append(req.SubscriptionIDs, id)
	}
	clear(s.subs)
	// The channel fails where there is no answer; and a fault, or a bad result,
	// says that they are gone already.
	_, _ = call[*ua.DeleteSubscriptionsResponse](context.Background(), s.channel, req)
}

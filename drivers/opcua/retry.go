package opcua

import (
	"context"
	"time"

	"github.com/gopcua/opcua/ua"
)

// retryMost is the longest wait before the server is asked again to monitor what
// it refused. The first wait is the watchdog's silence, each other twice the one before.
const retryMost = 5 * time.Minute

// attempt is what came of asking again.
type attempt struct {
	answers []creation
	err     error
}

// retry asks again for what is not monitored, when it is time to. The answer
// comes over s.retried, for notifications are not to wait for it.
func (s *subscriber) retry(now time.Time) {
	var again []int
	for i := range s.watch {
		if s.watch[i].anew {
			again = append(again, i)
		}
	}
	switch {
	case s.retried != nil:
		return
	case len(again) == 0:
		s.wait, s.due = 0, time.Time{}
		return
	case s.due.IsZero():
		s.wait = min(max(2*s.wait, s.set.WatchdogSilence), retryMost)
		s.due = now.Add(s.wait)
		return
	case now.Before(s.due):
		return
	}
	s.due = time.Time{}
	s.round++
	groups, ids := map[*subscription][]int{}, map[*subscription][]uint32{}
	for _, i := range again {
		m := &s.watch[i]
		groups[m.sub] = append(groups[m.sub], i)
		if m.id != 0 {
			ids[m.sub] = append(ids[m.sub], m.id)
		}
		m.handle, m.told = s.handle(s.round, i), false
	}
	done, round := make(chan attempt, 1), s.round
	s.retried = done
	go func() { done <- s.ask(groups, ids, round) }()
}

// ask replaces the monitored items ids by new ones. It may run beside all else.
func (s *subscriber) ask(groups map[*subscription][]int, ids map[*subscription][]uint32, round uint32) (a attempt) {
	for sub, old := range ids {
		for len(old) > 0 {
			part := old[:min(s.limits.monitored, len(old))]
			old = old[len(part):]
			// A fault, or a bad result, says that they are gone already; a channel
			// that failed shows below.
			_, _ = call[*ua.DeleteMonitoredItemsResponse](context.Background(), s.channel,
				&ua.DeleteMonitoredItemsRequest{SubscriptionID: sub.id, MonitoredItemIDs: part})
		}
	}
	for sub, indices := range groups {
		answers, err := s.monitor(context.Background(), sub, indices, round)
		if err != nil {
			return attempt{err: err}
		}
		a.answers = append(a.answers, answers...)
	}
	return a
}

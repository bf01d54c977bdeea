package opcua

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uasc"

	"holdfast/gateway/tag"
)

// lines is a log that a test can look into.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (l *lines) expect(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := strings.TrimSpace(l.b.String()); got != strings.Join(want, "\n") {
		t.Errorf("the log says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// paced is a server that publishes every 20 ms: a keep-alive until first says
// what its first notification is. It may be silent for half a minute, so that a
// busy machine ends nothing.
func paced(t *testing.T, first func() *ua.DataChangeNotification) handlers {
	tick := time.NewTicker(20 * time.Millisecond)
	t.Cleanup(tick.Stop)
	said := false // its requests are served one by one
	hs := subscriptions(func(int64) (ua.Response, error) {
		<-tick.C
		if said {
			return notification(2, nil), nil
		}
		if n := first(); n != nil {
			said = true
			return notification(1, n), nil
		}
		return notification(1, nil), nil
	})
	hs[id.CreateSubscriptionRequest_Encoding_DefaultBinary] = func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
		return &ua.CreateSubscriptionResponse{ResponseHeader: goodHeader(), SubscriptionID: 7,
			RevisedPublishingInterval: 20, RevisedMaxKeepAliveCount: 750, RevisedLifetimeCount: 2250}, nil
	}
	return hs
}

// collect subscribes until n changes have come, and returns them with the times
// since the beginning.
func collect(t *testing.T, d *Driver, n int, each func(tag.Change)) (got []tag.Change, at []time.Duration) {
	t.Helper()
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begin := time.Now()
	err := d.Subscribe(ctx, d.items, func(cs []tag.Change) {
		for _, c := range cs {
			got, at = append(got, c), append(at, time.Since(begin))
			each(c)
		}
		if len(got) >= n {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(got) != n {
		t.Fatalf("Subscribe ended with %v after %+v", err, got)
	}
	return got, at
}

// An item that the server took and says nothing of is not monitored, until it
// says something.
func TestFirstNotificationIsLate(t *testing.T) {
	t.Parallel()
	const silence = 300 * time.Millisecond
	var speak atomic.Bool
	p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, paced(t, func() *ua.DataChangeNotification {
		if speak.Load() {
			return change(5)
		}
		return nil
	}))
	log := &lines{}
	d := newDriver(t, Config{URL: p.url, WatchdogSilence: silence, Log: log.logger()}, clockItem())
	got, at := collect(t, d, 2, func(tag.Change) { speak.Store(true) })
	if c := got[0]; !c.Unmonitored || c.Sample.Status != tag.BadWaitingForInitialData || at[0] < silence {
		t.Errorf("of an item without a notification it was told %+v after %v", c, at[0])
	}
	if c := got[1]; c.Unmonitored || !c.Sample.Value.Equal(tag.Int(5)) {
		t.Errorf("of its first notification it was told %+v", c)
	}
	log.expect(t,
		`level=WARN msg="the server does not monitor tags; they are polled" url=`+p.url+` status=BadWaitingForInitialData count=1 first=server/time`,
		`level=INFO msg="the server monitors tags that were polled" url=`+p.url+` count=1 first=server/time`)
}

// A fault of the whole request is a refusal of its items and not the end of the
// session, and what the server sends for an earlier request is not taken for
// what it sends for the newest.
func TestMonitoringFault(t *testing.T) {
	t.Parallel()
	const silence = 300 * time.Millisecond
	var asked atomic.Int64
	hs := paced(t, func() *ua.DataChangeNotification {
		if asked.Load() < 3 {
			return nil
		}
		n := change(4)
		n.MonitoredItems[0].ClientHandle = 1 // the only item's, in the second request
		n.MonitoredItems = append(n.MonitoredItems, change(5).MonitoredItems...)
		n.MonitoredItems[1].ClientHandle = 2
		return n
	})
	take := hs[id.CreateMonitoredItemsRequest_Encoding_DefaultBinary]
	hs[id.CreateMonitoredItemsRequest_Encoding_DefaultBinary] = func(c *uasc.SecureChannel, r ua.Request, n uint32) (ua.Response, error) {
		if asked.Add(1) < 3 {
			return nil, ua.StatusBadTooManyMonitoredItems
		}
		return take(c, r, n)
	}
	p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, hs)
	log := &lines{}
	d := newDriver(t, Config{URL: p.url, WatchdogSilence: silence, Log: log.logger()}, clockItem())
	got, at := collect(t, d, 2, func(tag.Change) {})
	if c := got[0]; !c.Unmonitored || c.Sample.Status != statusCode(ua.StatusBadTooManyMonitoredItems) {
		t.Errorf("of a refused item it was told %+v", c)
	}
	if c := got[1]; c.Unmonitored || !c.Sample.Value.Equal(tag.Int(5)) || at[1]-at[0] < 3*silence {
		t.Errorf("it was told %+v after %v, want 5 after the first wait and one twice as long", c, at[1]-at[0])
	}
	log.expect(t,
		`level=WARN msg="the server does not monitor tags; they are polled" url=`+p.url+` status=BadTooManyMonitoredItems count=1 first=server/time`,
		`level=INFO msg="the server monitors tags that were polled" url=`+p.url+` count=1 first=server/time`)
}

package opcua

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uasc"

	"holdfast/gateway/tag"
)

func goodHeader() *ua.ResponseHeader {
	return &ua.ResponseHeader{Timestamp: time.Now(), ServiceDiagnostics: &ua.DiagnosticInfo{}, AdditionalHeader: ua.NewExtensionObject(nil)}
}

// subscriptions makes the services of a server that takes any subscription and
// answers the n-th publish request (from 1) as publish says; nil: never.
func subscriptions(publish func(n int64) (ua.Response, error)) handlers {
	var n atomic.Int64
	return handlers{
		id.CreateSubscriptionRequest_Encoding_DefaultBinary: func(_ *uasc.SecureChannel, r ua.Request, _ uint32) (ua.Response, error) {
			req := r.(*ua.CreateSubscriptionRequest)
			return &ua.CreateSubscriptionResponse{ResponseHeader: goodHeader(), SubscriptionID: 7,
				RevisedPublishingInterval: req.RequestedPublishingInterval, RevisedMaxKeepAliveCount: req.RequestedMaxKeepAliveCount,
				RevisedLifetimeCount: req.RequestedLifetimeCount}, nil
		},
		id.CreateMonitoredItemsRequest_Encoding_DefaultBinary: func(_ *uasc.SecureChannel, r ua.Request, _ uint32) (ua.Response, error) {
			resp := &ua.CreateMonitoredItemsResponse{ResponseHeader: goodHeader()}
			for range r.(*ua.CreateMonitoredItemsRequest).ItemsToCreate {
				resp.Results = append(resp.Results, &ua.MonitoredItemCreateResult{MonitoredItemID: 1, FilterResult: ua.NewExtensionObject(nil)})
			}
			return resp, nil
		},
		id.DeleteSubscriptionsRequest_Encoding_DefaultBinary: func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
			return &ua.DeleteSubscriptionsResponse{ResponseHeader: goodHeader(), Results: []ua.StatusCode{ua.StatusOK}}, nil
		},
		id.PublishRequest_Encoding_DefaultBinary: func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
			return publish(n.Add(1))
		},
	}
}

// notification is the answer to a publish request with one notification.
func notification(number uint32, data any) *ua.PublishResponse {
	m := &ua.NotificationMessage{SequenceNumber: number, PublishTime: time.Now()}
	if data != nil {
		m.NotificationData = []*ua.ExtensionObject{ua.NewExtensionObject(data)}
	}
	return &ua.PublishResponse{ResponseHeader: goodHeader(), SubscriptionID: 7, NotificationMessage: m}
}

func change(v int32) *ua.DataChangeNotification {
	return &ua.DataChangeNotification{MonitoredItems: []*ua.MonitoredItemNotification{
		{Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(v)}},
	}}
}

// TestSubscriptionEnds lists what ends a subscription while the session is
// well: reads, and the keep-alive of the session, are answered all the time.
func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	for name, c := range map[string]struct {
		publish func(n int64) (ua.Response, error)
		values  []int32 // what comes before the end
		want    string
	}{
		"silence": {
			func(int64) (ua.Response, error) { return nil, nil },
			nil, "the server was silent about a subscription for",
		},
		"silence after a value": {
			func(n int64) (ua.Response, error) {
				if n == 1 {
					return notification(1, change(5)), nil
				}
				return nil, nil
			},
			[]int32{5}, "the server was silent about a subscription for",
		},
		"status change": {
			func(n int64) (ua.Response, error) {
				if n == 1 {
					return notification(1, &ua.StatusChangeNotification{Status: ua.StatusBadTimeout, DiagnosticInfo: &ua.DiagnosticInfo{}}), nil
				}
				return nil, nil
			},
			nil, "the server ended a subscription: BadTimeout",
		},
		"fault at first": {
			func(n int64) (ua.Response, error) { return nil, ua.StatusBadNoSubscription },
			nil, "publish failed: Publish failed: BadNoSubscription",
		},
		"too many publish requests": {
			func(n int64) (ua.Response, error) {
				switch {
				case n < 4:
					return nil, ua.StatusBadTooManyPublishRequests // three of the four are given up
				case n < 6:
					return notification(uint32(n-3), change(int32(n))), nil
				}
				return nil, nil
			},
			[]int32{4, 5}, "the server was silent about a subscription for",
		},
		"timeouts of the server": {
			func(n int64) (ua.Response, error) {
				switch {
				case n < 10:
					return nil, ua.StatusBadTimeout
				case n == 10:
					return notification(1, change(1)), nil
				}
				return nil, nil
			},
			[]int32{1}, "the server was silent about a subscription for",
		},
		"out of order": {
			func(n int64) (ua.Response, error) {
				if n <= 4 {
					return notification(uint32([]int{3, 2, 4, 1}[n-1]), change(int32([]int{3, 2, 4, 1}[n-1]))), nil
				}
				return nil, nil
			},
			[]int32{1, 2, 3, 4}, "the server was silent about a subscription for",
		},
		"lost notification": {
			func(n int64) (ua.Response, error) {
				if n == 1 {
					return notification(1, change(1)), nil
				}
				return notification(uint32(n+1), change(int32(n))), nil
			},
			[]int32{1}, "notification 2 is lost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, subscriptions(c.publish))
			it := clockItem()
			it.Write = false
			d := newDriver(t, Config{URL: p.url, WatchdogSilence: silence}, it)
			if err := d.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []int32
			err := d.Subscribe(t.Context(), d.items, func(cs []tag.Change) {
				for _, c := range cs {
					if n, ok := c.Sample.Value.AsInt(); ok && c.Sample.Status.IsGood() {
						got = append(got, int32(n))
					}
				}
			})
			expectContains(t, "Subscribe", err, c.want)
			if len(got) != len(c.values) {
				t.Errorf("the values were %v, want %v", got, c.values)
			}
			for i := range min(len(got), len(c.values)) {
				if got[i] != c.values[i] {
					t.Errorf("the values were %v, want %v", got, c.values)
				}
			}
			if _, err := d.Read(t.Context(), d.items); !errors.Is(err, tag.ErrNotConnected) {
				t.Errorf("Read after the subscription ended: %v", err)
			}
		})
	}
}

// A server that publishes more rarely than it was asked to tells of its samples
// as late as that.
func TestTaken(t *testing.T) {
	t.Parallel()
	hs := subscriptions(func(n int64) (ua.Response, error) {
		if n == 1 {
			return notification(1, change(5)), nil
		}
		return nil, nil
	})
	hs[id.CreateSubscriptionRequest_Encoding_DefaultBinary] = func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
		return &ua.CreateSubscriptionResponse{ResponseHeader: goodHeader(), SubscriptionID: 7,
			RevisedPublishingInterval: 1500, RevisedMaxKeepAliveCount: 1, RevisedLifetimeCount: 3}, nil
	}
	p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, hs)
	d := newDriver(t, Config{URL: p.url}, clockItem())
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []tag.Change
	err := d.Subscribe(ctx, d.items, func(cs []tag.Change) {
		got = append(got, cs...)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || len(got) != 1 {
		t.Fatalf("Subscribe ended with %v after %v", err, got)
	}
	if late := got[0].Sample.Received.Sub(got[0].Taken); late != 1500*time.Millisecond {
		t.Errorf("received %v after it may have been taken", late)
	}
}

// A service result between good and bad: what comes with a good one counts, and
// nothing that comes without a value is good.
func TestServiceResults(t *testing.T) {
	t.Parallel()
	var result atomic.Uint32
	p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, handlers{
		id.ReadRequest_Encoding_DefaultBinary: func(_ *uasc.SecureChannel, r ua.Request, _ uint32) (ua.Response, error) {
			resp := &ua.ReadResponse{ResponseHeader: goodHeader()}
			resp.ResponseHeader.ServiceResult = ua.StatusCode(result.Load())
			for range r.(*ua.ReadRequest).NodesToRead {
				resp.Results = append(resp.Results, &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant([]string{"a"})})
			}
			return resp, nil
		},
	})
	d := newDriver(t, Config{URL: p.url}, clockItem())
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		result ua.StatusCode
		want   tag.StatusCode
		value  bool
	}{
		{ua.StatusOK, tag.Good, true},
		{ua.StatusGoodOverload, tag.Good, true},
		{ua.StatusUncertain, tag.BadUnexpectedError, false},
		{ua.StatusBadOutOfMemory, tag.StatusCode(ua.StatusBadOutOfMemory), false},
	} {
		result.Store(uint32(c.result))
		got, err := d.Read(t.Context(), d.items)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Status != c.want || got[0].Value.IsNone() == c.value {
			t.Errorf("%s: got %v %v, want %v", statusCode(c.result), got[0].Status, got[0].Value, c.want)
		}
	}
}

// TestWriteFaults has the server fail the whole request.
func TestWriteFaults(t *testing.T) {
	t.Parallel()
	for code, want := range map[ua.StatusCode]tag.Result{
		ua.StatusBadTooManyOperations: tag.Rejected, ua.StatusBadSessionIDInvalid: tag.Rejected,
		ua.StatusBadTimeout: tag.Unknown, ua.StatusBadInternalError: tag.Unknown, ua.StatusBadOutOfMemory: tag.Unknown,
	} {
		t.Run(statusCode(code).String(), func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			p := startPeer(t, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone, handlers{
				id.WriteRequest_Encoding_DefaultBinary: func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
					asked.Add(1)
					return nil, code
				},
			})
			d := newDriver(t, Config{URL: p.url}, clockItem())
			if err := d.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.session.types[0] = nodeType{base: ua.TypeIDInt16, rank: rankScalar} // the peer's nodes are read-only
			o, err := d.Write(t.Context(), []tag.Write{{Item: d.items[0], Value: tag.Int(1)}})
			if err != nil || o[0].Result != want || o[0].Status != statusCode(code) {
				t.Errorf("write: %+v, %v; want %v", o, err, want)
			}
			if asked.Load() != 1 {
				t.Errorf("the write was sent %d times", asked.Load())
			}
			_, err = d.Read(t.Context(), d.items)
			if lost := errors.Is(err, tag.ErrNotConnected); lost != (want == tag.Unknown || endsSession(code)) {
				t.Errorf("Read after it: %v", err)
			}
		})
	}
}

func expectContains(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s gave no error, want %s", what, want)
	} else if !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v\nwant %s", what, err, want)
	}
}

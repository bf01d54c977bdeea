//go:build !race

// The library's renewal waits for requests on a sync.WaitGroup to which others
// may be added meanwhile. The race detector rightly objects; what can come of it
// is a request with a stale sequence number, which costs the connection.

package opcua

import (
	"testing"
	"time"

	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// TestRenewal has the channel's token renewed, time and again, under reads,
// writes and a subscription.
func TestRenewal(t *testing.T) {
	t.Parallel()
	s, err := opcuatest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.AddVariable("Speed", tag.TypeInt32, 0, true); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, Config{URL: s.URL(), Policy: "Basic256Sha256", PKIDir: pkiFor(t, s.Certificate())},
		tag.Item{Address: s.Address("Speed"), Period: 50 * time.Millisecond, Write: true})
	d.set.tokenLife = 2 * time.Second // renewed after 1 s: the library counts whole seconds
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := make(chan tag.Value, 1000)
	go func() {
		// It ends when the driver is closed.
		_ = d.Subscribe(t.Context(), d.items, func(cs []tag.Change) {
			for _, c := range cs {
				seen <- c.Sample.Value
			}
		})
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := int64(0)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-tick.C {
		last++
		o, err := d.Write(t.Context(), []tag.Write{{Item: d.items[0], Value: tag.Int(last)}})
		if err != nil || o[0].Result != tag.Accepted {
			t.Fatalf("write %d: %+v, %v", last, o, err)
		}
		samples, err := d.Read(t.Context(), d.items)
		if err != nil || !samples[0].Value.Equal(tag.Int(last)) {
			t.Fatalf("read %d: %+v, %v", last, samples, err)
		}
	}
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		select {
		case v := <-seen:
			if v.Equal(tag.Int(last)) {
				return
			}
		case <-timeout.C:
			t.Fatalf("the subscription never had the last value, %d", last)
		}
	}
}

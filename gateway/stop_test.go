package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// A stop lets the write on the wire end, and sends none that waits behind it.
func TestStopSendsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.writeTakes = time.Second
		a := polled("a", 0)
		a.Write = &WriteRule{}
		g, stop := startable(t, Config{Connections: []Connection{plc("plc", d)}, Tags: table(a)})
		const writers = 4
		outcomes := make(chan tag.Outcome, writers)
		for i := range writers {
			go func() {
				out, err := g.Write(t.Context(), "a", tag.Int(int64(i)))
				if err != nil {
					t.Error(err)
				}
				outcomes <- out
			}()
		}
		pass(1500 * time.Millisecond) // the second one is on the wire
		stop()
		got := map[string]int{}
		for range writers {
			out := <-outcomes
			got[out.Result.String()]++
		}
		expect(t, "sent", len(d.writes), 2)
		expect(t, "accepted", got["accepted"], 2)
		expect(t, "rejected", got["rejected"], 2)
	})
}

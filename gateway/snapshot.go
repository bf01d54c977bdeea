package gateway

import (
	"time"

	"holdfast/gateway/tag"
)

// Snapshot returns what the image has of each tag, in the order of Tags, and
// asks no device. A tag without a sample yet is BadWaitingForInitialData; a
// sample that a Read would not take any more is UncertainLastUsableValue.
func (g *Gateway) Snapshot() []tag.Sample {
	all := make([]tag.Sample, len(g.infos))
	for from := 0; from < len(all); from += batch {
		to := min(from+batch, len(all))
		now := time.Now()
		g.mu.Lock()
		for i, info := range g.infos[from:to] {
			e := g.byPath[info.Path]
			c := &g.cells[e.number]
			s := c.sample
			switch {
			case s.Received.IsZero():
				s = tag.BadSample(tag.BadWaitingForInitialData, time.Time{})
			case !s.Status.IsBad() && c.stale(e, now):
				s.Status = tag.UncertainLastUsableValue
			}
			all[from+i] = s
		}
		g.mu.Unlock()
	}
	return all
}

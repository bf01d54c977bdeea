package sim

import (
	"context"
	"time"

	"holdfast/gateway/tag"
)

const defaultSampling = 100 * time.Millisecond // for items without a period

// Subscribe tells of each item's changes, looking as often as the item's period asks.
func (d *Driver) Subscribe(ctx context.Context, items []tag.Item, sink func([]tag.Change)) error {
	closed, err := d.link(ctx)
	if err != nil {
		return err
	}
	last := make([]tag.Sample, len(items))
	due := make([]time.Time, len(items))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return tag.ErrNotConnected
		case now := <-timer.C:
			next := now.Add(time.Hour)
			var changes []tag.Change
			d.plant.mu.Lock()
			for i, it := range items {
				if !due[i].After(now) {
					period := it.Period
					if period <= 0 {
						period = defaultSampling
					}
					s := d.sample(it.Handle, time.Now())
					if due[i].IsZero() || s.Status != last[i].Status || !s.Value.Equal(last[i].Value) {
						changes = append(changes, tag.Change{Handle: it.Handle, Sample: s})
						last[i] = s
					}
					due[i] = now.Add(period)
				}
				if due[i].Before(next) {
					next = due[i]
				}
			}
			d.plant.mu.Unlock()
			if len(changes) > 0 {
				sink(changes)
			}
			timer.Reset(time.Until(next))
		}
	}
}

package gateway

import (
	"math"
	"time"

	"holdfast/gateway/tag"
)

// cell is the place of one tag in the process image. It is guarded by Gateway.mu.
type cell struct {
	sample tag.Sample // as watches and plain reads see it; Received is zero before the first
	exact  tag.Value  // what the device said, where the deadband kept the value before in sample
	asked  time.Time  // as tag.Update.Asked
	told   time.Time  // when the device last told of it unasked
	wrote  time.Time  // when the last write was sent that may have had its effect
	kept   bool       // sample has an earlier value than exact
	dirty  bool       // the sample is from before a write, or from before the link came up
	slots  []*slot    // of the watches
	source source     // of the samples, in this session of a subscribed link
}

// answer is the cell's sample with the device's own value.
func (c *cell) answer() tag.Sample {
	s := c.sample
	s.Value = c.exact
	return s
}

// update is the cell as a watch delivers it.
func (c *cell) update(e *entry) tag.Update {
	u := tag.Update{Path: e.Path, Sample: c.sample, Asked: c.asked}
	if c.kept {
		u.Own = c.exact
	}
	return u
}

// put makes s the tag's sample and tells the watches.
func (c *cell) put(e *entry, s *tag.Sample, asked time.Time) {
	c.exact, c.kept = s.Value, false
	if e.Deadband > 0 && !c.dirty && c.sample.Status == s.Status && within(c.sample.Value, s.Value, e.Deadband) {
		kept := c.sample.Value
		c.sample = *s
		c.sample.Value, c.kept = kept, true
	} else {
		c.sample = *s
	}
	c.asked = asked
	c.dirty = false
	for _, w := range c.slots {
		w.put(c.update(e))
	}
}

// within reports whether two numbers differ by at most the deadband. NaN is
// within no deadband, nor is anything that is no number.
func within(a, b tag.Value, deadband float64) bool {
	x, ok := a.AsFloat()
	y, ok2 := b.AsFloat()
	return ok && ok2 && math.Abs(x-y) <= deadband
}

// normal is a driver's sample as the image takes it: scaled, without a value
// where the status is bad, and received at the latest now.
func (e *entry) normal(s tag.Sample, now time.Time) tag.Sample {
	if s.Received.IsZero() || s.Received.After(now) {
		s.Received = now
	}
	if s.Status.IsBad() {
		s.Value = tag.None()
	} else if e.Scale != nil {
		eng, ok := e.Scale.Eng(s.Value)
		if !ok {
			s.Status = tag.BadTypeMismatch
		}
		s.Value = eng
	}
	return s
}

// batch is how many samples go into the image before others may have the lock.
const batch = 256

// ingest puts the samples of tags into the image, if the session that they came
// over still lives. tags may be longer than samples.
func (g *Gateway) ingest(s *session, tags []*entry, samples []tag.Sample, asked time.Time) {
	now := time.Now()
	for len(samples) > 0 {
		n := min(len(samples), batch)
		g.mu.Lock()
		if !s.alive {
			g.mu.Unlock()
			return
		}
		for i, e := range tags[:n] {
			c := &g.cells[e.number]
			if asked.Before(c.told) {
				// Which of the two is newer cannot be known. What was told
				// stays, for the device tells of any change after it.
				continue
			}
			sample := e.normal(samples[i], now)
			c.put(e, &sample, asked)
		}
		s.link.arrived(n, now)
		g.mu.Unlock()
		tags, samples = tags[n:], samples[n:]
	}
}

// take puts what a subscription told into the image.
func (g *Gateway) take(s *session, changes []tag.Change) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.alive {
		return
	}
	for _, ch := range changes {
		if ch.Handle < 0 || ch.Handle >= len(s.link.tags) {
			s.link.failed(errHandle)
			continue
		}
		e := s.link.tags[ch.Handle]
		c := &g.cells[e.number]
		sample := e.normal(ch.Sample, now)
		if sample.Received.Before(c.told) {
			continue
		}
		if ch.Unmonitored {
			was := s.from(c, unmonitored)
			if was != monitored && !c.stale(e, now) {
				continue // what was read says more than why it is not monitored
			}
		} else {
			s.from(c, monitored)
		}
		asked := ch.Taken
		if asked.IsZero() || asked.After(sample.Received) {
			asked = sample.Received
		}
		c.told = sample.Received
		c.put(e, &sample, asked)
	}
	s.link.arrived(len(changes), now)
}

// outdated reports whether the sample may be from before a write, or before the link came up.
func (c *cell) outdated() bool { return c.dirty || c.asked.Before(c.wrote) }

// stale reports whether the tag's sample is too old, at now, to be shown while its link is up.
func (c *cell) stale(e *entry, now time.Time) bool {
	if c.sample.Received.IsZero() || c.dirty {
		return true
	}
	if c.source == monitored {
		return false // what does not change is not told again
	}
	p := e.Item.Period
	return now.Sub(c.sample.Received) > max(3*p, p+2*time.Second)
}

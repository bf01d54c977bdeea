package gateway

import (
	"slices"
	"time"
)

// source is where the samples of a tag of a subscribed link come from.
type source uint8

const (
	unknown     source = iota // nothing was said of it in this session
	monitored                 // the device tells of its changes
	unmonitored               // the device does not: it is polled
)

// from notes where the samples of c come from, and returns where they did
// before. Gateway.mu is held.
func (s *session) from(c *cell, now source) (was source) {
	was, c.source = c.source, now
	if (was == unmonitored) != (now == unmonitored) {
		select {
		case s.recast <- struct{}{}:
		default: // the link will look anyway
		}
	}
	return was
}

// recast makes the classes of a subscribed device anew, after an item began or
// ceased to be monitored. A class that stays keeps its pace.
func (l *link) recast(now time.Time) {
	var tags []*entry
	l.g.mu.Lock()
	for _, e := range l.tags {
		if l.g.cells[e.number].source == unmonitored {
			tags = append(tags, e)
		}
	}
	l.g.mu.Unlock()
	before := l.classes
	l.classes = classes(tags)
	for i, c := range l.classes {
		k := slices.IndexFunc(before, func(old *class) bool { return old.period == c.period })
		switch {
		case k < 0:
			c.next, c.fresh = now, true
		case slices.Equal(before[k].tags, c.tags):
			l.classes[i] = before[k] // with the slice that the driver knows
		default:
			c.next, c.fresh = before[k].next, before[k].fresh
		}
	}
}

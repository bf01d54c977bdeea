package gateway

import (
	"context"
	"slices"
	"time"

	"holdfast/gateway/tag"
)

// class is the tags of one link that are read at one period, by one request to the driver.
type class struct {
	period time.Duration
	tags   []*entry
	items  []tag.Item // passed to each Read as it is: the driver may keep its plan under it
	next   time.Time  // when it is due
	fresh  bool       // not yet scanned in this session
}

// classes sorts tags by period. Those of period 0 are in no class.
func classes(tags []*entry) []*class {
	var all []*class
	for _, e := range tags {
		if e.Item.Period == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(c *class) bool { return c.period == e.Item.Period })
		if i < 0 {
			i = len(all)
			all = append(all, &class{period: e.Item.Period})
		}
		all[i].tags = append(all[i].tags, e)
		all[i].items = append(all[i].items, e.Item)
	}
	return all
}

// align makes all classes due at once, for a session that begins. That of a
// subscribed device begins with none.
func (l *link) align(now time.Time) {
	if l.conn.Subscribe {
		l.classes = nil
	}
	for _, c := range l.classes {
		c.next, c.fresh = now, true
	}
}

// due returns the class that has waited longest for its scan; nil if none is due.
func (l *link) due(now time.Time) *class {
	var first *class
	for _, c := range l.classes {
		if !c.next.After(now) && (first == nil || c.next.Before(first.next)) {
			first = c
		}
	}
	return first
}

// idle returns how long there is no scan to do.
func (l *link) idle(now time.Time) time.Duration {
	wait := time.Hour
	for _, c := range l.classes {
		wait = min(wait, c.next.Sub(now))
	}
	return wait
}

// scan reads one class and sets when it is due again.
func (l *link) scan(ctx context.Context, s *session, c *class) error {
	_, err := l.read(ctx, s, c.tags, c.items)
	now := time.Now()
	switch late := now.Sub(c.next); {
	case c.fresh:
		// The first scan came at once; from now on the links, and the classes
		// of one link, do not all beat together.
		c.next = now.Add(c.period - time.Duration(l.g.jitter()*float64(c.period)))
		c.fresh = false
	case late < c.period:
		c.next = c.next.Add(c.period)
	default:
		missed := late / c.period
		c.next = c.next.Add((missed + 1) * c.period)
		l.g.mu.Lock()
		l.status.Overruns += uint64(missed)
		l.g.mu.Unlock()
	}
	return err
}

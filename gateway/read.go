package gateway

import (
	"context"
	"time"

	"holdfast/gateway/tag"
)

// readRequest asks a link for a sample of one tag.
type readRequest struct {
	tag       *entry
	notBefore time.Time
	session   *session
	reply     chan tag.Sample // room for the one answer that always comes once the link took the request
}

// Read returns a sample of the tag that was taken at notBefore or later: the
// image's if it is so young, else the device is asked. Zero asks for what the
// image has, unless that is stale, or older than a write; it may then be the
// value before a change within the deadband, while for any other notBefore the
// value is the device's own.
//
// A device that does not answer is a sample of bad quality. The error is a
// *tag.Refusal of a path that is not in the table, or ctx's.
func (g *Gateway) Read(ctx context.Context, p tag.Path, notBefore time.Time) (tag.Sample, error) {
	e, err := g.find(p)
	if err != nil {
		return tag.Sample{}, err
	}
	if ctx.Err() != nil {
		return tag.Sample{}, ctx.Err()
	}
	s, code, err := e.link.wait(ctx)
	if err != nil {
		return tag.Sample{}, err
	}
	if s == nil {
		return tag.BadSample(code, time.Now()), nil
	}
	if sample, ok := g.have(e, notBefore); ok {
		return sample, nil
	}
	r := &readRequest{tag: e, notBefore: notBefore, session: s, reply: make(chan tag.Sample, 1)}
	select {
	case e.link.reads <- r:
	case <-s.lost:
		return tag.BadSample(tag.BadNoCommunication, time.Now()), nil
	case <-ctx.Done():
		return tag.Sample{}, ctx.Err()
	}
	select {
	case sample := <-r.reply:
		return sample, nil
	case <-ctx.Done():
		return tag.Sample{}, ctx.Err()
	}
}

// have returns the image's sample if it is good enough for a Read.
func (g *Gateway) have(e *entry, notBefore time.Time) (tag.Sample, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.cells[e.number]
	if notBefore.IsZero() {
		return c.sample, !c.stale(e, time.Now()) && !c.outdated()
	}
	return c.answer(), !c.sample.Received.IsZero() && !c.outdated() && !c.asked.Before(notBefore)
}

// wait returns the link's session. A link that has not been up since the start
// it gives until the end of the startup grace. Where there is no session it
// returns the status that says why.
func (l *link) wait(ctx context.Context) (*session, tag.StatusCode, error) {
	l.g.mu.Lock()
	s, left := l.session, time.Until(l.g.start.Add(l.g.grace))
	l.g.mu.Unlock()
	if s == nil && left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-l.first:
		case <-timer.C:
		case <-l.g.done:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		l.g.mu.Lock()
		s = l.session
		l.g.mu.Unlock()
	}
	select {
	case <-l.g.done:
		return s, tag.BadShutdown, nil
	default:
		return s, tag.BadNoCommunication, nil
	}
}

// answer serves the read r and all others that wait, by one request to the
// driver. The error says that the link is lost.
func (l *link) answer(ctx context.Context, s *session, r *readRequest) error {
	var open []*readRequest
	for more := true; more; {
		if r.session != s {
			r.reply <- tag.BadSample(tag.BadNoCommunication, time.Now())
		} else if sample, ok := l.g.have(r.tag, r.notBefore); ok {
			r.reply <- sample // a scan came in between
		} else {
			open = append(open, r)
		}
		select {
		case r = <-l.reads:
		default:
			more = false
		}
	}
	if len(open) == 0 {
		return nil
	}
	place := make(map[*entry]int, len(open))
	var tags []*entry
	for _, r := range open {
		if _, ok := place[r.tag]; !ok {
			place[r.tag] = len(tags)
			tags = append(tags, r.tag)
		}
	}
	samples, err := l.read(ctx, s, tags, l.itemsOf(tags))
	now := time.Now()
	for _, r := range open {
		sample := tag.BadSample(tag.BadNoCommunication, now)
		if i := place[r.tag]; i < len(samples) {
			sample = r.tag.normal(samples[i], now)
		}
		r.reply <- sample
	}
	return err
}

// itemsOf returns the items of tags. A driver may know a slice again by its
// first element and length, so none is ever used twice for different items.
func (l *link) itemsOf(tags []*entry) []tag.Item {
	if len(tags) == 1 {
		h := tags[0].Item.Handle
		return l.items[h : h+1 : h+1]
	}
	items := make([]tag.Item, len(tags))
	for i, e := range tags {
		items[i] = e.Item
	}
	return items
}

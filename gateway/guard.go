package gateway

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"holdfast/gateway/tag"
)

func (e *entry) refuse(reason tag.Reason, format string, args ...any) *tag.Refusal {
	return &tag.Refusal{Path: e.Path, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Admits returns the refusal of a write by what never changes: no such tag,
// permission, type, range. It asks no device.
func (g *Gateway) Admits(p tag.Path, v tag.Value) error {
	e, err := g.find(p)
	if err == nil {
		_, err = e.admit(v)
	}
	return err
}

// admit checks v by what never changes: permission, type, range. It returns v
// as the device takes it.
func (e *entry) admit(v tag.Value) (tag.Value, error) {
	w := e.Write
	if w == nil {
		return tag.None(), e.refuse(tag.NotWritable, "it has no write: section, so nobody may write it")
	}
	raw, err := e.info.Raw(v)
	if err != nil {
		return tag.None(), e.refuse(tag.BadValue, "%s", err)
	}
	if w.Min == nil && w.Max == nil && w.MaxStep == nil {
		return raw, nil
	}
	f, ok := v.AsFloat()
	switch {
	case !ok:
		return tag.None(), e.refuse(tag.BadValue, "%s is not a number, as its limits need", v)
	case w.Min != nil && f < *w.Min:
		return tag.None(), e.refuse(tag.Guarded, "%s is below min %s", v, number(*w.Min))
	case w.Max != nil && f > *w.Max:
		return tag.None(), e.refuse(tag.Guarded, "%s is above max %s", v, number(*w.Max))
	}
	if e.Scale != nil && e.Item.Type.IsInteger() {
		return raw, e.rounded(raw, v)
	}
	return raw, nil
}

// rounded refuses what is within the limits only until it is rounded to the
// device's whole number.
func (e *entry) rounded(raw, v tag.Value) error {
	eng, _ := e.Scale.Eng(raw)
	f, _ := eng.AsFloat()
	w, slack := e.Write, math.Abs(e.Scale.Factor)/1e6 // for what computing in floating point adds
	switch {
	case w.Min != nil && f < *w.Min-slack:
		return e.refuse(tag.Guarded, "%s becomes %s at the device, which is below min %s", v, eng, number(*w.Min))
	case w.Max != nil && f > *w.Max+slack:
		return e.refuse(tag.Guarded, "%s becomes %s at the device, which is above max %s", v, eng, number(*w.Max))
	}
	return nil
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// notBefore is how old a sample the interlock takes, for a write that was called at that time.
func (k *lock) notBefore(called time.Time) time.Time {
	if k.MaxAge == 0 {
		return called
	}
	return time.Now().Add(-k.MaxAge)
}

// guard checks what only the moment of sending can tell. nil lets the write
// pass. The error says that the link is lost.
func (l *link) guard(ctx context.Context, s *session, r *writeRequest) (*writeReply, error) {
	e, w := r.tag, r.tag.Write
	if at := l.sent[e.Item.Handle]; !at.IsZero() && w.MinInterval > 0 {
		if ago := time.Since(at); ago < w.MinInterval {
			return &writeReply{err: e.refuse(tag.Guarded, "it was written %s ago, min_interval is %s", ago.Round(time.Millisecond), w.MinInterval)}, nil
		}
	}
	now, err := l.evidence(ctx, s, r)
	if err != nil {
		return &writeReply{outcome: tag.Outcome{Result: tag.Rejected, Status: tag.BadNoCommunication, Detail: err.Error()}}, err
	}
	for i := range e.locks {
		if reply := l.g.locked(e, &e.locks[i], r); reply != nil {
			return reply, nil
		}
	}
	if w.MaxStep != nil {
		return step(e, now, r.value), nil
	}
	return nil, nil
}

// evidence reads from the device what the guards of r need: the interlocks of
// this link that the image has no young sample of, and for max_step the tag
// itself, which it returns. The error says that the link is lost.
func (l *link) evidence(ctx context.Context, s *session, r *writeRequest) (now tag.Sample, err error) {
	var tags []*entry
	if r.tag.Write.MaxStep != nil {
		tags = append(tags, r.tag)
	}
	for i := range r.tag.locks {
		k := &r.tag.locks[i]
		if k.tag.link != l {
			continue
		}
		if _, ok := l.g.have(k.tag, k.notBefore(r.called)); !ok {
			tags = append(tags, k.tag)
		}
	}
	if len(tags) == 0 {
		return now, nil
	}
	samples, err := l.read(ctx, s, tags, l.itemsOf(tags))
	if err != nil {
		return now, err
	}
	return tags[0].normal(samples[0], time.Now()), nil
}

// step checks max_step against now, the sample that was just read.
func step(e *entry, now tag.Sample, v tag.Value) *writeReply {
	limit := *e.Write.MaxStep
	if !now.Status.IsGood() {
		return &writeReply{err: e.refuse(tag.Guarded, "max_step %s cannot be checked: the tag reads %s", number(limit), now.Status)}
	}
	from, ok := now.Value.AsFloat()
	to, _ := v.AsFloat()
	if !ok || math.IsNaN(from) {
		return &writeReply{err: e.refuse(tag.Guarded, "max_step %s cannot be checked: the tag reads %s", number(limit), now.Value)}
	}
	if d := math.Abs(to - from); d > limit {
		return &writeReply{err: e.refuse(tag.Guarded, "from %s to %s is a step of %s, max_step is %s", now.Value, v, number(d), number(limit))}
	}
	return nil
}

// locked checks the interlock k of e in the image.
func (g *Gateway) locked(e *entry, k *lock, r *writeRequest) *writeReply {
	g.mu.Lock()
	c := g.cells[k.tag.number]
	g.mu.Unlock()
	now := time.Now()
	sample := c.answer()
	if c.sample.Received.IsZero() {
		sample.Status = tag.BadWaitingForInitialData
	}
	switch {
	case !sample.Status.IsGood():
		return &writeReply{err: e.refuse(tag.Guarded, "interlock %s is %s, must be Good", k.Tag, sample.Status)}
	case c.outdated() || c.asked.Before(k.notBefore(r.called)):
		return &writeReply{again: true, err: e.refuse(tag.Guarded, "interlock %s was read %s ago, max_age is %s", k.Tag, now.Sub(c.asked).Round(time.Millisecond), k.MaxAge)}
	case !sample.Value.Equal(k.Equals):
		return &writeReply{err: e.refuse(tag.Guarded, "interlock %s is %s, must be %s", k.Tag, sample.Value, k.Equals)}
	}
	return nil
}

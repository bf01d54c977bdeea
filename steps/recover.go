package steps

import (
	"context"
	"fmt"
	"strings"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

const (
	leastPatience = 10 * time.Second // how long recovery waits for a tag to be readable, at least
	recoverPoll   = time.Second
)

// preimage is what a write was about to replace.
type preimage struct {
	value tag.Value
	known bool      // the value was there, and of good quality
	at    time.Time // when it was read: the attempt's intent follows at once
}

// Prepare checks what can be checked without the device, and reads the value
// that the write is going to replace: {"value", "quality", "at"}.
func (w writeStep) Prepare(ctx context.Context, a engine.Args) (any, error) {
	g, err := w.goal(a)
	if err != nil {
		return nil, err
	}
	p := g.info.Path
	if !g.info.Writable {
		return nil, engine.Errorf("NotWritable", "%s: the configuration does not permit writing, the tag has no write: section", p)
	}
	if _, err := g.info.Raw(g.value); err != nil {
		return nil, engine.Errorf("BadValue", "%s: %v", p, err)
	}
	s, err := w.tags.Read(ctx, p, time.Now())
	if err != nil {
		return nil, refused(ctx, err)
	}
	return value.NewMap("value", shown(s), "quality", s.Status.String(), "at", stamp(time.Now())), nil
}

// preimageOf returns what Prepare has put on record.
func preimageOf(a engine.Args) preimage {
	b := preimage{at: a.Began}
	m, ok := a.Prepared.(*value.Map)
	if !ok {
		return b
	}
	if text, ok := m.Get("at"); ok {
		s, _ := text.(string)
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			b.at = at
		}
	}
	quality, _ := m.Get("quality")
	before, _ := m.Get("value")
	name, _ := quality.(string)
	v, err := fromPlain(before)
	if err == nil && strings.HasPrefix(name, "Good") {
		b.value, b.known = v, !v.IsNone()
	}
	return b
}

// Recover finds out, by reading the tag back, what became of a write that was
// interrupted. It first waits for the device: after a power cut the PLC may
// take longer to start than the gateway.
func (w writeStep) Recover(ctx context.Context, a engine.Args) (engine.Recovery, error) {
	r, now, err := w.readBack(ctx, a)
	switch {
	case err != nil:
	case r.Verdict == engine.Done:
		r.Result = written(now.Status, "confirmed")
	case r.Verdict == engine.InDoubt: // should the operator answer that it was done, that is his word, and no confirmation
		r.Result = written(now.Status, "resolved")
	}
	return r, err
}

// readBack gives the verdict on an interrupted write, and the sample that it rests on.
func (w writeStep) readBack(ctx context.Context, a engine.Args) (engine.Recovery, tag.Sample, error) {
	g, err := w.goal(a)
	if err != nil { // the configuration is another one now
		return w.doubt(a, goal{value: tag.None()}, preimageOf(a), tag.Sample{}, fmt.Sprintf("what it did cannot be read back: %v", err)), tag.Sample{}, nil
	}
	now, _, err := quest{
		path:  g.info.Path,
		since: time.Now(),
		limit: max(w.staleAfter, leastPatience),
		poll:  recoverPoll,
		want:  func(s tag.Sample) bool { return s.Status.IsGood() },
	}.follow(ctx, w.tags)
	if err != nil {
		return engine.Recovery{}, now, err
	}
	e := evidence{goal: g, before: preimageOf(a), now: now, staleAfter: w.staleAfter}
	e.age = time.Since(e.before.at)
	verdict, why := e.judge()
	if verdict == engine.InDoubt {
		return w.doubt(a, g, e.before, now, why), now, nil
	}
	return engine.Recovery{Verdict: verdict}, now, nil
}

func (w writeStep) doubt(a engine.Args, g goal, before preimage, now tag.Sample, why string) engine.Recovery {
	path, _ := a.Value("path").(string)
	d := engine.Doubt{Step: w.name, Tag: path, Why: why}
	// A value that cannot be encoded is shown as null: the question is put all the same.
	d.Target, _ = value.Encode(a.Value("value"))
	d.Before, _ = value.Encode(before.value.Any())
	d.Now, _ = value.Encode(shown(now))
	return engine.Recovery{Verdict: engine.InDoubt, Doubt: d}
}

// evidence is all that there is to know of an interrupted write.
type evidence struct {
	goal       goal
	before     preimage
	now        tag.Sample
	age        time.Duration // of the intent
	staleAfter time.Duration
}

// unmoved reports whether the tag of a state holds what it held before, and
// that is the target in single precision only: of a double that says that
// nothing was written, of a float32 that it makes no difference.
func (e evidence) unmoved() bool {
	return e.goal.info.Kind == tag.Set && e.before.known && e.now.Value.Equal(e.before.value) &&
		!exactly(e.goal.info, e.now.Value, e.goal.value)
}

// judge decides by the evidence, and gives the reason of a doubt.
func (e evidence) judge() (engine.Verdict, string) {
	info, kind := e.goal.info, e.goal.info.Kind
	doubt := func(format string, args ...any) (engine.Verdict, string) {
		return engine.InDoubt, fmt.Sprintf("%s %s", info.Path, fmt.Sprintf(format, args...))
	}
	now := e.now.Value
	switch {
	case !e.now.Status.IsGood():
		return doubt("cannot be read: %s", e.now.Status)
	case e.goal.reached(e.now) && !e.unmoved():
		switch {
		case kind == tag.Set:
			return engine.Done, ""
		case !e.before.known:
			return doubt("holds the target %s, but what it held before is not known, so that proves nothing of a tag of kind %s", now, kind)
		case holds(info, tag.Sample{Value: e.before.value}, e.goal.value):
			return doubt("holds the target %s, but so it did before, which proves nothing of a tag of kind %s", now, kind)
		}
		return engine.Done, ""
	case !e.before.known:
		return doubt("holds %s, not the target %s, and what it held before is not known", now, e.goal.value)
	case !now.Equal(e.before.value):
		return doubt("holds %s, which is neither the target %s nor %s, the value before", now, e.goal.value, e.before.value)
	case kind != tag.Set:
		return doubt("holds %s as before, but a tag of kind %s may have acted and come back", now, kind)
	case !info.Writable:
		return doubt("holds %s as before, and the configuration does not permit writing it any more", now)
	case e.age < 0:
		return doubt("holds %s as before, but the clock has been set back since, so the write's age is not known", now)
	case e.age >= e.staleAfter:
		return doubt("holds %s as before, but the write is %s old, and after %s none is sent again by itself",
			now, e.age.Round(time.Second), e.staleAfter)
	}
	return engine.Again, ""
}

package steps

import (
	"context"
	"errors"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// confirmStep is tags.write_confirm.
type confirmStep struct{ writeStep }

// WriteConfirm returns tags.write_confirm alone, as the engine needs it for
// safe states. staleAfter is as for TagSteps.
func WriteConfirm(t Tags, staleAfter time.Duration) engine.Step { return writeConfirm(t, staleAfter) }

func writeConfirm(t Tags, staleAfter time.Duration) *confirmStep {
	return &confirmStep{writeStep{
		described: described{"tags.write_confirm", []engine.Param{required("path"), required("value"),
			optional("confirm_path", nil), optional("timeout_ms", int64(10000)), optional("poll_ms", int64(250))}},
		tags:       t,
		staleAfter: staleAfter,
	}}
}

// order is what tags.write_confirm waits for after its write.
type order struct {
	info    tag.Info // of confirm_path
	value   tag.Value
	timeout time.Duration
	poll    time.Duration
	shown   any // timeout_ms as it was given
}

func (c confirmStep) order(a engine.Args, g goal) (order, error) {
	o := order{info: g.info, value: g.value, shown: a.Value("timeout_ms")}
	var err error
	if a.Value("confirm_path") != nil {
		if o.info, err = lookup(c.tags, a, "confirm_path"); err != nil {
			return o, err
		}
	}
	if o.timeout, err = a.Millis("timeout_ms"); err != nil {
		return o, err
	}
	o.poll, err = pollOf(a)
	return o, err
}

// Prepare does what tags.write does, and checks the other arguments.
func (c confirmStep) Prepare(ctx context.Context, a engine.Args) (any, error) {
	g, err := c.goal(a)
	if err != nil {
		return nil, err
	}
	if _, err := c.order(a, g); err != nil {
		return nil, err
	}
	return c.writeStep.Prepare(ctx, a)
}

// Run writes, then waits for a sample of confirm_path, taken after the write,
// that holds the value. It returns {"ok", "confirmed", "write_quality"}, and
// "timeout_ms" if none came in time. A write that was not answered is taken as
// done if the tag itself proves it within that time; write_quality is then the
// proof's.
func (c confirmStep) Run(ctx context.Context, a engine.Args) (any, error) {
	g, err := c.goal(a)
	if err != nil {
		return nil, err
	}
	o, err := c.order(a, g)
	if err != nil {
		return nil, err
	}
	out, err := c.send(ctx, g, a.Key.Run)
	since, quality := time.Now(), out.Status
	if err != nil {
		var failure *engine.StepError
		if !errors.As(err, &failure) || !failure.Unknown {
			return nil, err
		}
		proof, proven, cause := quest{
			path:  g.info.Path,
			since: since,
			limit: left(since, o.timeout, o.poll),
			poll:  o.poll,
			want: func(s tag.Sample) bool {
				verdict, _ := evidence{goal: g, before: preimageOf(a), now: s}.judge()
				return verdict == engine.Done
			},
		}.follow(ctx, c.tags)
		if cause != nil {
			return nil, cause
		}
		if !proven {
			return nil, err
		}
		quality = proof.Status
	}
	return c.confirm(ctx, o, quality, since, left(since, o.timeout, o.poll))
}

// confirm waits for the confirmation of a write that has been done.
func (c confirmStep) confirm(ctx context.Context, o order, quality tag.StatusCode, since time.Time, limit time.Duration) (any, error) {
	_, ok, err := quest{
		path:  o.info.Path,
		since: since,
		limit: limit,
		poll:  o.poll,
		want:  func(s tag.Sample) bool { return holds(o.info, s, o.value) },
	}.follow(ctx, c.tags)
	if err != nil {
		return nil, err
	}
	res := value.NewMap("ok", ok, "confirmed", ok, "write_quality", quality.String())
	if !ok {
		res.Set("timeout_ms", o.shown)
	}
	return res, nil
}

// Recover judges the write as tags.write does. If it was done, it waits for the
// confirmation for what is left of the time, and for one poll at least.
func (c confirmStep) Recover(ctx context.Context, a engine.Args) (engine.Recovery, error) {
	r, now, err := c.readBack(ctx, a)
	if err == nil && r.Verdict == engine.InDoubt { // should the operator answer that it was done: good, and not confirmed
		r.Result = value.NewMap("ok", true, "confirmed", false, "write_quality", now.Status.String())
	}
	if err != nil || r.Verdict != engine.Done {
		return r, err
	}
	g, err := c.goal(a)
	if err != nil {
		return engine.Recovery{}, err
	}
	o, err := c.order(a, g)
	if err != nil { // confirm_path is not configured any more: the write was done, the step cannot succeed
		return engine.Recovery{Verdict: engine.Failed, Err: err}, nil
	}
	r.Result, err = c.confirm(ctx, o, now.Status, time.Now(), left(preimageOf(a).at, o.timeout, o.poll))
	return r, err
}

// readyWait is how long Ready waits for the device, before it says that it does
// not answer; it is asked every readyPoll, and heard whenever it says something.
const (
	readyWait = time.Minute
	readyPoll = 5 * time.Second
)

// Ready waits until the tag can be read, and tells whether it holds the value.
// Of a tag that is no state that says nothing.
func (c confirmStep) Ready(ctx context.Context, a engine.Args) (engine.Readiness, error) {
	g, err := c.goal(a)
	if err != nil {
		return engine.Readiness{}, err
	}
	s, ok, err := quest{
		path: g.info.Path, since: time.Now(), limit: readyWait, poll: readyPoll,
		want: func(s tag.Sample) bool { return s.Status.IsGood() },
	}.follow(ctx, c.tags)
	switch {
	case err != nil:
		return engine.Readiness{}, err
	case !ok:
		return engine.Readiness{}, engine.Errorf("Unreachable", "%s cannot be read: %s", g.info.Path, s.Status)
	}
	state := g.info.Kind == tag.Set
	return engine.Readiness{Reached: state && g.reached(s), Repeatable: state}, nil
}

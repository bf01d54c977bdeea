package steps

import (
	"context"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// WaitSteps returns wait.until_tag_equals.
func WaitSteps(t Tags) []engine.Step {
	return []engine.Step{&untilStep{described{"wait.until_tag_equals", []engine.Param{required("path"), required("expected"),
		optional("timeout_ms", int64(10000)), optional("poll_ms", int64(250))}}, t}}
}

// untilStep is wait.until_tag_equals.
type untilStep struct {
	described
	tags Tags
}

// Waits returns timeout_ms.
func (u untilStep) Waits(a engine.Args) time.Duration { return waits(a, "timeout_ms") }

// waits returns a time that Run will check; one that is wrong is none.
func waits(a engine.Args, name string) time.Duration {
	d, err := a.Millis(name)
	if err != nil {
		return 0
	}
	return d
}

// Run returns {"ok", "value", "quality"} of the sample that ended the wait,
// and "timeout_ms" if none did: then of the newest one seen.
func (u untilStep) Run(ctx context.Context, a engine.Args) (any, error) {
	since := time.Now()
	info, err := lookup(u.tags, a, "path")
	if err != nil {
		return nil, err
	}
	expected, err := tagValue(a, "expected")
	if err != nil {
		return nil, err
	}
	timeout, err := a.Millis("timeout_ms")
	if err != nil {
		return nil, err
	}
	poll, err := pollOf(a)
	if err != nil {
		return nil, err
	}
	s, ok, err := quest{
		path:  info.Path,
		since: since,
		limit: left(a.Began, timeout, poll),
		poll:  poll,
		want:  func(s tag.Sample) bool { return holds(info, s, expected) },
	}.follow(ctx, u.tags)
	if err != nil {
		return nil, err
	}
	res := value.NewMap("ok", ok, "value", shown(s), "quality", s.Status.String())
	if !ok {
		res.Set("timeout_ms", a.Value("timeout_ms"))
	}
	return res, nil
}

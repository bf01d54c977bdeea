package steps

import (
	"context"
	"errors"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// TagSteps returns tags.read, tags.write and tags.write_confirm. An
// interrupted write whose intent is staleAfter old or older is never sent again
// by itself.
func TagSteps(t Tags, staleAfter time.Duration) []engine.Step {
	return tagSteps(t, staleAfter, nil)
}

func tagSteps(t Tags, staleAfter time.Duration, c Claims) []engine.Step {
	confirm := writeConfirm(t, staleAfter)
	confirm.claims = c
	return []engine.Step{
		&readStep{described{"tags.read", []engine.Param{required("path")}}, t},
		&writeStep{described{"tags.write", []engine.Param{required("path"), required("value")}}, t, staleAfter, c},
		confirm,
	}
}

// Claims is told of writes, so that nothing that a safe state still owes to the
// tag is written behind them.
type Claims interface {
	// Claim is called before a tag is written, and settle with whether it was, or
	// may have been. The error says that nothing is to be sent.
	Claim(ctx context.Context, tag, by string) (settle func(written bool), err error)
}

// readStep is tags.read.
type readStep struct {
	described
	tags Tags
}

// Run returns {"value", "quality", "timestamp"}. Bad quality is a result.
func (r readStep) Run(ctx context.Context, a engine.Args) (any, error) {
	info, err := lookup(r.tags, a, "path")
	if err != nil {
		return nil, err
	}
	s, err := r.tags.Read(ctx, info.Path, time.Time{})
	if err != nil {
		return nil, refused(ctx, err)
	}
	var at any // nothing was received yet
	if t := s.Timestamp(); !t.IsZero() {
		at = stamp(t)
	}
	return value.NewMap("value", shown(s), "quality", s.Status.String(), "timestamp", at), nil
}

// writeStep is tags.write.
type writeStep struct {
	described
	tags       Tags
	staleAfter time.Duration
	claims     Claims // nil: nobody is told
}

// Effect says that each write is one.
func (w writeStep) Effect(engine.Args) bool { return true }

// Run sends the value and returns {"quality", "outcome"}: the device's status, and "accepted".
func (w writeStep) Run(ctx context.Context, a engine.Args) (any, error) {
	g, err := w.goal(a)
	if err != nil {
		return nil, err
	}
	out, err := w.send(ctx, g, a.Key.Run)
	if err != nil {
		return nil, err
	}
	return written(out.Status, "accepted"), nil
}

func written(quality tag.StatusCode, outcome string) *value.Map {
	return value.NewMap("quality", quality.String(), "outcome", outcome)
}

// goal is what a write is asked to bring about.
type goal struct {
	info  tag.Info
	value tag.Value
}

// reached reports whether a sample shows that the tag holds the goal's value.
func (g goal) reached(s tag.Sample) bool { return holds(g.info, s, g.value) }

func (w writeStep) goal(a engine.Args) (goal, error) {
	info, err := lookup(w.tags, a, "path")
	if err != nil {
		return goal{}, err
	}
	v, err := tagValue(a, "value")
	if err != nil {
		return goal{}, err
	}
	return goal{info, v}, nil
}

// send writes once, for a run. Without an error the device took the value.
func (w writeStep) send(ctx context.Context, g goal, run string) (tag.Outcome, error) {
	p := g.info.Path
	settle := func(bool) {}
	if w.claims != nil {
		var err error
		if settle, err = w.claims.Claim(ctx, string(p), "run "+run); err != nil {
			return tag.Outcome{}, engine.Errorf("Unavailable", "%v", err)
		}
	}
	out, err := w.tags.Write(ctx, p, g.value)
	settle(err == nil && out.Result != tag.Rejected)
	if err != nil {
		return out, refused(ctx, err)
	}
	detail := ""
	if out.Detail != "" {
		detail = ": " + out.Detail
	}
	switch out.Result {
	case tag.Accepted:
		return out, nil
	case tag.Unknown:
	case tag.Rejected:
		if lost(out.Status) {
			return out, engine.Errorf("Unreachable", "cannot write %s to %s: nothing was sent, the device cannot be reached (%s)%s", g.value, p, out.Status, detail)
		}
		return out, engine.Errorf("DeviceRefused", "cannot write %s to %s: the device refused it with %s%s", g.value, p, out.Status, detail)
	}
	e := engine.Errorf("OutcomeUnknown", "%s was sent to %s and not answered (%s), it may or may not have had its effect%s", g.value, p, out.Status, detail)
	e.Unknown = true
	if g.info.Kind != tag.Set { // a state can be written again by whoever finds it other than it should be
		e.Doubt = &engine.Doubt{Tag: string(p), Why: e.Message}
		e.Doubt.Target, _ = value.Encode(g.value.Any())
	}
	return out, e
}

// lost reports whether a status is about the way to the device, not about the write.
func lost(c tag.StatusCode) bool {
	switch c.String() {
	case "BadNoCommunication", "BadCommunicationError", "BadNotConnected", "BadConnectionClosed", "BadTimeout", "BadShutdown", "BadWaitingForInitialData",
		"BadServerNotConnected", "BadSecureChannelClosed", "BadSecureChannelIdInvalid", "BadSessionClosed", "BadSessionIdInvalid",
		"BadConnectionRejected", "BadDisconnect", "BadRequestTimeout", "BadServerHalted":
		return true
	}
	return false
}

// lookup describes the tag that an argument names.
func lookup(t Tags, a engine.Args, name string) (tag.Info, error) {
	s, err := a.String(name)
	if err != nil {
		return tag.Info{}, err
	}
	p, err := tag.ParsePath(s)
	if err != nil {
		return tag.Info{}, engine.Errorf("NoSuchTag", "%v", err)
	}
	info, ok := t.Lookup(p)
	if !ok {
		return tag.Info{}, engine.Errorf("NoSuchTag", "%s: no such tag is configured", p)
	}
	return info, nil
}

// refused makes a step's failure of an error of Tags.
func refused(ctx context.Context, err error) error {
	var r *tag.Refusal
	if !errors.As(err, &r) {
		return ended(ctx, err)
	}
	var kind string
	switch r.Reason {
	case tag.NoSuchTag:
		kind = "NoSuchTag"
	case tag.NotWritable:
		kind = "NotWritable"
	case tag.BadValue:
		kind = "BadValue"
	case tag.Guarded:
		kind = "GuardRefused"
	}
	return engine.Errorf(kind, "%v", r)
}

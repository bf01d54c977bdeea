// Package steps is the built-in step library: tags, wait, sleep, http and db,
// as a workflow's author calls them.
//
// Each step is an engine.Step. It takes plain values by name, returns a plain
// value, and fails with an *engine.StepError whose type a workflow may branch
// on: NoSuchTag, NotWritable, BadValue, GuardRefused, DeviceRefused,
// Unreachable, OutcomeUnknown, Unavailable, BadArgument, Timeout, ConnectionFailed,
// HTTPError, BadURL, NotAllowed, NoSuchDatabase, SQLError, NoSuchSecret. When its context
// ends, a step returns the context's cause soon; only what is already on the
// wire is waited for, as its outcome must be known.
//
// A step never repeats an effect by itself. What an interrupted one did is
// found by evidence: tags.write and tags.write_confirm read the tag back,
// db.update looks into the table holdfast_steps of a database with exactly-once
// updates, http.request sends the same Idempotency-Key again.
package steps

import (
	"context"
	"time"

	"holdfast/engine"
	"holdfast/gateway/tag"
)

// Tags is what the steps need of the gateway.
type Tags interface {
	// Read returns a sample that was taken at notBefore or later; zero asks
	// for the last one known, unless that is stale. A device that does not
	// answer is a sample of bad quality. The error is a *tag.Refusal, or ctx's.
	Read(ctx context.Context, p tag.Path, notBefore time.Time) (tag.Sample, error)
	// Write sends a value once. The error says that nothing was sent: a
	// *tag.Refusal, or ctx's.
	Write(ctx context.Context, p tag.Path, v tag.Value) (tag.Outcome, error)
	// Watch delivers the last sample known and each new one until ctx ends;
	// then the channel closes. A slow reader sees the newest.
	Watch(ctx context.Context, paths ...tag.Path) (<-chan tag.Update, error)
	// Lookup describes a tag; ok is false where there is none.
	Lookup(p tag.Path) (info tag.Info, ok bool)
}

// described is what a step says of itself.
type described struct {
	name   string
	params []engine.Param
}

// Name returns the name that scripts and the record use.
func (d described) Name() string { return d.name }

// Params returns the parameters in their order.
func (d described) Params() []engine.Param { return d.params }

func required(name string) engine.Param { return engine.Param{Name: name, Required: true} }

func optional(name string, def any) engine.Param { return engine.Param{Name: name, Default: def} }

// stamp writes t as all results do: RFC 3339, UTC, milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// ended returns why ctx ended if it has, else err.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

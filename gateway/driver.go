package gateway

import (
	"context"

	"holdfast/gateway/tag"
)

// Driver speaks to one device over one link. The link's goroutine owns it: no
// two calls to a Driver overlap, but for Subscribe, which runs beside Read and
// Write, and Close, which may come at any time and ends them all.
//
// A driver never retries a write, never reconnects by itself, and never waits
// longer than its own request timeout or ctx, but in Connect.
type Driver interface {
	// Connect opens the link. On a link that is open it first closes it. It may
	// take as long as the device has to be left alone after a failure.
	Connect(ctx context.Context) error

	// Read returns one sample an item, in the order of items; what could not
	// be read has a bad status. An error says that the link is lost and
	// Connect has to come before the next call: the samples that did arrive
	// are returned with it, or nil where nothing was asked of the device.
	//
	// The gateway passes the same unchanged slice for each scan of one scan
	// class: a driver may keep its plan under the slice's first element and length.
	Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error)

	// Write sends the writes in order and returns one outcome a write. An
	// error means that nothing was sent (tag.ErrNotConnected while the link is
	// down). After an outcome tag.Unknown the link counts as lost.
	Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error)

	// Close ends the link and frees what it holds. It may be called twice.
	Close() error
}

// Subscriber is a Driver that the device itself tells of changes.
type Subscriber interface {
	// Subscribe calls sink with updates of items, from one goroutine at a
	// time, until ctx ends or the session is lost; it returns why. Each item
	// gets a first change: a sample, good or bad, or that the device does not
	// monitor it (tag.Change.Unmonitored), in which case the gateway reads it
	// at its Period until a change comes. sink never blocks for long.
	Subscribe(ctx context.Context, items []tag.Item, sink func([]tag.Change)) error
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/gateway/tag"
)

// Driver is the link to a plant. It is a gateway.Driver and a gateway.Subscriber.
type Driver struct {
	plant  *plant
	places []*place // by Item.Handle; nil where the plant has not the address

	mu     sync.Mutex
	closed chan struct{} // closes with the link; nil while it is not connected
}

// New makes a plant of all addresses of items, and the link to it. The error
// names every fault.
func New(items []tag.Item) (*Driver, error) {
	p, err := newPlant(items)
	if err != nil {
		return nil, fmt.Errorf("cannot build the plant: %w", err)
	}
	d := p.driver(items)
	for i, it := range items {
		if it.Write && d.places[i].does != holds {
			err = errors.Join(err, fmt.Errorf("tag %s: address %q cannot be written: the plant moves it by itself", it.Path, it.Address))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot build the plant: %w", err)
	}
	return d, nil
}

func (p *plant) driver(items []tag.Item) *Driver {
	d := &Driver{plant: p, places: make([]*place, len(items))}
	for i, it := range items {
		if a, err := parse(it.Address, it.Type); err == nil {
			d.places[i] = p.places[a.name]
		}
	}
	return d
}

// Connect opens the link. The plant stays as it is.
func (d *Driver) Connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = make(chan struct{})
	return nil
}

// Close ends the link and its subscriptions. It returns no error.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		close(d.closed)
		d.closed = nil
	}
	return nil
}

// link returns the channel that closes with the link.
func (d *Driver) link(ctx context.Context) (closed <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed == nil {
		return nil, tag.ErrNotConnected
	}
	return d.closed, ctx.Err()
}

// Read returns the values of items as they are now.
func (d *Driver) Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	if _, err := d.link(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	samples := make([]tag.Sample, len(items))
	d.plant.mu.Lock()
	defer d.plant.mu.Unlock()
	for i, it := range items {
		samples[i] = d.sample(it.Handle, now)
	}
	return samples, nil
}

// sample returns one value. plant.mu is held.
func (d *Driver) sample(handle int, now time.Time) tag.Sample {
	q := d.place(handle)
	if q == nil {
		return tag.BadSample(tag.BadNodeIdUnknown, now)
	}
	v, err := q.at(now.Sub(d.plant.start))
	if err != nil { // an echo of what its own type cannot hold
		return tag.BadSample(tag.BadTypeMismatch, now)
	}
	return tag.Sample{Value: v, Status: tag.Good, Source: now, Received: now}
}

func (d *Driver) place(handle int) *place {
	if handle < 0 || handle >= len(d.places) {
		return nil
	}
	return d.places[handle]
}

// Write puts the values into the plant.
func (d *Driver) Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	if _, err := d.link(ctx); err != nil {
		return nil, err
	}
	outcomes := make([]tag.Outcome, len(writes))
	d.plant.mu.Lock()
	defer d.plant.mu.Unlock()
	for i, w := range writes {
		outcomes[i] = d.write(w)
	}
	return outcomes, nil
}

// write puts one value into the plant. plant.mu is held.
func (d *Driver) write(w tag.Write) tag.Outcome {
	q := d.place(w.Item.Handle)
	switch {
	case q == nil:
		return tag.Outcome{Result: tag.Rejected, Status: tag.BadNodeIdUnknown}
	case q.does != holds:
		return tag.Outcome{Result: tag.Rejected, Status: tag.BadNotWritable, Detail: "the plant moves it by itself"}
	}
	v, err := tag.Coerce(w.Value, q.typ)
	if err != nil {
		return tag.Outcome{Result: tag.Rejected, Status: tag.BadTypeMismatch, Detail: err.Error()}
	}
	if n := w.Item.Length; n > 0 && size(v) > n {
		return tag.Outcome{Result: tag.Rejected, Status: tag.BadOutOfRange, Detail: fmt.Sprintf("%d bytes do not fit into %d", size(v), n)}
	}
	q.write(v, time.Since(d.plant.start))
	return tag.Outcome{Result: tag.Accepted, Status: tag.Good}
}

// size is the length of a string or of bytes; 0 of all else.
func size(v tag.Value) int {
	if s, ok := v.AsString(); ok {
		return len(s)
	}
	b, _ := v.AsBytes()
	return len(b)
}

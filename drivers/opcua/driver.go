package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"holdfast/gateway/tag"
)

// Driver is a gateway.Driver and a gateway.Subscriber for one server.
type Driver struct {
	set   settings
	items []tag.Item // by Handle
	addrs []address
	said  said // of Subscribe, of which there is one at a time

	mu      sync.Mutex
	session *session           // nil while there is none; it may be lost
	cancel  context.CancelFunc // ends the Connect at work; nil where none is
}

// errClosed ends what is under way when Close comes.
var errClosed = errors.New("the driver was closed")

// New makes a driver for items, which have their index as Handle. It neither
// connects nor reads or writes a file; errors are those of cfg and items.
func New(cfg Config, items []tag.Item) (*Driver, error) {
	s, err := check(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot make an OPC UA driver: %w", err)
	}
	d := &Driver{set: s, items: slices.Clone(items), addrs: make([]address, len(items))}
	d.said = said{d.items, map[int]tag.StatusCode{}}
	var errs []error
	for i, it := range items {
		if d.addrs[i], err = checkItem(it); err != nil {
			errs = append(errs, err)
		}
		if it.Handle != i {
			errs = append(errs, fmt.Errorf("tag %s has the handle %d, want %d", it.Path, it.Handle, i))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("cannot make an OPC UA driver: %w", err)
	}
	return d, nil
}

// Connect opens a session, after it closed the one that there was.
func (d *Driver) Connect(ctx context.Context) error {
	d.drop(errors.New("the driver connects anew"))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	d.cancel = cancel
	d.mu.Unlock()
	s, err := openSession(ctx, d.set, d.items, d.addrs)
	d.mu.Lock()
	d.cancel = nil
	if err == nil && ctx.Err() == nil {
		d.session, s = s, nil
	}
	d.mu.Unlock()
	if err == nil && s != nil { // Close came at the very end
		err = errClosed
		s.end(err)
	}
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", d.set.URL, err)
	}
	return nil
}

// drop ends the session, if there is one.
func (d *Driver) drop(cause error) {
	d.mu.Lock()
	s := d.session
	d.session = nil
	d.mu.Unlock()
	if s != nil {
		s.end(cause)
	}
}

// current returns the session, or nil where it is lost.
func (d *Driver) current() *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil {
		return nil
	}
	select {
	case <-d.session.lost:
		return nil
	default:
		return d.session
	}
}

// Read returns a sample an item. After an error the session is gone: what ctx
// ended is not told from what the server left unanswered.
func (d *Driver) Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	s := d.current()
	if s == nil {
		return nil, tag.ErrNotConnected
	}
	samples, err := s.read(ctx, items)
	if err != nil {
		s.fail(err)
		return nil, fmt.Errorf("cannot read from %s: %w", d.set.URL, err)
	}
	return samples, nil
}

// Write sends the values one by one. Its error says that nothing was sent.
func (d *Driver) Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	s := d.current()
	if s == nil {
		return nil, tag.ErrNotConnected
	}
	outcomes, err := s.write(ctx, writes)
	if isLost(err) {
		return nil, tag.ErrNotConnected
	}
	return outcomes, err
}

// Close ends the session, and a Connect at work. A later Connect opens another one.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.cancel != nil {
		d.cancel()
	}
	d.mu.Unlock()
	d.drop(errClosed)
	return nil
}

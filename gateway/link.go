package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"holdfast/gateway/tag"
)

// link is one connection at work. Its goroutine owns the driver: it connects,
// scans, and in between serves the requests of readers and writers.
type link struct {
	g       *Gateway
	conn    Connection
	log     *slog.Logger
	tags    []*entry    // by handle
	items   []tag.Item  // by handle
	classes []*class    // of a subscribed device: those of the items that it does not monitor
	sent    []time.Time // by handle: the last write; owned by the link's goroutine

	reads  chan *readRequest // without a buffer: what is not taken yet is withdrawn
	writes chan *writeRequest
	first  chan struct{} // closed when the link is up for the first time

	// Guarded by Gateway.mu.
	session *session // nil while the link is not up
	status  LinkStatus
	repeats uint64 // failures since the one that was logged
}

// session is the time from a successful Connect until the link is lost. A
// request belongs to one session and dies with it.
type session struct {
	link   *link
	lost   chan struct{} // closed when the session ends
	recast chan struct{} // holds one token after an item began, or ceased, to be monitored
	alive  bool          // guarded by Gateway.mu
	data   bool          // a sample came over it; guarded by Gateway.mu
}

// Faults of a driver that have no error of their own.
var (
	errHandle = errors.New("the driver told of an item that does not exist")
	errEnded  = errors.New("the subscription ended")
)

func newLink(g *Gateway, c Connection) *link {
	return &link{
		g: g, conn: c, log: g.log.With("connection", c.Name, "driver", c.DriverKind),
		reads: make(chan *readRequest), writes: make(chan *writeRequest), first: make(chan struct{}),
		status: LinkStatus{Name: c.Name, Driver: c.DriverKind, Since: g.start},
	}
}

// plan lays out what is passed to the driver again and again, once all tags are known.
func (l *link) plan() {
	l.sent = make([]time.Time, len(l.tags))
	l.items = make([]tag.Item, len(l.tags))
	for i, e := range l.tags {
		l.items[i] = e.Item
	}
	if !l.conn.Subscribe {
		l.classes = classes(l.tags)
	}
}

// run keeps the link up until ctx ends, then closes the driver. Writes end with wire, not with ctx.
func (l *link) run(ctx, wire context.Context) error {
	l.g.mu.Lock()
	l.status.Since = time.Now()
	l.g.mu.Unlock()
	for failures := 0; ctx.Err() == nil; failures++ {
		if err := l.conn.Driver.Connect(ctx); err == nil {
			s := l.up()
			ended, end := l.subscribe(ctx, s)
			err = l.serve(ctx, wire, s, ended)
			if l.down(s, err, ctx.Err() != nil) {
				failures = 0
			}
			end()
		} else if ctx.Err() == nil {
			l.fault(err) // a driver says itself what it cannot do
			l.down(nil, err, false)
		}
		pause(ctx, l.backoff(failures))
	}
	if err := l.conn.Driver.Close(); err != nil {
		return fmt.Errorf("cannot close connection %s: %w", l.conn.Name, err)
	}
	return nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// backoff returns how long to wait after the given number of failures in a row
// beyond the first: ReconnectMin doubled each time up to ReconnectMax, of which
// up to half is left to chance, so that many links do not come back in one beat.
func (l *link) backoff(failures int) time.Duration {
	d := l.conn.ReconnectMin
	for range failures {
		if d *= 2; d >= l.conn.ReconnectMax || d <= 0 {
			d = l.conn.ReconnectMax
			break
		}
	}
	return max(l.conn.ReconnectMin, d/2+time.Duration(l.g.jitter()*float64(d-d/2)))
}

// up begins a session.
func (l *link) up() *session {
	now := time.Now()
	s := &session{link: l, lost: make(chan struct{}), recast: make(chan struct{}, 1), alive: true}
	l.g.mu.Lock()
	before, attempts := l.status, l.repeats
	l.session = s
	for _, e := range l.tags {
		c := &l.g.cells[e.number]
		c.dirty, c.source = true, unknown // what was said before the link went down is over
	}
	l.status.State, l.status.Since = Up, now
	l.repeats = 0
	select {
	case <-l.first:
		l.status.Reconnects++
	default:
		close(l.first)
	}
	l.g.mu.Unlock()
	l.log.Info("link is up", "was", before.State, "for", now.Sub(before.Since), "repeated_failures", attempts)
	return s
}

// down ends the session s, or tells of an attempt to connect that failed, where
// s is nil. All tags of the link lose their value. It reports whether data
// came over s.
func (l *link) down(s *session, err error, stop bool) (data bool) {
	code := tag.BadNoCommunication
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	now := time.Now()
	if s != nil {
		s.alive, data = false, s.data
		l.session = nil
		close(s.lost)
	}
	if stop {
		code, err = tag.BadShutdown, nil
	}
	if l.status.State == Down {
		l.repeats++
		return data
	}
	l.status.State, l.status.Since = Down, now
	for _, e := range l.tags {
		sample := tag.BadSample(code, now)
		l.g.cells[e.number].put(e, &sample, now)
	}
	if err != nil {
		l.log.Warn("link is down", "error", err)
	}
	return data
}

// failed counts a failure. Gateway.mu is held.
func (l *link) failed(err error) {
	l.status.Errors++
	l.status.LastError = err.Error()
}

// fault counts a failure.
func (l *link) fault(err error) {
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	l.failed(err)
}

// asked counts a request to the driver, and its failure.
func (l *link) asked(err error) {
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	l.status.Requests++
	if err != nil {
		l.failed(err)
	}
}

// arrived counts samples. Gateway.mu is held.
func (l *link) arrived(n int, now time.Time) {
	l.status.Samples += uint64(n)
	l.status.LastData = now
	l.session.data = true
}

// subscribe has the device tell of changes, where that is wanted. ended gets
// the reason when it does no more; end ends it and waits until it has.
func (l *link) subscribe(ctx context.Context, s *session) (ended <-chan error, end func()) {
	sub, ok := l.conn.Driver.(Subscriber)
	if !ok || !l.conn.Subscribe {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	reason := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		reason <- sub.Subscribe(ctx, l.items, func(c []tag.Change) { l.g.take(s, c) })
	}()
	return reason, func() { cancel(); <-gone }
}

// serve does the link's work until the session is lost or ctx ends. The error
// says why it was lost.
func (l *link) serve(ctx, wire context.Context, s *session, ended <-chan error) error {
	l.align(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		busy, err := l.requests(ctx, wire, s)
		if c := l.due(time.Now()); err == nil && c != nil {
			busy, err = true, l.scan(ctx, s, c)
		}
		wait := l.idle(time.Now())
		if busy {
			wait = 0
		}
		if err == nil {
			timer.Reset(wait)
			err = l.next(ctx, wire, s, ended, timer.C)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next waits for one thing to do, and does it if it is a request.
func (l *link) next(ctx, wire context.Context, s *session, ended <-chan error, due <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-ended:
		return l.unsubscribed(err)
	case w := <-l.writes:
		return l.write(ctx, wire, s, w)
	case r := <-l.reads:
		return l.answer(ctx, s, r)
	case <-s.recast:
		l.recast(time.Now())
		return nil
	case <-due:
		return nil
	}
}

// unsubscribed counts the end of a subscription and says what it means.
func (l *link) unsubscribed(err error) error {
	if err == nil {
		err = errEnded
	}
	err = fmt.Errorf("subscription lost: %w", err)
	l.fault(err)
	return err
}

// read asks the driver and puts what it says into the image. There is one
// sample for each item that something is known of, in the order of items.
func (l *link) read(ctx context.Context, s *session, tags []*entry, items []tag.Item) ([]tag.Sample, error) {
	asked := time.Now()
	samples, err := l.conn.Driver.Read(ctx, items)
	if err == nil && len(samples) != len(items) {
		err = fmt.Errorf("the driver returned %d samples for %d items", len(samples), len(items))
	}
	l.asked(err)
	samples = samples[:min(len(samples), len(items))]
	l.g.ingest(s, tags, samples, asked)
	return samples, err
}

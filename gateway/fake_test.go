package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// device is a scripted driver and the device behind it. Its fields are set
// before the gateway runs, or under set.
type device struct {
	mu         sync.Mutex
	down       error                           // what Connect returns
	readErr    error                           // what Read returns, with the samples in partial
	partial    int                             // how many samples Read returns with readErr
	readTakes  time.Duration                   // until Read returns
	writeTakes time.Duration                   // until Write returns
	outcome    tag.Outcome                     // of each write
	writeErr   error                           // what Write returns
	values     map[int]tag.Value               // by handle; 0 where none is set
	status     map[int]tag.StatusCode          // by handle
	received   func(handle int) (at time.Time) // nil: the driver does not say

	connects []time.Time
	reads    []call
	writes   []tag.Write
	closed   int
	first    []*tag.Item // the first element of the slice of each Read
}

// call is one Read that the driver was asked for.
type call struct {
	at      time.Time
	handles string
}

func newDevice() *device {
	return &device{values: make(map[int]tag.Value), status: make(map[int]tag.StatusCode), outcome: tag.Outcome{Result: tag.Accepted}}
}

// set changes the device while the gateway runs.
func (d *device) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *device) value(handle int, v tag.Value) { d.set(func() { d.values[handle] = v }) }

func (d *device) Connect(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connects = append(d.connects, time.Now())
	return errors.Join(d.down, ctx.Err())
}

func (d *device) Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	d.mu.Lock()
	c := call{at: time.Now()}
	for i, it := range items {
		if i > 0 {
			c.handles += " "
		}
		c.handles += fmt.Sprint(it.Handle)
	}
	d.reads = append(d.reads, c)
	d.first = append(d.first, &items[0])
	takes := d.readTakes
	d.mu.Unlock()
	if !lasts(ctx, takes) {
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	samples := make([]tag.Sample, len(items))
	for i, it := range items {
		samples[i] = tag.Sample{Value: tag.Int(0), Status: d.status[it.Handle]}
		if v, ok := d.values[it.Handle]; ok {
			samples[i].Value = v
		}
		if d.received != nil {
			samples[i].Received = d.received(it.Handle)
		}
	}
	if d.readErr != nil {
		return samples[:min(d.partial, len(samples))], d.readErr
	}
	return samples, nil
}

func (d *device) Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	d.mu.Lock()
	err, takes := d.writeErr, d.writeTakes
	if err == nil {
		d.writes = append(d.writes, writes...)
	}
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !lasts(ctx, takes) {
		return []tag.Outcome{{Result: tag.Unknown, Status: tag.BadTimeout}}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.outcome.Result == tag.Accepted {
		for _, w := range writes {
			d.values[w.Item.Handle] = w.Value
		}
	}
	return []tag.Outcome{d.outcome}, nil
}

func (d *device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
	return nil
}

func lasts(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// teller is a device that tells of changes.
type teller struct {
	*device
	tell chan []tag.Change // what the device tells
	lose chan error        // ends the subscription
}

func newTeller() *teller {
	return &teller{newDevice(), make(chan []tag.Change), make(chan error)}
}

func (d *teller) Subscribe(ctx context.Context, items []tag.Item, sink func([]tag.Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-d.lose:
			return err
		case c := <-d.tell:
			sink(c)
		}
	}
}

// plc is a connection of that name to d.
func plc(name string, d Driver) Connection {
	_, tells := d.(Subscriber)
	return Connection{Name: name, DriverKind: "fake", Driver: d, Subscribe: tells}
}

// table gives the tags of a configuration their handles.
func table(tags ...Tag) []Tag {
	n := make(map[string]int)
	for i := range tags {
		t := &tags[i]
		t.Item.Path, t.Item.Handle, t.Item.Write = t.Path, n[t.Connection], t.Write != nil
		n[t.Connection]++
	}
	return tags
}

// polled is a tag of connection "plc" that is read each period.
func polled(path tag.Path, period time.Duration) Tag {
	return Tag{Path: path, Connection: "plc", Item: tag.Item{Type: tag.TypeInt32, Period: period}}
}

// start runs a gateway without chance until the test ends.
func start(t *testing.T, cfg Config) *Gateway {
	t.Helper()
	g, _ := startable(t, cfg)
	return g
}

// startable is start; stop ends Run and waits for it.
func startable(t *testing.T, cfg Config) (g *Gateway, stop func()) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.jitter = func() float64 { return 0 }
	return g, run(t, g)
}

// pass lets d of the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }

func mustRead(t *testing.T, g *Gateway, p tag.Path, notBefore time.Time) tag.Sample {
	t.Helper()
	s, err := g.Read(t.Context(), p, notBefore)
	if err != nil {
		t.Fatalf("Read(%s): %v", p, err)
	}
	return s
}

func mustWrite(t *testing.T, g *Gateway, p tag.Path, v tag.Value) tag.Outcome {
	t.Helper()
	out, err := g.Write(t.Context(), p, v)
	if err != nil {
		t.Fatalf("Write(%s, %v): %v", p, v, err)
	}
	return out
}

func mustWatch(t *testing.T, g *Gateway, paths ...tag.Path) <-chan tag.Update {
	t.Helper()
	ch, err := g.Watch(t.Context(), paths...)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// show is a sample in short: its value, and its status where that is not Good.
func show(s tag.Sample) string {
	switch {
	case s.Status.IsBad():
		return s.Status.String()
	case s.Status != tag.Good:
		return s.Value.String() + " " + s.Status.String()
	}
	return s.Value.String()
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// run runs g until the test ends, and returns once the links are at work.
func run(t *testing.T, g *Gateway) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

// short is a driver that loses samples.
type short struct{ *device }

func (d short) Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	samples, err := d.device.Read(ctx, items)
	return samples[1:], err
}

// stuck is a driver that cannot be closed.
type stuck struct{ *device }

func (stuck) Close() error { return errors.New("it hangs") }

// silent is a driver that forgets to say what became of a write.
type silent struct{ *device }

func (silent) Write(context.Context, []tag.Write) ([]tag.Outcome, error) { return nil, nil }

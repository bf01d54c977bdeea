package controltest

import (
	"context"
	"sync"
	"time"

	"holdfast/gateway/tag"
)

// Device is a PLC in memory, by item path, whose answers to writes a test chooses.
type Device struct {
	mu     sync.Mutex
	values map[tag.Path]tag.Value
	answer tag.Outcome
	deaf   bool
	down   bool
}

// NewDevice returns a Device that accepts all writes.
func NewDevice() *Device {
	return &Device{answer: tag.Outcome{Result: tag.Accepted, Status: tag.Good}, values: map[tag.Path]tag.Value{
		"line/speed_sp": tag.Float(0), "line/count": tag.Int(7), "line/name": tag.String("Cola"), "line/raw": tag.Bytes([]byte{1, 2}),
	}}
}

// Set gives a place a value, as the machine does.
func (d *Device) Set(p tag.Path, v tag.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[p] = v
}

// Get returns what a place holds.
func (d *Device) Get(p tag.Path) tag.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.values[p]
}

// Answer sets the outcome of all writes from now on. A deaf device does not take
// over the value, whatever it answers.
func (d *Device) Answer(o tag.Outcome, deaf bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.deaf = o, deaf
}

// Unplug takes the device from its link.
func (d *Device) Unplug() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = true
}

// Connect succeeds unless the device is unplugged.
func (d *Device) Connect(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return tag.ErrNotConnected
	}
	return nil
}

// Read returns what the places hold.
func (d *Device) Read(_ context.Context, items []tag.Item) ([]tag.Sample, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, tag.ErrNotConnected
	}
	all := make([]tag.Sample, len(items))
	for i, it := range items {
		all[i] = tag.Sample{Value: d.values[it.Path], Received: time.Now()}
	}
	return all, nil
}

// Write answers as a test has chosen.
func (d *Device) Write(_ context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, tag.ErrNotConnected
	}
	all := make([]tag.Outcome, len(writes))
	for i, w := range writes {
		if all[i] = d.answer; d.answer.Result == tag.Accepted && !d.deaf {
			d.values[w.Item.Path] = w.Value
		}
	}
	return all, nil
}

// Close has nothing to close.
func (d *Device) Close() error { return nil }

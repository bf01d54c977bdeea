package modbus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/simonvetter/modbus"

	"holdfast/gateway/tag"
)

// maxPlans bounds the plans that are kept. A gateway has one a scan class; the
// bound is for callers that make a new slice for each Read.
const maxPlans = 64

// planKey names a slice of items: the gateway passes the same for each scan.
type planKey struct {
	first *tag.Item
	n     int
}

// plan is how a list of items is read. Splits change it.
type plan struct {
	points  []point // of the items, in their order
	handles []int
	blocks  []block
	unknown []int // indices of items that the driver was not made for
}

// Read reads items in as few requests as the device takes. An error of ctx, or
// of Close, comes between requests; ctx alone leaves the link up.
func (d *Driver) Read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	ctx, end, err := d.begin(ctx, false)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("cannot read from %s: %w", d.cfg.URL, err)
	}
	if len(items) == 0 {
		return nil, nil
	}
	p := d.planFor(items)
	samples := make([]tag.Sample, len(items))
	for _, i := range p.unknown {
		samples[i] = tag.BadSample(tag.BadConfigurationError, time.Now())
	}
	for i := 0; i < len(p.blocks); {
		b := p.blocks[i]
		if err := d.ready(ctx); err != nil {
			fail(samples, p.blocks[i:], tag.BadTimeout)
			return samples, fmt.Errorf("cannot read from %s: %w", d.cfg.URL, err)
		}
		sent := time.Now()
		err := d.readBlock(p, b, samples)
		d.idle = time.Now()
		if err == nil {
			i++
			continue
		}
		e, isException := exceptionOf(err)
		switch {
		case !isException:
			d.lose(ctx, sent, err)
			fail(samples, p.blocks[i:i+1], linkStatus(err))
			fail(samples, p.blocks[i+1:], tag.BadNotConnected)
			return samples, fmt.Errorf("cannot %s from %s: %w%s", b.request().span(), d.cfg.URL, err, d.resting())
		case e.splits() && len(b.spans) > 1:
			low, high := b.split()
			p.blocks = slices.Replace(p.blocks, i, i+1, low, high)
			d.cfg.Log.InfoContext(ctx, "device refuses a block, split", "url", d.cfg.URL,
				"request", b.request().String(), "cause", e.detail())
		default:
			fail(samples, p.blocks[i:i+1], e.read)
			i++
		}
	}
	return samples, nil
}

// planFor returns the plan of a list of items, which it keeps while the link is up.
func (d *Driver) planFor(items []tag.Item) *plan {
	key := planKey{&items[0], len(items)}
	if p := d.plans[key]; p != nil && slices.EqualFunc(p.handles, items, func(h int, it tag.Item) bool { return h == it.Handle }) {
		return p
	}
	p := &plan{points: make([]point, len(items)), handles: make([]int, len(items))}
	known := make([]int, 0, len(items))
	for i, it := range items {
		p.handles[i] = it.Handle
		pt, err := d.point(it)
		if err != nil {
			p.unknown = append(p.unknown, i)
			continue
		}
		p.points[i] = pt
		known = append(known, i)
	}
	p.blocks = planBlocks(d.cfg, p.points, known)
	if len(items) > 1 { // one item has nothing to split
		if len(d.plans) >= maxPlans {
			clear(d.plans)
		}
		d.plans[key] = p
	}
	return p
}

// point returns the compiled form of an item of this driver.
func (d *Driver) point(it tag.Item) (point, error) {
	if it.Handle < 0 || it.Handle >= len(d.points) {
		return point{}, fmt.Errorf("tag %s with handle %d is not one of the %d of %s", it.Path, it.Handle, len(d.points), d.cfg.URL)
	}
	return d.points[it.Handle], nil
}

// readBlock sends one request and decodes its answer into samples.
func (d *Driver) readBlock(p *plan, b block, samples []tag.Sample) error {
	if !b.table.registers() {
		return d.readBits(b, samples)
	}
	kind := modbus.HOLDING_REGISTER
	if b.table == Input {
		kind = modbus.INPUT_REGISTER
	}
	raw, err := d.client.ReadRawBytes(uint16(b.first()), uint16(b.quantity()*bytesPerRegister), kind)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, s := range b.spans {
		value := raw[(s.first-b.first())*bytesPerRegister : (s.end-b.first())*bytesPerRegister]
		for _, i := range s.at {
			v, status := p.points[i].decode(value)
			samples[i] = tag.Sample{Value: v, Status: status, Received: now}
		}
	}
	return nil
}

// readBits is readBlock for coils and discrete inputs.
func (d *Driver) readBits(b block, samples []tag.Sample) error {
	ask := d.client.ReadCoils
	if b.table == Discrete {
		ask = d.client.ReadDiscreteInputs
	}
	bits, err := ask(uint16(b.first()), uint16(b.quantity()))
	if err != nil {
		return err
	}
	now := time.Now()
	for _, s := range b.spans {
		for _, i := range s.at {
			samples[i] = tag.Sample{Value: tag.Bool(bits[s.first-b.first()]), Received: now}
		}
	}
	return nil
}

// fail gives the items of blocks a bad sample.
func fail(samples []tag.Sample, blocks []block, status tag.StatusCode) {
	now := time.Now()
	for _, b := range blocks {
		for _, s := range b.spans {
			for _, i := range s.at {
				samples[i] = tag.BadSample(status, now)
			}
		}
	}
}

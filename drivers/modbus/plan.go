package modbus

import (
	"cmp"
	"fmt"
	"slices"

	"holdfast/gateway/tag"
)

// Request is one read of a scan.
type Request struct {
	Table    Table
	First    uint16 // offset, zero-based
	Quantity int    // registers, coils or discrete inputs
	Tags     int    // how many tags it serves
}

// String tells what is read: "read holding 100–124 (25 registers) for 12 tags".
func (r Request) String() string {
	tags := "tags"
	if r.Tags == 1 {
		tags = "tag"
	}
	return fmt.Sprintf("%s for %d %s", r.span(), r.Tags, tags)
}

func (r Request) span() string {
	at := fmt.Sprint(r.First)
	if r.Quantity > 1 {
		at = fmt.Sprintf("%d–%d", r.First, int(r.First)+r.Quantity-1)
	}
	return fmt.Sprintf("read %v %s (%d %s)", r.Table, at, r.Quantity, r.Table.unit(r.Quantity))
}

// Plan returns the requests that one scan of items makes on a device that
// refuses none: contiguous values merged up to the limits, per table, over gaps
// of at most MaxGap entries, no value torn.
func Plan(cfg Config, items []tag.Item) ([]Request, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	points, err := compile(cfg, items)
	if err != nil {
		return nil, err
	}
	all := make([]int, len(points))
	for i := range all {
		all[i] = i
	}
	var requests []Request
	for _, b := range planBlocks(cfg, points, all) {
		requests = append(requests, b.request())
	}
	return requests, nil
}

// span is what one or more tags take: the smallest that can be read.
type span struct {
	first, end int
	at         []int // indices of the points, in the list that was planned
}

// block is one read request and what it serves.
type block struct {
	table Table
	spans []span // by first; they may overlap
	end   int
}

func (b block) first() int    { return b.spans[0].first }
func (b block) quantity() int { return b.end - b.first() }

func (b block) request() Request {
	r := Request{Table: b.table, First: uint16(b.first()), Quantity: b.quantity()}
	for _, s := range b.spans {
		r.Tags += len(s.at)
	}
	return r
}

// split halves a block of several spans.
func (b block) split() (block, block) {
	half := len(b.spans) / 2
	return newBlock(b.table, b.spans[:half:half]), newBlock(b.table, b.spans[half:])
}

func newBlock(table Table, spans []span) block {
	b := block{table: table, spans: spans}
	for _, s := range spans {
		b.end = max(b.end, s.end)
	}
	return b
}

// planBlocks merges the points with the indices at into blocks, by table and
// offset. It sorts at. None of the points is wider than the limits.
func planBlocks(cfg Config, points []point, at []int) []block {
	byTable := make([][]span, Holding+1)
	slices.SortStableFunc(at, func(i, j int) int {
		return cmp.Or(cmp.Compare(points[i].first(), points[j].first()), cmp.Compare(points[i].end(), points[j].end()))
	})
	for _, i := range at {
		p := points[i]
		spans := byTable[p.addr.Table]
		if n := len(spans); n > 0 && spans[n-1].first == p.first() && spans[n-1].end == p.end() {
			spans[n-1].at = append(spans[n-1].at, i)
			continue
		}
		byTable[p.addr.Table] = append(spans, span{first: p.first(), end: p.end(), at: []int{i}})
	}
	var blocks []block
	for table, spans := range byTable {
		limit := cfg.MaxRegisters
		if !Table(table).registers() {
			limit = cfg.MaxCoils
		}
		blocks = append(blocks, merge(Table(table), spans, limit, cfg.MaxGap)...)
	}
	return blocks
}

func merge(table Table, spans []span, limit, gap int) []block {
	var blocks []block
	for len(spans) > 0 {
		first, end := spans[0].first, spans[0].end
		n := 1
		for n < len(spans) && spans[n].first <= end+gap && max(end, spans[n].end)-first <= limit {
			end = max(end, spans[n].end)
			n++
		}
		blocks = append(blocks, block{table: table, spans: spans[:n:n], end: end})
		spans = spans[n:]
	}
	return blocks
}

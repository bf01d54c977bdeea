package modbus

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"holdfast/gateway/tag"
)

func item(handle int, addr string, typ tag.Type, length int) tag.Item {
	return tag.Item{Handle: handle, Path: tag.Path(fmt.Sprintf("t/%d", handle)), Address: addr, Type: typ, Length: length}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	run := func(table string, from, to, step int, typ tag.Type) (is []tag.Item) {
		for n := from; n < to; n += step {
			is = append(is, item(0, fmt.Sprintf("%s:%d", table, n), typ, 0))
		}
		return is
	}
	for _, c := range []struct {
		name  string
		cfg   Config
		items []tag.Item
		want  []string
	}{
		{"nothing", Config{}, nil, nil},
		{"one register", Config{}, run("holding", 5, 6, 1, tag.TypeInt16), []string{"read holding 5 (1 register) for 1 tag"}},
		{"contiguous", Config{}, run("holding", 100, 124, 2, tag.TypeFloat32), []string{"read holding 100–123 (24 registers) for 12 tags"}},
		{"a hole", Config{}, slices.Concat(run("input", 0, 2, 1, tag.TypeInt16), run("input", 3, 5, 1, tag.TypeInt16)),
			[]string{"read input 0–1 (2 registers) for 2 tags", "read input 3–4 (2 registers) for 2 tags"}},
		{"a hole that may be read", Config{MaxGap: 1}, slices.Concat(run("input", 3, 5, 1, tag.TypeInt16), run("input", 0, 2, 1, tag.TypeInt16)),
			[]string{"read input 0–4 (5 registers) for 4 tags"}},
		{"a hole too wide", Config{MaxGap: 1}, run("input", 0, 6, 3, tag.TypeInt16),
			[]string{"read input 0 (1 register) for 1 tag", "read input 3 (1 register) for 1 tag"}},
		{"limit", Config{}, run("holding", 0, 250, 1, tag.TypeInt16),
			[]string{"read holding 0–124 (125 registers) for 125 tags", "read holding 125–249 (125 registers) for 125 tags"}},
		{"no value torn", Config{MaxRegisters: 5}, run("holding", 0, 8, 2, tag.TypeInt32),
			[]string{"read holding 0–3 (4 registers) for 2 tags", "read holding 4–7 (4 registers) for 2 tags"}},
		{"coils", Config{MaxCoils: 8}, run("coil", 0, 10, 1, tag.TypeBool),
			[]string{"read coil 0–7 (8 coils) for 8 tags", "read coil 8–9 (2 coils) for 2 tags"}},
		{"each table", Config{}, []tag.Item{
			item(0, "holding:0", tag.TypeInt16, 0), item(1, "input:0", tag.TypeInt16, 0),
			item(2, "discrete:9", tag.TypeBool, 0), item(3, "coil:0", tag.TypeBool, 0), item(4, "discrete:8", tag.TypeBool, 0),
		}, []string{
			"read coil 0 (1 coil) for 1 tag", "read discrete 8–9 (2 discrete inputs) for 2 tags",
			"read input 0 (1 register) for 1 tag", "read holding 0 (1 register) for 1 tag",
		}},
		{"bits and views of one register", Config{}, []tag.Item{
			item(0, "holding:7.0", tag.TypeBool, 0), item(1, "holding:7.15", tag.TypeBool, 0), item(2, "40008", tag.TypeUint16, 0),
			item(3, "holding:6", tag.TypeUint32, 0),
		}, []string{"read holding 6–7 (2 registers) for 4 tags"}},
		{"a string", Config{}, []tag.Item{item(0, "holding:0", tag.TypeString, 249), item(1, "holding:125", tag.TypeUint16, 0)},
			[]string{"read holding 0–124 (125 registers) for 1 tag", "read holding 125 (1 register) for 1 tag"}},
		{"the last register", Config{}, []tag.Item{item(0, "holding:65535", tag.TypeUint16, 0), item(1, "holding:65533", tag.TypeUint32, 0)},
			[]string{"read holding 65533–65535 (3 registers) for 2 tags"}},
	} {
		requests, err := Plan(c.cfg, c.items)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, r := range requests {
			got = append(got, r.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Plan(Config{}, []tag.Item{item(0, "40000", tag.TypeInt16, 0)}); err == nil {
		t.Error("Plan took a bad address")
	}
	if _, err := Plan(Config{MaxGap: -1}, nil); err == nil {
		t.Error("Plan took a bad limit")
	}
}

// TestPlanInvariants draws items at random: each is in exactly one block, whole;
// blocks keep the limits, hold no gap above MaxGap, and are as full as can be.
func TestPlanInvariants(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	types := []tag.Type{tag.TypeInt16, tag.TypeInt32, tag.TypeFloat64, tag.TypeString}
	for range 500 {
		cfg, err := Config{MaxRegisters: 4 + rnd.IntN(122), MaxGap: rnd.IntN(5)}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		points := make([]point, rnd.IntN(200))
		at := make([]int, len(points))
		for i := range points {
			points[i] = point{addr: Address{Table: Holding, Offset: uint16(rnd.IntN(400)), Bit: -1}, typ: types[rnd.IntN(4)], length: 1 + rnd.IntN(8)}
			at[i] = i
		}
		seen := make([]int, len(points))
		var before block
		for _, b := range planBlocks(cfg, points, at) {
			if b.quantity() > cfg.MaxRegisters || b.quantity() < 1 {
				t.Fatalf("block of %d registers, the limit is %d", b.quantity(), cfg.MaxRegisters)
			}
			end := b.first()
			for _, s := range b.spans {
				if s.first > end+cfg.MaxGap {
					t.Fatalf("gap from %d to %d, allowed are %d", end, s.first, cfg.MaxGap)
				}
				end = max(end, s.end)
				for _, i := range s.at {
					seen[i]++
					if p := points[i]; p.first() != s.first || p.end() != s.end || s.first < b.first() || s.end > b.end {
						t.Fatalf("point %d–%d is torn in block %d–%d", p.first(), p.end(), b.first(), b.end)
					}
				}
			}
			if before.spans != nil && b.first() <= before.end+cfg.MaxGap &&
				max(before.end, b.spans[0].end)-before.first() <= cfg.MaxRegisters {
				t.Fatalf("the span at %d had room in the block at %d–%d", b.first(), before.first(), before.end)
			}
			before = b
		}
		if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
			t.Fatalf("point %d is in %d blocks", i, seen[i])
		}
	}
}

// TestSplit holds that halving ends with single spans and loses none.
func TestSplit(t *testing.T) {
	t.Parallel()
	spans := []span{{0, 4, []int{0}}, {1, 2, []int{1, 2}}, {2, 3, []int{3}}, {5, 6, []int{4}}, {6, 8, []int{5}}}
	work, leaves := []block{newBlock(Holding, spans)}, 0
	for len(work) > 0 {
		b := work[0]
		work = work[1:]
		for _, s := range b.spans {
			if s.first < b.first() || s.end > b.end {
				t.Errorf("span %v is not within block %d–%d", s, b.first(), b.end)
			}
		}
		if len(b.spans) == 1 {
			leaves++
			continue
		}
		low, high := b.split()
		work = append(work, low, high)
	}
	if leaves != len(spans) {
		t.Errorf("%d leaves of %d spans", leaves, len(spans))
	}
}

package record

import (
	"math"
	"strings"
	"testing"

	"holdfast/engine/value"
	"holdfast/journal"
)

// lane is a run's record in which each kind of reference has something to lead to.
func lane(t testing.TB) []journal.Record {
	a, err := value.Encode(value.NewMap("path", "tank.level"))
	if err != nil {
		t.Fatal(err)
	}
	return []journal.Record{
		{Seq: 0, Kind: KindDone, Data: fields(nil, "tags.read", a, nil, 20.5, 1, false, 7)},
		{Seq: 1, Kind: KindBegun, Data: fields(nil, "tags.write", a, true)},
		{Seq: 1, Kind: KindDone, Data: fields(nil, nil, nil, nil, "accepted")},
		{Seq: 2, Kind: KindReceived, Data: fields(nil, "recv", "x", "")},
		{Seq: 3, Kind: KindEvent, Data: fields(nil, "key", 1)},
		{Seq: 4, Kind: KindDone, Data: fields(nil, 0, 0)},
		{Seq: 5, Kind: KindBegun, Data: fields(nil, 1, nil, true)},
		{Seq: 5, Kind: KindDone, Data: fields(nil, nil, 1)},
		{Seq: 6, Kind: KindReceived, Data: fields(nil, 2)},
		{Seq: 7, Kind: KindDone},
		{Seq: firstNote, Kind: KindNote, Data: fields(nil, "started")},
		{Seq: firstSafe, Kind: KindDone, Data: fields(nil, 0)},
	}
}

// showOpened is an opened record as text.
func showOpened(o opened, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for i, f := range o.fs {
		v, err := value.Decode(f)
		if err != nil {
			return err.Error()
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(value.Short(v, 40))
	}
	return b.String()
}

// What a record leaves to others is found; what leads nowhere is an error, with its place.
func TestOpen(t *testing.T) {
	t.Parallel()
	const read, none = `"tags.read" {"path":"tank.level"}`, ", where no earlier record holds "
	text := value.AppendString(nil, "x")
	for _, c := range []struct {
		kind journal.Kind
		data []byte
		want string
	}{
		{KindDone, fields(nil, 0, 0), read + " null 20.5 1 false 0"},
		{KindDone, fields(nil, 0, nil, nil, true, 2), read + " null true 2 false 0"},
		{KindDone, fields(nil, 0, 1, nil, nil, 1, false, 9), read + ` null "accepted" 1 false 9`},
		{KindDone, fields(nil, 1, 0), `"tags.write" {"path":"tank.level"} null 20.5 1 false 0`},
		{KindDone, fields(nil, nil, 1), `null null null "accepted" 1 false 0`},
		{KindDone, fields(nil), `null null null null 1 false 0`},
		{KindBegun, fields(nil, 0), read + " false 1 null"},
		{KindBegun, fields(nil, 1, nil, true, 3, 5), `"tags.write" {"path":"tank.level"} true 3 5`},
		{KindReceived, fields(nil, 2), `"recv" "x" "" null null null`},
		{KindDone, fields(nil, "x", value.Raw(text)), `"x" "x" null null 1 false 0`},

		{KindDone, fields(nil, 7), "it refers to place 7" + none + "a call in full"}, // its own
		{KindDone, fields(nil, 0, 7), "it refers to place 7" + none + "an outcome in full"},
		{KindDone, fields(nil, 8), "it refers to place 8" + none + "a call in full"},
		{KindDone, fields(nil, 0, uint64(math.MaxUint64)), "it refers to place 18446744073709551615" + none + "an outcome in full"},
		{KindDone, fields(nil, firstNote), "it refers to place 1073741824" + none + "a call in full"},
		{KindDone, fields(nil, 2), "it refers to place 2" + none + "a call in full"},
		{KindDone, fields(nil, 3), "it refers to place 3" + none + "a call in full"},
		{KindDone, fields(nil, 4), "it refers to place 4" + none + "a call in full"},
		{KindDone, fields(nil, 0, 4), "it refers to place 4" + none + "an outcome in full"},
		{KindDone, fields(nil, nil, 5), "it refers to place 5" + none + "an outcome in full"},
		{KindBegun, fields(nil, 5), "it refers to place 5" + none + "a call in full"},
		{KindReceived, fields(nil, 0), "it refers to place 0" + none + "a call in full"},
		{KindReceived, fields(nil, 6), "it refers to place 6" + none + "a call in full"},
		{KindDone, fields(nil, 0, value.Raw(text)), "it refers to place 0, and has something to say itself"},
		{KindDone, fields(nil, 0, 0, nil, true), "it refers to place 0, and has an outcome itself"},
		{KindDone, fields(nil, nil, value.Raw(text)), "it has arguments and no name"},
		{KindDone, fields(nil, -1), "it has neither a name nor a place"},
		{KindBegun, fields(nil), "it has neither a name nor a place"},
		{KindBegun, fields(nil, 0, 1), "it refers to place 0, and has something to say itself"},
		{KindReceived, fields(nil, 2, nil, "s"), "it refers to place 2, and has something to say itself"},
		{KindEvent, fields(nil, 0, 0), "it is none of a call"},
		{KindDone, nil, "encoded value is cut short"},
		{KindDone, []byte{0x81, 0x1b, 0x00}, "encoded value is cut short"},
	} {
		recs := lane(t)
		rec := &recs[9]
		rec.Kind, rec.Data = c.kind, c.data
		o, err := open(recs, rec, nil)
		got := showOpened(o, err)
		if err != nil {
			c.want = "record 7 of kind " + string('0'+rune(c.kind)) + " cannot be read: " + c.want
		}
		if got != c.want {
			t.Errorf("%x: got %s, want %s", c.data, got, c.want)
		}
	}
	recs := lane(t)
	if _, err := open(recs, &recs[11], nil); err == nil {
		t.Error("a record of the safe state refers to one of the program")
	}
	if _, err := open(nil, &recs[5], nil); err == nil {
		t.Error("a reference leads to a record that is not there")
	}
}

// Whatever stands in the records, opening them ends with a call in full or an error.
func FuzzOpen(f *testing.F) {
	for _, rec := range lane(f) {
		f.Add(uint8(rec.Kind), rec.Data, uint8(rec.Kind), rec.Data)
	}
	f.Add(uint8(KindDone), []byte{0x81, 0x07}, uint8(KindDone), []byte{0x82, 0x18, 0xff, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, kind1 uint8, data1 []byte, kind2 uint8, data2 []byte) {
		recs := lane(t)
		recs[4].Kind, recs[4].Data = journal.Kind(kind1), data1
		recs[9].Kind, recs[9].Data = journal.Kind(kind2), data2
		for i := range recs {
			o, err := open(recs, &recs[i], nil)
			Describe(recs, &recs[i])
			if err != nil {
				continue
			}
			if len(o.fs) < len(defaultsOf(recs[i].Kind)) || o.callAt > recs[i].Seq || o.outcomeAt > recs[i].Seq {
				t.Errorf("record %d is opened as %+v", i, o)
			}
			if major(o.fs[0]) != value.MajorText && (recs[i].Kind != KindDone || !o.fs[0].IsNil()) {
				t.Errorf("record %d has no name: %x", i, o.fs[0])
			}
		}
		rd := Reader{Records: recs}
		for i := range recs {
			d, err := rd.Done(&recs[i])
			if err == nil && recs[i].Kind != KindDone {
				t.Errorf("record %d is read as %+v", i, d)
			}
		}
	})
}

// What a run knows stays within its bounds, the calls that are used stay, and a hit takes no memory.
func TestKnownIsBounded(t *testing.T) {
	var k known
	key := func(n, size int) []byte { return append(make([]byte, size), byte(n), byte(n>>8)) }
	look := func(n, size int) bool {
		i := k.find(KindDone, key(n, size))
		if i < 0 {
			i = k.put(i, KindBegun, key(n, size), uint32(n))
			if i >= 0 {
				k.setOutcome(i, key(n, size), uint32(n))
			}
			return false
		}
		return k.list[i].callAt == uint32(n) && k.list[i].hasOutcome(key(n, size))
	}
	for n := range 1000 {
		look(n, 20)
		if n >= maxKnown-1 && n%7 == 0 {
			look(0, 20) // never the oldest
		}
	}
	if !look(0, 20) || !look(990, 20) || look(500, 20) || len(k.list) != maxKnown {
		t.Errorf("the wrong calls are known, %d of them", len(k.list))
	}
	for n := range 1000 {
		look(n, n%5000)
		total := 0
		for i := range k.list {
			total += k.list[i].size()
		}
		if total != k.size || total > knownBytes && len(k.list) > 1 {
			t.Fatalf("%d bytes of %d calls, counted as %d", total, len(k.list), k.size)
		}
	}
	if look(1, 5000); look(1, 5000) {
		t.Error("a call of 5000 bytes is known")
	}
	if k.find(KindReceived, key(990, 20)) >= 0 {
		t.Error("a receive is taken for a step")
	}
	hit := key(7, 20)
	look(7, 20)
	if n := testing.AllocsPerRun(100, func() { k.put(k.find(KindDone, hit), KindDone, hit, 7); k.setOutcome(k.find(KindDone, hit), hit, 8) }); n > 0 {
		t.Errorf("%v allocations for a call that is known", n)
	}
}

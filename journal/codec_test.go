package journal

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

// decodeAny decodes a sealed entry as what its key says that it is.
func decodeAny(key, value []byte) (any, error) {
	payload, _, err := unseal(key, value)
	if err != nil {
		return nil, err
	}
	run, part, ok := splitRunKey(key)
	switch {
	case !ok && len(key) == 9 && key[0] == tableHeads:
		return decodeHeads(run, payload)
	case !ok && len(key) == 13 && key[0] == tableBodies:
		var r Run
		err := readWhole(bytes.NewReader(payload), uint64(len(payload)), &r)
		return r, err
	case !ok && len(key) == 9 && key[0] == tableEnded:
		_, summary, err := decodeEndedEntry(payload)
		return summary, err
	case !ok:
		return payload, nil
	case part == partHeader:
		return decodeHeader(run, payload)
	case part == partRecord:
		return decodeRecords(nil, 0, key, payload)
	case part == partMessage:
		return decodeMessage(key, payload)
	case part == partEnd:
		return decodeEnd(payload)
	}
	return payload, nil
}

// What is encoded is decoded the same, and no flip of a bit in key or value
// goes unseen.
func FuzzCodec(f *testing.F) {
	f.Add(uint64(1), uint32(2), byte(3), uint32(4), int64(1767323045006), []byte("data"), uint64(5), "id", uint(0))
	f.Add(uint64(1<<64-1), uint32(1<<32-1), byte(255), uint32(0), int64(-62135596800000), []byte{}, uint64(0), "ä", uint(77))
	f.Fuzz(func(t *testing.T, run uint64, seq uint32, kind byte, count uint32, ms int64, data []byte, number uint64, id string, bit uint) {
		ms %= 1 << 48
		kind %= kindEnd
		if len(data) == 0 {
			data = nil
		}
		if id == "" {
			id = "x"
		}
		at := time.UnixMilli(ms).UTC()
		want := Run{
			Header:  Header{Run: run, ID: id, Created: at, Data: data},
			Records: []Record{{Seq: seq, Kind: Kind(kind), Count: max(count, 1), Time: at, Data: data}},
			Inbox:   []Message{{Number: number, Time: at, Data: data}},
			End:     append([]byte{}, data...),
		}
		c := Change{Run: run, Start: &want.Header, Records: want.Records, Inbox: want.Inbox, End: want.End, Amend: want.End}
		var e encoder
		e.change(&c, 9)
		var got held
		for _, o := range sealAll(nil, e.buf, e.ops, number) {
			if o.key[0] != tableID {
				if err := got.add(o.key, o.value); err != nil {
					t.Fatal(err)
				}
			}
			flipped := bytes.Clone(append(bytes.Clone(o.key), o.value...))
			n := bit % uint(8*len(flipped))
			flipped[n/8] ^= 1 << (n % 8)
			if _, _, err := unseal(flipped[:len(o.key)], flipped[len(o.key):]); err == nil {
				t.Fatalf("bit %d of %x flipped, and nothing said", n, o.key)
			}
		}
		if !reflect.DeepEqual(got.run, want) || !bytes.Equal(got.amended, want.End) {
			t.Fatalf("got  %+v\nwant %+v", got.run, want)
		}
		f := found{}
		for _, o := range sealAll(nil, e.buf, e.ops, number) {
			if o.key[0] != tableID {
				if err := f.add(o.key, o.value); err != nil {
					t.Fatal(err)
				}
			}
		}
		plain := f.body.end(f.plain)
		back := Run{Header: want.Header, End: want.End}
		if err := readWhole(bytes.NewReader(plain), uint64(len(plain)), &back); err != nil || !reflect.DeepEqual(back, want) {
			t.Fatalf("unpacked: %v\ngot  %+v\nwant %+v", err, back, want)
		}
		p, err := newPacker()
		if err != nil {
			t.Fatal(err)
		}
		e.reset()
		p.begin(3, &e)
		r := head{run: run, header: f.header, end: f.end, body: uint64(len(plain)) + 1}
		if err := errors.Join(p.add(plain), p.finish([]head{r})); err != nil {
			t.Fatal(err)
		}
		for _, o := range sealAll(nil, e.buf, e.ops, number) {
			if o.key[0] != tableHeads {
				continue
			}
			hd, err := decodeHeads(3, o.value[sealLen:])
			if err != nil || len(hd.runs) != 1 || !reflect.DeepEqual(hd.runs[0], r) {
				t.Fatalf("heads: %+v, %v; want %+v", hd, err, r)
			}
		}
	})
}

// No bytes make the decoders panic, even with a CRC that holds.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("r\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x01\x01"), []byte("\x01\x02xyz"))
	f.Add([]byte("h\x00\x00\x00\x00\x00\x00\x00\x01"), []byte("\x01\x01\x05\x00\x00\x00\x00\xff\xff\xff\xff\x0f"))
	f.Add([]byte("b\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"), []byte("\x05\x00\xff\xff\xff\xff\x0f"))
	f.Add([]byte("e\x00\x00\x00\x00\x00\x00\x00\x01"), []byte("\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, key, payload []byte) {
		if len(key) == 0 {
			return
		}
		value := append(make([]byte, sealLen), payload...)
		seal(key, value, 1)
		if _, err := decodeAny(key, value); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("got %v", err)
		}
		describe(key)
		if _, err := decodeAny(key, payload); err == nil && len(payload) < sealLen {
			t.Error("an entry shorter than its CRC was believed")
		}
	})
}

// FuzzPages gives the parsers of pages any bytes.
func FuzzPages(f *testing.F) {
	f.Add(make([]byte, pageSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		page := make([]byte, pageSize)
		copy(page, b)
		for _, flags := range []byte{flagLeaf, flagBranch, flagFreelist} {
			page[8], page[9] = flags, 0
			leaf, err := parseLeaf(page)
			if err == nil && len(leaf) > len(anyLeaf(page)) {
				t.Error("a sound leaf gave fewer entries when read as a damaged one")
			}
			_, berr := parseBranch(page)
			_, ferr := parseFreelist(page)
			if err == nil && berr == nil || err == nil && ferr == nil || berr == nil && ferr == nil {
				t.Error("one page was taken for two kinds")
			}
		}
		if _, err := parseMeta(page, 0); err == nil && le.Uint32(page[pageHeaderLen:]) != metaMagic {
			t.Error("no meta was taken for one")
		}
	})
}

func TestAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, want []byte }{
		{[]byte{1}, []byte{2}},
		{[]byte{1, 0xff}, []byte{2}},
		{[]byte{0xff, 0xff}, nil},
		{nil, nil},
		{[]byte{1, 2, 3}, []byte{1, 2, 4}},
	} {
		if got := after(c.prefix); !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("after(%x) = %x, want %x", c.prefix, got, c.want)
		}
	}
}

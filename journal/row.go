package journal

import (
	"encoding/binary"
	"fmt"
	"sort"
	"time"
)

// What a run's own Writer appends lies in rows: records side by side, one entry
// for all that go to disk together, under the place and the kind of the first of
// them. A record that is put on its own has aloneBit in its key, and so comes
// behind the row that may have one of the same place and kind. It stands in that
// one's place, for it was put later: a row has only what was new. What is only
// counted again has countBits, and comes behind both.

const (
	aloneBit  = 0x80               // in the kind of a key: a record that is put on its own
	countBits = aloneBit | kindEnd // the count of a record, and no more
	kindEnd   = 0x40               // kinds are below
)

// Bounds of a row. Rows that are much longer leave the pages of a file half
// empty; and whoever reads from a place on has to look that many places before
// it for the row that has it.
const (
	rowBytes  = 1 << 10
	rowPlaces = 256
)

// row is a row of records on its way into the journal.
type row struct {
	b     []byte // encoded
	n     int    // how many
	first uint32 // place of the first
	kind  Kind   // and its kind
	seq   uint32 // place of the last
	last  Kind   // and its kind
	time  int64  // of the last, in milliseconds
}

// takes reports whether rec may stand behind what is in the row.
func (r *row) takes(rec *Record) bool {
	return r.n == 0 ||
		(rec.Seq > r.seq || rec.Seq == r.seq && rec.Kind > r.last) && rec.Seq-r.first < rowPlaces && len(r.b)+len(rec.Data) <= rowBytes
}

// add appends a record that takes has let in.
func (r *row) add(rec *Record) {
	now := rec.Time.UnixMilli()
	if r.n == 0 {
		r.b, r.first, r.kind, r.time = r.b[:0], rec.Seq, rec.Kind, 0
	} else {
		r.b = binary.AppendUvarint(r.b, uint64(rec.Seq-r.seq))
		r.b = append(r.b, byte(rec.Kind))
	}
	r.b = binary.AppendUvarint(r.b, uint64(max(rec.Count, 1)))
	r.b = binary.AppendVarint(r.b, now-r.time)
	r.b = appendBytes(r.b, rec.Data)
	r.n, r.seq, r.last, r.time = r.n+1, rec.Seq, rec.Kind, now
}

// encode puts the row's entry into e.
func (r *row) encode(e *encoder, run uint64) {
	e.key()
	e.buf = appendRecordKey(e.buf, run, r.first, r.kind)
	e.value()
	e.buf = append(e.buf, r.b...)
	e.put()
}

// decodeRecords appends the records of an entry to recs, by place and kind. recs
// has those of the entries before it, in the order of keys; records from place
// first on are complete.
func decodeRecords(recs []Record, first uint32, key, payload []byte) ([]Record, error) {
	seq, kind := binary.BigEndian.Uint32(key[runKeyLen:]), Kind(key[recordKeyLen-1])
	switch {
	case kind >= countBits:
		at, found := findRecord(recs, seq, kind&^countBits)
		d := decoder{b: payload}
		switch count := d.uint32(); {
		case d.bad || len(d.b) > 0:
			return recs, errDamaged
		case found:
			recs[at].Count = count
		case seq >= first:
			return recs, fmt.Errorf("a record that is counted is missing: %w", errDamaged)
		}
		return recs, nil
	case kind >= aloneBit:
		r, err := decodeRecord(key, payload)
		if err != nil {
			return recs, err
		}
		at, found := findRecord(recs, r.Seq, r.Kind)
		if found {
			recs[at] = r
			return recs, nil
		}
		return insertRecord(recs, at, r), nil
	case kind >= kindEnd:
		return recs, errDamaged
	}
	d := decoder{b: payload}
	r := Record{Seq: seq, Kind: kind}
	var at int64
	for {
		r.Count = d.uint32()
		at += d.varint()
		r.Time = time.UnixMilli(at).UTC()
		r.Data = d.bytes()
		if d.bad {
			return recs, errDamaged
		}
		i, found := findRecord(recs, r.Seq, r.Kind)
		if found {
			return recs, fmt.Errorf("record %d/%d stands in two rows: %w", r.Seq, r.Kind, errDamaged)
		}
		recs = insertRecord(recs, i, r)
		if len(d.b) == 0 {
			return recs, nil
		}
		step := d.uvarint()
		r.Kind = Kind(d.byte())
		if d.bad || r.Kind >= kindEnd || step >= rowPlaces || uint64(r.Seq)+step > 1<<32-1 {
			return recs, errDamaged
		}
		r.Seq += uint32(step)
	}
}

// findRecord returns where in recs, which are in order, a record of a place and
// kind is, or would be. It is near the end.
func findRecord(recs []Record, seq uint32, kind Kind) (at int, found bool) {
	less := func(r *Record) bool { return r.Seq < seq || r.Seq == seq && r.Kind < kind }
	if n := len(recs); n == 0 || less(&recs[n-1]) {
		return n, false
	}
	at = sort.Search(len(recs), func(i int) bool { return !less(&recs[i]) })
	return at, recs[at].Seq == seq && recs[at].Kind == kind
}

func insertRecord(recs []Record, at int, r Record) []Record {
	recs = append(recs, r)
	if last := len(recs) - 1; at < last {
		copy(recs[at+1:], recs[at:last])
		recs[at] = r
	}
	return recs
}

// rowsBefore returns the key from which on entries may have records of a place.
func rowsBefore(run uint64, place uint32) []byte {
	return appendRecordKey(nil, run, place-min(place, rowPlaces-1), 0)
}

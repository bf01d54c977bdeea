package engine

import (
	"cmp"
	"context"
	"slices"

	"holdfast/engine/record"
	"holdfast/journal"
)

// earlierRecords finds, for one who reads a record by pages, the records that
// others refer to: mostly a few, again and again. It keeps those that were met
// or asked for last, so many at most, and reads others from the journal.
type earlierRecords struct {
	journal *journal.Journal
	run     uint64

	young, old map[uint32][]journal.Record // by place; what is found in old becomes young
	bytes      int                         // in young
	place      []journal.Record            // of the place that is being met
}

// Bounds of half of what earlierRecords keeps.
const (
	keptPlaces = 256
	keptBytes  = 256 << 10
	keptRecord = 16 << 10 // nothing that is longer is kept for having been met: known keeps none either
)

// of returns the records that rec refers to, by place.
func (k *earlierRecords) of(ctx context.Context, rec *journal.Record) (recs []journal.Record, err error) {
	for _, place := range record.RefersTo(rec) {
		at, err := k.at(ctx, place)
		if err != nil {
			return nil, err
		}
		if len(recs) == 0 || len(at) == 0 || recs[0].Seq != at[0].Seq {
			recs = append(recs, at...)
		}
	}
	slices.SortStableFunc(recs, func(a, b journal.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return recs, nil
}

// at returns the records of a place.
func (k *earlierRecords) at(ctx context.Context, place uint32) ([]journal.Record, error) {
	if recs, ok := k.young[place]; ok {
		return recs, nil
	}
	recs, ok := k.old[place]
	if !ok {
		if err := k.journal.Records(ctx, k.run, place, func(rec journal.Record) bool {
			if rec.Seq == place {
				recs = append(recs, rec)
			}
			return rec.Seq == place
		}); err != nil {
			return nil, err
		}
	}
	k.put(place, recs)
	return recs, nil
}

// met takes a record that was read, to which later ones may refer. Those of one
// place come one after the other, and are kept together or not at all.
func (k *earlierRecords) met(rec *journal.Record) {
	if len(k.place) > 0 && k.place[0].Seq != rec.Seq {
		size := 0
		for i := range k.place {
			size += len(k.place[i].Data)
		}
		if first := &k.place[0]; size <= keptRecord && record.OfCall(first.Kind) && record.PlaceOf(first.Seq).Branch == record.Main {
			k.put(first.Seq, slices.Clone(k.place))
		}
		k.place = k.place[:0]
	}
	k.place = append(k.place, *rec)
}

func (k *earlierRecords) put(place uint32, recs []journal.Record) {
	if k.young == nil || len(k.young) >= keptPlaces || k.bytes >= keptBytes {
		k.old, k.young, k.bytes = k.young, make(map[uint32][]journal.Record, keptPlaces), 0
	}
	k.young[place] = recs
	for i := range recs {
		k.bytes += len(recs[i].Data)
	}
}

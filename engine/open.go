package engine

import (
	"errors"
	"fmt"
	"sort"

	"holdfast/engine/value"
	"holdfast/journal"
)

// opened is the data of a kindBegun, kindDone or kindReceived, with what it
// leaves to earlier records.
type opened struct {
	fs        []value.Raw // all fields of the kind
	call      uint32      // place of the record that holds name and args in full
	outcomeAt uint32      // place of the record that holds error and result in full
}

// open reads a record of kindBegun, kindDone or kindReceived. recs are the
// records of its run, by place: a number instead of the name is the place of
// the record that holds name and args; a number instead of the args of a
// kindDone that has no name of its own is the place of the one that holds error
// and result. An error is one of the record, as is a place at which no earlier
// record holds that in full. The fields are in room if that is large enough,
// and share the memory of the records.
func open(recs []journal.Record, rec *journal.Record, room []value.Raw) (opened, error) {
	o := opened{call: rec.Seq, outcomeAt: rec.Seq}
	fs, err := value.Split(rec.Data, room)
	if err != nil {
		return o, unreadable(rec, err)
	}
	std := standing(rec.Kind)
	if std == nil {
		return o, unreadable(rec, errors.New("it is none of a call"))
	}
	for i := len(fs); i < len(std); i++ {
		fs = append(fs, value.Raw(std[i:i+1:i+1]))
	}
	o.fs = fs
	if major(fs[0]) == value.MajorText {
		return o, nil
	}
	if place, is := reference(fs[1]); is && rec.Kind == kindDone {
		if err := o.outcomeFrom(recs, rec, place); err != nil {
			return o, unreadable(rec, err)
		}
		fs[1] = value.Raw(std[1:2:2]) // nil
	}
	place, is := reference(fs[0])
	switch {
	case is:
		err = o.callFrom(recs, rec, place)
	case !fs[0].IsNil() || rec.Kind != kindDone:
		err = errors.New("it has neither a name nor a place")
	case !fs[1].IsNil():
		err = errors.New("it has arguments and no name")
	}
	if err != nil {
		return o, unreadable(rec, err)
	}
	return o, nil
}

// callFrom takes name and args from the record at an earlier place.
func (o *opened) callFrom(recs []journal.Record, rec *journal.Record, place uint64) error {
	n := asked(rec.Kind)
	for i := range n - 1 {
		if !o.fs[i+1].IsNil() {
			return fmt.Errorf("it refers to place %d, and has something to say itself", place)
		}
	}
	var room [3]value.Raw
	for _, from := range earlier(recs, rec, place) {
		if (from.Kind == kindReceived) != (rec.Kind == kindReceived) || standing(from.Kind) == nil {
			continue
		}
		fs, err := leading(from.Data, room[:n])
		if err == nil && len(fs) > 0 && major(fs[0]) == value.MajorText {
			copy(o.fs[:n], fs)
			o.call = from.Seq
			return nil
		}
	}
	return fmt.Errorf("it refers to place %d, where no earlier record holds a call in full", place)
}

// outcomeFrom takes error and result from the record at an earlier place.
func (o *opened) outcomeFrom(recs []journal.Record, rec *journal.Record, place uint64) error {
	if !o.fs[2].IsNil() || !o.fs[3].IsNil() {
		return fmt.Errorf("it refers to place %d, and has an outcome itself", place)
	}
	var room [4]value.Raw
	for _, from := range earlier(recs, rec, place) {
		if from.Kind != kindDone {
			continue
		}
		fs, err := leading(from.Data, room[:])
		if err != nil || len(fs) < 3 {
			continue
		}
		if _, is := reference(fs[1]); is && major(fs[0]) != value.MajorText {
			continue
		}
		copy(o.fs[2:4], fs[2:])
		o.outcomeAt = from.Seq
		return nil
	}
	return fmt.Errorf("it refers to place %d, where no earlier record holds an outcome in full", place)
}

// earlier returns the records at a place of the program's lane before that of
// rec, which has to lie in it too.
func earlier(recs []journal.Record, rec *journal.Record, place uint64) []journal.Record {
	if place >= uint64(rec.Seq) || rec.Seq >= laneNotes {
		return nil
	}
	first := sort.Search(len(recs), func(i int) bool { return uint64(recs[i].Seq) >= place })
	end := first
	for end < len(recs) && uint64(recs[end].Seq) == place {
		end++
	}
	return recs[first:end]
}

// reference returns the place that stands where a name or args would.
func reference(f value.Raw) (place uint64, is bool) {
	m, n, _, err := value.ReadHead(f)
	return n, err == nil && m == value.MajorUint
}

func major(f value.Raw) byte {
	m, _, _, err := value.ReadHead(f)
	if err != nil {
		return 0xff
	}
	return m
}

// leading returns the first fields of a record's data, up to len(into), without
// a look at the others.
func leading(data []byte, into []value.Raw) ([]value.Raw, error) {
	m, n, rest, err := value.ReadHead(data)
	if err == nil && m != value.MajorArray {
		err = errors.New("it is no array")
	}
	for i := 0; err == nil && i < len(into); i++ {
		if uint64(i) == n {
			return into[:i], nil
		}
		var after []byte
		if after, err = value.Skip(rest); err == nil {
			into[i], rest = rest[:len(rest)-len(after):len(rest)-len(after)], after
		}
	}
	return into, err
}

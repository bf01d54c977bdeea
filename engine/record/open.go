package record

import (
	"errors"
	"fmt"
	"sort"

	"holdfast/engine/value"
	"holdfast/journal"
)

// opened is the data of a KindBegun, KindDone or KindReceived, with what it
// leaves to earlier records.
type opened struct {
	fs        []value.Raw // all fields of the kind
	callAt    uint32      // place of the record that holds name and args in full
	outcomeAt uint32      // place of the record that holds error and result in full
}

// Reader reads records, with what they leave to earlier ones.
type Reader struct {
	Records []journal.Record // of the branch, by place

	names [4]string // read last, so that equal ones are not made anew
	turn  int
	room  [8]value.Raw
}

// open opens a record of a kind.
func (rd *Reader) open(rec *journal.Record, kind journal.Kind) (opened, error) {
	if rec.Kind != kind {
		return opened{}, unreadable(rec, fmt.Errorf("kind %d was expected", kind))
	}
	return open(rd.Records, rec, rd.room[:0])
}

// name returns a text that comes often.
func (rd *Reader) name(r value.Raw) (string, error) {
	major, n, rest, err := value.ReadHead(r)
	if err != nil || major != value.MajorText || n != uint64(len(rest)) {
		return "", errors.New("there is something else where a name is expected")
	}
	for _, s := range rd.names {
		if string(rest) == s {
			return s, nil
		}
	}
	s := string(rest)
	rd.names[rd.turn] = s
	rd.turn = (rd.turn + 1) % len(rd.names)
	return s, nil
}

// open reads a record of KindBegun, KindDone or KindReceived. recs are the
// records of its run, by place: a number instead of the name is the place of
// the record that holds name and args; a number instead of the args of a
// KindDone that has no name of its own is the place of the one that holds error
// and result. An error is one of the record, as is a place at which no earlier
// record holds that in full. The fields are in room if that is large enough,
// and share the memory of the records.
func open(recs []journal.Record, rec *journal.Record, room []value.Raw) (opened, error) {
	o := opened{callAt: rec.Seq, outcomeAt: rec.Seq}
	fs, err := value.Split(rec.Data, room)
	if err != nil {
		return o, unreadable(rec, err)
	}
	defaults := defaultsOf(rec.Kind)
	if defaults == nil {
		return o, unreadable(rec, errors.New("it is none of a call"))
	}
	for i := len(fs); i < len(defaults); i++ {
		fs = append(fs, value.Raw(defaults[i:i+1:i+1]))
	}
	o.fs = fs
	if major(fs[0]) == value.MajorText {
		return o, nil
	}
	if place, is := reference(fs[1]); is && rec.Kind == KindDone {
		if err := o.outcomeFrom(recs, rec, place); err != nil {
			return o, unreadable(rec, err)
		}
		fs[1] = value.Raw(defaults[1:2:2]) // nil
	}
	place, is := reference(fs[0])
	switch {
	case is:
		err = o.callFrom(recs, rec, place)
	case !fs[0].IsNil() || rec.Kind != KindDone:
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
	n := callFields(rec.Kind)
	for i := range n - 1 {
		if !o.fs[i+1].IsNil() {
			return fmt.Errorf("it refers to place %d, and has something to say itself", place)
		}
	}
	var room [3]value.Raw
	for _, from := range earlier(recs, rec, place) {
		if (from.Kind == KindReceived) != (rec.Kind == KindReceived) || defaultsOf(from.Kind) == nil {
			continue
		}
		fs, err := leading(from.Data, room[:n])
		if err == nil && len(fs) > 0 && major(fs[0]) == value.MajorText {
			copy(o.fs[:n], fs)
			o.callAt = from.Seq
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
		if from.Kind != KindDone {
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

// earlier returns the records at a place of the main branch before that of
// rec, which has to lie in it too.
func earlier(recs []journal.Record, rec *journal.Record, place uint64) []journal.Record {
	if place >= uint64(rec.Seq) || rec.Seq >= firstNote {
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

// RefersTo returns the places of the main branch at which a record of it leaves
// something. What is wrong with them is for its Reader to say.
func RefersTo(rec *journal.Record) []uint32 {
	var room [2]value.Raw
	fs, err := leading(rec.Data, room[:])
	if err != nil || !OfCall(rec.Kind) || rec.Seq >= firstNote {
		return nil
	}
	var out []uint32
	for _, f := range fs {
		if major(f) == value.MajorText {
			break // it says all itself
		}
		if place, is := reference(f); is && place < uint64(rec.Seq) {
			out = append(out, uint32(place))
		}
	}
	return out
}

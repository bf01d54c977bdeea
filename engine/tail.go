package engine

import (
	"bytes"
	"time"

	"holdfast/journal"
)

// tail is the last record of a run if another equal result may join it, so
// that polling for a day costs one record with a count.
type tail struct {
	live    bool
	rec     journal.Record
	full    []byte    // the record's data with nothing left to other records: what a result has to be equal to
	short   []byte    // rec.Data where it is not full
	dirty   bool      // the count has grown since the record was appended
	flushed time.Time // when it was appended last
}

// tailFlush is how often the count of equal results goes on record: with what a
// record may wait itself (a minute), it bounds how much polling a crash makes a
// run repeat.
const tailFlush = 90 * time.Second

// joins reports whether a result is equal to the tail's, and counts it.
func (t *tail) joins(d *draft) bool {
	if !t.live || t.rec.Kind != d.kind || !bytes.Equal(t.full, d.full()) || t.rec.Count == 1<<32-1 {
		return false
	}
	t.rec.Count++
	t.dirty = true
	return true
}

// become makes rec, with what d says, the tail. Its data is copied.
func (t *tail) become(d *draft, rec journal.Record) {
	t.full = append(t.full[:0], d.full()...)
	if bytes.Equal(rec.Data, t.full) {
		rec.Data = t.full
	} else {
		t.short = append(t.short[:0], rec.Data...)
		rec.Data = t.short
	}
	t.live, t.rec, t.dirty, t.flushed = true, rec, false, rec.Time
}

func (r *Run) flushTail() error {
	return r.retryWhenRoom(false, func() error { return r.writeTail(false) })
}

// writeTail appends the tail if it has grown. It is essential where what comes
// behind it is.
func (r *Run) writeTail(essential bool) error {
	if !r.tail.dirty {
		return nil
	}
	rec := &r.tail.rec
	r.counts[0] = journal.Count{Seq: rec.Seq, Kind: rec.Kind, Count: rec.Count}
	err := r.log.Append(journal.Change{Run: r.num, Counts: r.counts[:], Essential: essential}, journal.Later)
	r.tail.dirty = err != nil
	return err
}

// appendJoining is appendDraft for a result that an equal one before it may absorb.
func (r *Run) appendJoining(d *draft) error {
	if r.tail.joins(d) {
		now := time.Now()
		if now.Sub(r.tail.flushed) < tailFlush {
			return nil
		}
		r.tail.flushed = now
		return r.flushTail()
	}
	if err := r.appendDraft(d, journal.Later); err != nil {
		return err
	}
	rec := r.scratch[0]
	rec.Count = 1
	r.tail.become(d, rec)
	return nil
}

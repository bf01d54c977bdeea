package engine

import (
	"bytes"
	"time"

	"holdfast/engine/record"
	"holdfast/journal"
)

// tail is the last record of a lane if another equal result may join it, so
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
func (t *tail) joins(w *record.Writer) bool {
	if !t.live || t.rec.Kind != w.Kind() || !bytes.Equal(t.full, w.Full()) || t.rec.Count == 1<<32-1 {
		return false
	}
	t.rec.Count++
	t.dirty = true
	return true
}

// become makes rec, which w has at hand, the tail. Its data is copied.
func (t *tail) become(w *record.Writer, rec journal.Record) {
	t.full = append(t.full[:0], w.Full()...)
	if bytes.Equal(rec.Data, t.full) {
		rec.Data = t.full
	} else {
		t.short = append(t.short[:0], rec.Data...)
		rec.Data = t.short
	}
	t.live, t.rec, t.dirty, t.flushed = true, rec, false, rec.Time
}

func (l *lane) flushTail() error {
	return l.retryWhenRoom(l.isSafe(), func() error { return l.writeTail(l.isSafe()) })
}

// writeTail records the tail's count, if it has grown. It is essential where what
// comes behind it is.
func (l *lane) writeTail(essential bool) error {
	if !l.tail.dirty {
		return nil
	}
	rec := &l.tail.rec
	l.counts[0] = journal.Count{Seq: rec.Seq, Kind: rec.Kind, Count: rec.Count}
	err := l.run.log.Append(journal.Change{Run: l.run.num, Counts: l.counts[:], Essential: essential}, journal.Later)
	l.tail.dirty = err != nil
	return err
}

// appendJoining is appendCall for a result that an equal one before it may absorb.
func (l *lane) appendJoining() error {
	if l.tail.joins(&l.writer) {
		now := time.Now()
		if now.Sub(l.tail.flushed) < tailFlush {
			return nil
		}
		l.tail.flushed = now
		return l.flushTail()
	}
	if err := l.appendCall(journal.Later); err != nil {
		return err
	}
	rec := l.scratch[0]
	rec.Count = 1
	l.tail.become(&l.writer, rec)
	return nil
}

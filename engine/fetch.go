package engine

import (
	"context"
	"fmt"

	"holdfast/journal"
)

// recordCost is what a record takes in memory beside its data, in bytes, about.
const recordCost = 96

// readRecord goes through a run's record, by pages, and takes up what has to be
// known before its turn: what it shows, what the engine noted, what was written
// for its safe state. What the program did is left in the journal, see fetch.
func (r *Run) readRecord(ctx context.Context) error {
	if err := r.readLane(ctx, 0, laneNotes, func(rec *journal.Record) {
		r.recorded += int64(len(rec.Data)) + recordCost
		r.laneEnd = rec.Seq + 1
		r.readShown(rec)
	}); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil && r.badRec == nil {
		r.badRec = err
	}
	if err := r.readLane(ctx, laneNotes, laneSafe, func(rec *journal.Record) {
		r.notes = rec.Seq + 1
		r.readNote(rec)
	}); err != nil {
		return err
	}
	if err := r.readLane(ctx, laneSafe, 1<<32-1, func(rec *journal.Record) {
		if r.safe == nil {
			r.safe = map[uint32]*journal.Record{}
		}
		r.safe[rec.Seq] = rec // kindDone sorts behind kindBegun, and replaces it
		r.safeFrom = rec.Seq + 1
	}); err != nil {
		return err
	}
	if r.endNoted != nil {
		r.safeFrom = r.endNoted.safeFrom
	} else {
		// It was written while the run could not be replayed. Should the run go
		// on now, it has to be written anew at its end.
		r.safe = nil
	}
	return nil
}

// readLane calls take with the records of a run from a place on, below another.
func (r *Run) readLane(ctx context.Context, from, to uint32, take func(rec *journal.Record)) error {
	return r.eng.journal.Records(ctx, r.num, from, func(rec journal.Record) bool {
		if rec.Seq >= to {
			return false
		}
		take(&rec)
		return true
	})
}

// fetch reads what the program did before, for its replay. It waits until there
// is room for it: many runs that go on at once are not to need the memory of all
// their records. The error is fatal, or one of the record.
func (r *Run) fetch() error {
	if r.recorded == 0 {
		return nil
	}
	room := min(r.recorded, r.eng.cfg.Replaying)
	if err := r.eng.replays.Acquire(r.ctx, room); err != nil {
		return context.Cause(r.ctx)
	}
	r.replay.room = func() { r.eng.replays.Release(room) }
	size := int64(0)
	err := r.readLane(r.ctx, 0, laneNotes, func(rec *journal.Record) {
		size += int64(len(rec.Data)) + recordCost
		r.replay.recs = append(r.replay.recs, *rec)
	})
	if err == nil && size != r.recorded {
		err = fmt.Errorf("its record had %d bytes when it was found, and has %d now", r.recorded, size)
	}
	if err == nil {
		r.recorded = 0
		return nil
	}
	r.replay.drop()
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return &recordError{err}
}

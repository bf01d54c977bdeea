package engine

import (
	"context"
	"fmt"

	"holdfast/engine/record"
	"holdfast/journal"
)

// recordCost is what a record takes in memory beside its data, in bytes, about.
const recordCost = 96

// readRecord goes through a run's record, by pages, and takes up what has to be
// known before its turn: what it shows, what the engine noted, what was written
// for its safe state. What the program did is left in the journal, see fetch.
func (r *Run) readRecord(ctx context.Context) error {
	if err := r.readBranch(ctx, record.Main, func(rec *journal.Record) {
		r.recorded += int64(len(rec.Data)) + recordCost
		r.mainEnd = rec.Seq + 1
		r.restoreShown(rec)
	}); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil && r.recordFault == nil {
		r.recordFault = err
	}
	if err := r.readBranch(ctx, record.Notes, func(rec *journal.Record) {
		r.nextNote = record.PlaceOf(rec.Seq).Next()
		r.restoreNote(rec)
	}); err != nil {
		return err
	}
	if err := r.readBranch(ctx, record.Safe, func(rec *journal.Record) {
		if r.safeRecords == nil {
			r.safeRecords = map[uint32]*journal.Record{}
		}
		at := record.PlaceOf(rec.Seq).Seq
		r.safeRecords[at] = rec // a Done sorts behind the Begun of its place, and replaces it
		r.safeBase = at + 1
	}); err != nil {
		return err
	}
	if r.recordedCompletion != nil {
		r.safeBase = r.recordedCompletion.safeAt
	} else {
		// It was written while the run could not be replayed. Should the run go
		// on now, it has to be written anew at its end.
		r.safeRecords = nil
	}
	return nil
}

// readBranch calls take with the records of a branch.
func (r *Run) readBranch(ctx context.Context, b record.Branch, take func(rec *journal.Record)) error {
	from, err := record.Place{Branch: b}.Number()
	if err != nil {
		return err
	}
	return r.eng.journal.Records(ctx, r.num, from, func(rec journal.Record) bool {
		if record.PlaceOf(rec.Seq).Branch != b {
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
	r.main.replay.room = func() { r.eng.replays.Release(room) }
	size := int64(0)
	err := r.readBranch(r.ctx, record.Main, func(rec *journal.Record) {
		size += int64(len(rec.Data)) + recordCost
		r.main.replay.Records = append(r.main.replay.Records, *rec)
	})
	if err == nil && size != r.recorded {
		err = fmt.Errorf("its record had %d bytes when it was found, and has %d now", r.recorded, size)
	}
	if err == nil {
		r.recorded = 0
		return nil
	}
	r.main.replay.drop()
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return &recordError{err}
}

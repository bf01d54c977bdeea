package engine

import (
	"context"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// EachStep calls yield with a run's recorded steps from a place on, in order, its
// safe state last, until it returns false or ctx is done. The record is read by
// pages: no more of it than that is in memory.
func (e *Engine) EachStep(ctx context.Context, id string, from uint32, yield func(StepInfo) bool) error {
	num, err := e.number(ctx, id)
	if err != nil {
		return err
	}
	var (
		bad     error
		list    []StepInfo // the newest, which may go on, and the one before
		more    = true
		earlier = earlierRecords{journal: e.journal, run: num}
	)
	give := func(s StepInfo) {
		// A long receive leaves a beginning, and its end is no step.
		if s.Name != "rt.recv" && s.Name != "rt.recvCommand" {
			more = yield(s)
		}
	}
	err = e.journal.Records(ctx, num, from, func(rec journal.Record) bool {
		earlier.met(&rec)
		if rec.Seq&laneNotes != 0 && rec.Seq&laneSafe == 0 || rec.Kind != kindBegun && rec.Kind != kindDone {
			return true
		}
		var before []journal.Record
		if before, bad = earlier.of(ctx, &rec); bad != nil {
			return false
		}
		list = orRotten(list, before, &rec)
		if len(list) > 1 {
			give(list[0])
			list = append(list[:0], list[1])
		}
		return more
	})
	switch {
	case err != nil || ctx.Err() != nil:
		return unread(ctx, id, err)
	case bad != nil:
		return problem(Unavailable, "cannot read the steps of run %s: %v", id, bad)
	case more && len(list) > 0:
		give(list[0])
	}
	return nil
}

// Steps is EachStep into a list: for runs that are known to be short.
func (e *Engine) Steps(ctx context.Context, id string) ([]StepInfo, error) {
	out := []StepInfo{}
	if err := e.EachStep(ctx, id, 0, func(s StepInfo) bool { out = append(out, s); return true }); err != nil {
		return nil, err
	}
	return out, nil
}

// addStep adds the step of a kindBegun of recs, or completes it by its kindDone.
func addStep(list []StepInfo, recs []journal.Record, rec *journal.Record) ([]StepInfo, error) {
	o, err := open(recs, rec, nil)
	if err != nil {
		return nil, err
	}
	fs := o.fs
	s := StepInfo{Seq: rec.Seq, Count: max(1, int(rec.Count)), StartedAt: rec.Time}
	last := len(list) - 1
	if rec.Kind == kindDone && last >= 0 && list[last].Seq == rec.Seq {
		s, list = list[last], list[:last]
	} else {
		if rec.Kind == kindDone {
			s.StartedAt = rec.Time.Add(-time.Duration(number(fs[6])) * time.Millisecond)
		}
		if s.Name, err = fs[0].Text(); err != nil {
			return nil, err
		}
		s.Args = fs[1]
	}
	if rec.Kind == kindBegun {
		s.Status, s.Attempts = "STARTED", int(number(fs[3]))
		return append(list, s), nil
	}
	done := rec.Time
	s.Status, s.Result, s.Attempts, s.CompletedAt = "SUCCESS", fs[3], int(number(fs[4])), &done
	if s.Error, err = errorOf(fs[2]); err != nil {
		return nil, err
	}
	if s.Error != nil {
		s.Status = "ERROR"
	}
	recovered, err := value.Decode(fs[5])
	if err != nil {
		return nil, err
	}
	s.Recovered, _ = recovered.(bool)
	if s.ResolvedBy, _ = recovered.(string); s.ResolvedBy != "" {
		s.Recovered = true
	}
	return append(list, s), nil
}

func number(r value.Raw) int64 {
	v, err := value.Decode(r)
	n, ok := v.(int64)
	if err != nil || !ok {
		return 0
	}
	return n
}

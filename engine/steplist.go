package engine

import (
	"context"
	"fmt"

	"holdfast/engine/record"
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
		rd      record.Reader
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
		if rec.Kind != record.KindBegun && rec.Kind != record.KindDone {
			return true
		}
		if rd.Records, bad = earlier.of(ctx, &rec); bad != nil {
			return false
		}
		list = orRotten(list, &rd, &rec)
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

// addStep adds the step of a Begun, or completes it by its Done.
func addStep(list []StepInfo, rd *record.Reader, rec *journal.Record) ([]StepInfo, error) {
	s := StepInfo{Seq: rec.Seq, Count: max(1, int(rec.Count)), StartedAt: rec.Time}
	if rec.Kind == record.KindBegun {
		begun, err := rd.Begun(rec)
		if err != nil {
			return nil, err
		}
		s.Name, s.Args, s.Status, s.Attempts = begun.Name, shownArgs(begun.Args), "STARTED", begun.Attempt
		return append(list, s), nil
	}
	done, err := rd.Done(rec)
	if err != nil {
		return nil, err
	}
	if last := len(list) - 1; last >= 0 && list[last].Seq == rec.Seq {
		s, list = list[last], list[:last]
	} else if done.Name == "" {
		return nil, fmt.Errorf("place %d has the outcome of a step, and not its beginning", rec.Seq)
	} else {
		s.Name, s.Args, s.StartedAt = done.Name, shownArgs(done.Args), rec.Time.Add(-done.Took)
	}
	at := rec.Time
	s.Status, s.Result, s.Attempts, s.CompletedAt, s.Recovered = "SUCCESS", done.Result, done.Attempts, &at, done.Recovered
	s.ResolvedBy = done.ResolvedBy
	if s.Error = stepError(done.Failure); s.Error != nil {
		s.Status = "ERROR"
	}
	return append(list, s), nil
}

// shownArgs is the arguments of a step, of which the record has none where all
// are as the step's defaults.
func shownArgs(args value.Raw) value.Raw {
	if args.IsNil() {
		return value.AppendHead(nil, value.MajorMap, 0)
	}
	return args
}

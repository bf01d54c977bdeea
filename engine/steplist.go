package engine

import (
	"context"
	"slices"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Steps lists a run's recorded steps in order, its safe state last.
func (e *Engine) Steps(ctx context.Context, id string) ([]StepInfo, error) {
	run, err := e.load(id)
	if err != nil {
		return nil, err
	}
	out := []StepInfo{}
	for i := range run.Records {
		rec := &run.Records[i]
		if rec.Seq&laneNotes != 0 && rec.Seq&laneSafe == 0 || rec.Kind != kindBegun && rec.Kind != kindDone {
			continue
		}
		if out, err = addStep(out, run.Records, rec); err != nil {
			return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
		}
	}
	// A long receive leaves a beginning, and its end is no step.
	return slices.DeleteFunc(out, func(s StepInfo) bool { return s.Name == "rt.recv" || s.Name == "rt.recvCommand" }), nil
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

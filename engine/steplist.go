package engine

import (
	"context"
	"slices"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Steps lists a run's recorded steps in order, its safe state last.
func (e *Engine) Steps(ctx context.Context, id string) ([]StepInfo, error) {
	run, err := e.load(id)
	if err != nil {
		return nil, err
	}
	out, rd := []StepInfo{}, record.Reader{Records: run.Records}
	for i := range run.Records {
		rec := &run.Records[i]
		if rec.Kind != record.KindBegun && rec.Kind != record.KindDone {
			continue
		}
		if out, err = addStep(out, &rd, rec); err != nil {
			return nil, problem(Unavailable, "cannot read the steps of run %s: %v", id, err)
		}
	}
	// A long receive leaves a beginning, and its end is no step.
	return slices.DeleteFunc(out, func(s StepInfo) bool { return s.Name == "rt.recv" || s.Name == "rt.recvCommand" }), nil
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
	} else {
		s.Name, s.Args, s.StartedAt = done.Name, shownArgs(done.Args), rec.Time.Add(-done.Took)
	}
	at := rec.Time
	s.Status, s.Result, s.Attempts, s.CompletedAt, s.Recovered = "SUCCESS", done.Result, done.Attempts, &at, done.Recovered
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

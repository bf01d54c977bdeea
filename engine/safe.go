package engine

import (
	"errors"
	"slices"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Attempts of one line of a safe state. A line whose outcome is unknown is not
// attempted again, unless the read-back says that it may be.
const (
	safeAttempts = 3
	safeInterval = time.Second
)

// safeNote is what the record says of a safe state that was dealt with while the
// run could not be replayed.
type safeNote struct {
	end   uint32 // first free place of the program's lane then: if it is another now, the run has gone on since
	lines []SafeResult
}

func safeNoteOf(l []any) *safeNote {
	if len(l) < 3 {
		return nil
	}
	end, _ := l[1].(int64)
	n := &safeNote{end: uint32(end)}
	lines, _ := l[2].([]any)
	for _, line := range lines {
		f, ok := line.([]any)
		if !ok || len(f) < 4 {
			continue
		}
		var res SafeResult
		res.Tag, _ = f[0].(string)
		res.Value, _ = value.Encode(f[1]) // it has been decoded just now
		res.OK, _ = f[2].(bool)
		res.Detail, _ = f[3].(string)
		n.lines = append(n.lines, res)
	}
	return n
}

// safeWhileBroken writes the safe state of a run whose record cannot be replayed,
// once: what the next start finds noted is not written again behind the back of
// whoever has the plant since. What could not be written is owed.
func (r *Run) safeWhileBroken() error {
	end := max(r.laneEnd, r.seq, r.behind)
	if n := r.safeNoted; n != nil && n.end == end {
		r.safeWritten = true
		r.update(func() { r.safeDone, r.broken = n.lines, true })
		return nil
	}
	if err := r.writeSafe(); err != nil || len(r.head.safeState) == 0 {
		return err
	}
	lines := make([]any, 0, len(r.safeDone))
	for _, s := range r.safeDone {
		lines = append(lines, []any{s.Tag, s.Value, s.OK, s.Detail})
	}
	past := r.eng.ofRun(r.head.id) // of a time before it went on
	c := journal.Change{Records: r.note("safe", end, lines), State: entriesOf(past, r.unmet), Essential: true}
	if err := r.commit(c); err != nil {
		return err
	}
	r.eng.forgo(past...)
	r.eng.enlist(r.unmet...)
	r.update(func() { r.broken = true })
	r.eng.owe(r.unmet)
	r.unmet = nil
	return nil
}

// entriesOf removes obligations that are past from the journal's table, and puts
// others into it.
func entriesOf(past, put []*obligation) (out []journal.Entry) {
	for _, o := range past {
		if !slices.ContainsFunc(put, func(p *obligation) bool { return p.ID == o.ID }) {
			out = append(out, journal.Entry{Table: obligationTable, Key: o.ID})
		}
	}
	for _, o := range put {
		out = append(out, o.entry())
	}
	return out
}

// writeSafe writes the safe state, line by line, each recorded as a step in
// its own lane. A line that fails does not keep the others from being written:
// it is owed from then on. The error is fatal (shutdown, journal): the rest is
// written at the next start.
func (r *Run) writeSafe() error {
	if r.safeWritten || len(r.head.safeState) == 0 {
		return nil
	}
	// The run's own context has ended, if this is a cancel; its safe state has not.
	outer, outerFatal := r.ctx, r.fatal
	r.ctx, r.fatal = r.eng.base, nil
	defer func() { r.ctx, r.fatal = outer, outerFatal }()
	var results []SafeResult
	r.unmet = nil
	for i, line := range r.head.safeState {
		res := SafeResult{Tag: line.Tag, Value: line.Value}
		out, err := r.claimSafeLine(r.safeFrom+uint32(i), line)
		var se *StepError
		switch {
		case err != nil && !errors.As(err, &se):
			return err
		case err != nil:
			res.Detail = se.Error()
		default:
			res.OK, res.Detail = confirmed(out)
		}
		if !res.OK {
			r.unmet = append(r.unmet, r.unwritten(line, res, se))
		}
		results = append(results, res)
	}
	r.safeWritten = true
	r.update(func() { r.safeDone = results })
	return nil
}

// claimSafeLine writes one line, so that nothing that another run owes to the
// tag is written behind it.
func (r *Run) claimSafeLine(seq uint32, line SafeWrite) (value.Raw, error) {
	settle, err := r.eng.claim(line.Tag, "the safe state of run "+r.head.id, r.head.id)
	if err != nil {
		return nil, Errorf("Unavailable", "%v", err)
	}
	out, err := r.writeSafeLine(seq, line)
	var se *StepError
	switch {
	case err == nil:
		settle(true)
	case errors.As(err, &se):
		settle(se.Unknown || se.Type == typeInDoubt)
	} // else the engine stops: whether it was written is not known, and the claim stays on record
	return out, err
}

func (r *Run) writeSafeLine(seq uint32, line SafeWrite) (value.Raw, error) {
	step := r.eng.cfg.SafeWrite
	args, err := safeArgs(step, line)
	if err != nil {
		return nil, Errorf("BadArgument", "%v", err)
	}
	c := &Call{Name: step.Name(), Step: step, Args: args, Options: StepOptions{MaxAttempts: safeAttempts, Interval: safeInterval}}
	r.seq = seq
	w := &work{run: r, call: c, seq: seq, began: time.Now(), attempt: 1}
	rec, begun := r.safe[seq]
	if !begun {
		return r.perform(w)
	}
	o, err := open(nil, rec, nil) // what is written for a safe state refers to nothing
	if err != nil {
		return nil, Errorf(typeInDoubt, "whether it was written cannot be read: %v", err)
	}
	if rec.Kind == kindDone {
		return recorded(o.fs)
	}
	w.began, w.begun = rec.Time, true
	return w.safeInterrupted(o.fs)
}

// safeInterrupted is interrupted for a line of the safe state: nobody is asked
// about one in doubt, for the run is at its end; it counts as not reached.
func (w *work) safeInterrupted(fs []value.Raw) (value.Raw, error) {
	prepared, err := value.Decode(fs[4])
	if err != nil {
		return nil, Errorf(typeInDoubt, "whether it was written cannot be read: %v", err)
	}
	w.prepared, w.attempt = prepared, max(1, int(number(fs[3])))
	if err := w.bind(); err != nil {
		return nil, err
	}
	asker, ok := w.call.Step.(Recoverer)
	if open, err := value.Decode(fs[2]); !ok || err != nil || open != true {
		return w.run.perform(w)
	}
	found, err := w.recover(asker)
	if err != nil {
		return nil, err
	}
	switch found.Verdict {
	case Done:
		return w.finish(found.Result, nil, true, journal.Soon)
	case Again:
		return w.run.perform(w)
	case Failed:
		return w.finish(nil, w.failure(found.Err), true, journal.Soon)
	}
	return w.finish(nil, &StepError{Type: typeInDoubt, Message: found.Doubt.Why, Step: w.call.Name, Attempts: w.attempt}, true, journal.Soon)
}

// safeArgs binds a line to the parameters of the step that writes it.
func safeArgs(s Step, line SafeWrite) (value.Raw, error) {
	m := &value.Map{}
	for _, p := range s.Params() {
		switch p.Name {
		case "path":
			m.Set("path", line.Tag)
		case "value":
			m.Set("value", line.Value)
		default:
			m.Set(p.Name, p.Default)
		}
	}
	return value.Encode(m)
}

// confirmed reads the result of tags.write_confirm.
func confirmed(out value.Raw) (ok bool, detail string) {
	v, err := value.Decode(out)
	m, isMap := v.(*value.Map)
	if err != nil || !isMap {
		return true, "" // a step that says no more than that it did not fail
	}
	if x, has := m.Get("ok"); has && x != true {
		return false, "written, and not confirmed in time"
	}
	return true, ""
}

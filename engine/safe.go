package engine

import (
	"errors"
	"slices"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Attempts of one line of a safe state. A line whose outcome is unknown is not
// attempted again, unless the read-back says that it may be.
const (
	safeAttempts = 3
	safeInterval = time.Second
)

// safeWhileBroken writes the safe state of a run whose record cannot be replayed,
// once: what the next start finds noted is not written again behind the back of
// whoever has the plant since. What could not be written is owed.
func (r *Run) safeWhileBroken() error {
	end := max(r.mainEnd, r.main.next.Seq, r.main.behind) // if it is another at the next start, the run has gone on since
	if n := r.safeNoted; n != nil && n.End == end {
		r.safeWritten = true
		r.update(func() { r.safeResults, r.safeRests = safeResultsOf(n.Lines), true })
		return nil
	}
	if err := r.writeSafe(); err != nil || len(r.head.safeState) == 0 {
		return err
	}
	note := record.SafeState{End: end}
	for _, s := range r.safeResults {
		note.Lines = append(note.Lines, record.SafeLine(s))
	}
	past := r.eng.ofRun(r.head.id) // of a time before it went on
	c := journal.Change{Records: r.note(note), State: entriesOf(past, r.unmet), Essential: true}
	if err := r.main.commit(c); err != nil {
		return err
	}
	r.eng.forgo(past...)
	r.eng.enlist(r.unmet...)
	r.update(func() { r.safeRests = true })
	r.eng.owe(r.unmet)
	r.unmet = nil
	return nil
}

func safeResultsOf(lines []record.SafeLine) []SafeResult {
	out := make([]SafeResult, 0, len(lines))
	for _, l := range lines {
		out = append(out, SafeResult(l))
	}
	return out
}

// settleLine notes in the lines of a safe state what became of the one of a tag.
func settleLine(lines []record.SafeLine, n record.Settled) {
	for i := range lines {
		if l := &lines[i]; l.Tag == n.Tag && !l.OK {
			l.OK, l.Detail = n.OK, n.Detail
		}
	}
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

// writeSafe writes the safe state, line by line, each recorded as a step on
// a lane of its own, which no cancel ends. A line that fails does not keep the
// others from being written: it is owed from then on. The error is fatal
// (shutdown, journal): the rest is written at the next start.
func (r *Run) writeSafe() error {
	if r.safeWritten || len(r.head.safeState) == 0 {
		return nil
	}
	l := &lane{run: r, ctx: r.eng.base, next: record.Place{Branch: record.Safe, Seq: r.safeBase}}
	var results []SafeResult
	r.unmet = nil
	for i, line := range r.head.safeState {
		l.next.Seq = r.safeBase + uint32(i)
		res := SafeResult{Tag: line.Tag, Value: line.Value}
		out, err := l.claimSafeLine(line)
		var se *StepError
		switch {
		case err != nil && !errors.As(err, &se):
			return err
		case err != nil:
			res.Detail = se.Error()
		default:
			res.OK, res.Detail = confirmation(out)
		}
		if !res.OK {
			r.unmet = append(r.unmet, r.unwritten(line, res, se))
		}
		results = append(results, res)
	}
	if err := l.flushTail(); err != nil {
		return err
	}
	r.safeWritten = true
	r.update(func() { r.safeResults = results })
	return nil
}

// claimSafeLine writes one line, so that nothing that another run owes to the
// tag is written behind it.
func (l *lane) claimSafeLine(line SafeWrite) (value.Raw, error) {
	r := l.run
	settle, err := r.eng.claim(line.Tag, "the safe state of run "+r.head.id, r.head.id)
	if err != nil {
		return nil, Errorf("Unavailable", "%v", err)
	}
	out, err := l.writeSafeLine(line)
	var se *StepError
	switch {
	case err == nil:
		settle(true)
	case errors.As(err, &se):
		settle(se.Unknown || se.Type == typeInDoubt)
	} // else the engine stops: whether it was written is not known, and the claim stays on record
	return out, err
}

func (l *lane) writeSafeLine(line SafeWrite) (value.Raw, error) {
	step := l.run.eng.cfg.SafeWrite
	args, err := bindSafeWrite(step, line)
	if err != nil {
		return nil, Errorf("BadArgument", "%v", err)
	}
	c := &Call{Name: step.Name(), Step: step, Args: args, Options: StepOptions{MaxAttempts: safeAttempts, Interval: safeInterval}}
	recorded, err := l.recordedArgs(c)
	if err != nil {
		return nil, Errorf("BadArgument", "%v", err)
	}
	w := &work{lane: l, call: c, recorded: recorded, place: l.next, began: time.Now(), attempt: 1}
	rec, begun := l.run.safeRecords[l.next.Seq]
	if !begun {
		return l.perform(w)
	}
	var rd record.Reader // what is written for a safe state refers to nothing
	if rec.Kind == record.KindDone {
		done, err := rd.Done(rec)
		if err != nil {
			return nil, Errorf(typeInDoubt, "whether it was written cannot be read: %v", err)
		}
		return recordedOutcome(&done)
	}
	intent, err := rd.Begun(rec)
	if err != nil {
		return nil, Errorf(typeInDoubt, "whether it was written cannot be read: %v", err)
	}
	w.began, w.intentRecorded = rec.Time, true
	return w.safeInterrupted(&intent)
}

// safeInterrupted is interrupted for a line of the safe state: nobody is asked
// about one in doubt, for the run is at its end; it counts as not reached.
func (w *work) safeInterrupted(begun *record.Begun) (value.Raw, error) {
	prepared, err := value.Decode(begun.Prepared)
	if err != nil {
		return nil, Errorf(typeInDoubt, "whether it was written cannot be read: %v", err)
	}
	w.prepared, w.attempt = prepared, begun.Attempt
	if err := w.bind(); err != nil {
		return nil, err
	}
	asker, ok := w.call.Step.(Recoverer)
	if !ok || !begun.Effect {
		return w.lane.perform(w)
	}
	found, err := w.recover(asker)
	if err != nil {
		return nil, err
	}
	switch found.Verdict {
	case Done:
		return w.recordOutcome(found.Result, nil, true, journal.Soon)
	case Again:
		return w.lane.perform(w)
	case Failed:
		return w.recordOutcome(nil, w.failure(found.Err), true, journal.Soon)
	}
	return w.recordOutcome(nil, &StepError{Type: typeInDoubt, Message: found.Doubt.Why, Step: w.call.Name, Attempts: w.attempt}, true, journal.Soon)
}

// bindSafeWrite binds a line to the parameters of the step that writes it.
func bindSafeWrite(s Step, line SafeWrite) (value.Raw, error) {
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

// confirmation reads the result of tags.write_confirm.
func confirmation(out value.Raw) (ok bool, detail string) {
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

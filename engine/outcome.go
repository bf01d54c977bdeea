package engine

import (
	"errors"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// recordAttempt records that the attempt has begun; an effect waits until that
// is on disk. Without effect it records that nothing outside is at work: a wait,
// or an attempt that is still to begin. A further attempt is put a second time
// at its place.
func (w *work) recordAttempt(effect bool) error {
	l := w.lane
	if !effect {
		w.prepared = nil
	}
	prepared, err := value.Encode(w.prepared)
	if err != nil {
		return &StepError{Type: errorTypeOf(err, "BadResult"), Message: "what it prepared cannot be kept: " + err.Error(), Bug: true}
	}
	l.writer.Begun(&record.Begun{Name: w.call.Name, Args: w.recorded, Effect: effect, Attempt: w.attempt, Prepared: prepared})
	recs, err := l.entry(w.place, record.KindBegun, w.began, l.writer.Data(w.place))
	if err != nil {
		return err
	}
	l.tail.live = false
	c := journal.Change{Records: recs, Again: w.intentRecorded, Essential: l.isSafe()}
	switch {
	case effect:
		// Without waiting for room: what was prepared would grow old meanwhile.
		if err = l.tryCommit(c); err != nil && !errors.Is(err, journal.ErrNoRoom) {
			err = l.setFatal(&recordError{err})
		}
	case w.effect:
		err = l.append(c, journal.Soon)
	default:
		err = l.append(c, journal.Later)
	}
	if err == nil {
		l.writer.Appended()
		w.intentRecorded, w.inFlight = true, effect
	}
	return err
}

// took is how long a step without a recorded attempt took; 0 for a short one,
// so that equal answers of a poll stay equal.
func (w *work) took() time.Duration {
	const short = 10 * time.Millisecond
	d := time.Since(w.began)
	if d < short {
		return 0
	}
	return d.Truncate(time.Millisecond)
}

// recordOutcome records a step's outcome and returns it as a replay would.
func (w *work) recordOutcome(res any, failure *StepError, recovered bool, u journal.Urgency) (value.Raw, error) {
	l := w.lane
	enc, err := encode(res)
	if err != nil {
		failure = &StepError{Type: errorTypeOf(err, "BadResult"), Message: "its result: " + err.Error(), Step: w.call.Name, Attempts: w.attempt, Bug: true}
	}
	if failure != nil {
		enc = nil
		failure.Message = short(failure.Message)
	}
	done := record.Done{Name: w.call.Name, Args: w.recorded, Failure: failureOf(failure), Result: enc, Attempts: w.attempt, Recovered: recovered}
	if failure == nil {
		done.ResolvedBy = w.saidBy // a human's word, which is not what was read back
	}
	if !w.intentRecorded && w.alongside.Taken == nil {
		done.Took = w.took()
		l.writer.Done(&done, false)
		err = l.appendJoining()
	} else {
		l.writer.Done(&done, true)
		err = w.completeIntent(u)
	}
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	return enc, nil
}

// completeIntent records the outcome of a step of which an attempt is on record,
// as one with what goes to disk with it.
func (w *work) completeIntent(u journal.Urgency) error {
	l := w.lane
	l.next = w.place
	recs, err := l.entry(w.place, record.KindDone, time.Now(), l.writer.Data(w.place))
	if err != nil {
		return err
	}
	if w.alongside.Taken != nil {
		w.alongside.Records, w.alongside.Essential = append(w.alongside.Records, recs[0]), true
		l.tail.live = false
		l.moveOn(w.place)
		err = l.commit(w.alongside)
	} else {
		err = l.appendNext(journal.Change{Records: recs, Essential: w.effect}, u)
	}
	if err == nil {
		l.writer.Appended()
	}
	return err
}

// failureOf is a step's failure as the record keeps it.
func failureOf(e *StepError) *record.Failure {
	if e == nil {
		return nil
	}
	return &record.Failure{Type: e.Type, Message: e.Message, Step: e.Step, Attempts: e.Attempts, Unknown: e.Unknown, Bug: e.Bug}
}

// stepError is a step's failure as the program gets it.
func stepError(f *record.Failure) *StepError {
	if f == nil {
		return nil
	}
	return &StepError{Type: f.Type, Message: f.Message, Step: f.Step, Attempts: f.Attempts, Unknown: f.Unknown, Bug: f.Bug}
}

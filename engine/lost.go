package engine

import (
	"fmt"

	"holdfast/engine/isa88"
	"holdfast/engine/record"
	"holdfast/journal"
)

// askAboutLoss holds a run of which the journal may have lost a part, and asks the
// operator: nobody else can tell what the plant has seen of it. It returns when
// the run is to go on from what is on record; else over says that it has ended
// with st, or, with none, that it goes on at the next start.
func (r *Run) askAboutLoss() (st *completion, over bool) {
	d := Doubt{Why: r.loss + "; " + r.recordEnds()}
	r.update(func() { r.doubt, r.state = &d, isa88.Held })
	r.eng.nudgeAlarms()
	r.eng.cfg.Log.Warn("run is HELD, in doubt", "run", r.head.id, "why", d.Why)
	for {
		if st, goOn, over := r.listenAboutLoss(); over {
			return st, !goOn
		}
		r.idle()
	}
}

// listenAboutLoss takes the commands and the answer that have come, while
// deliveries are held up: no STOP that was acknowledged before the answer is
// passed over for it.
func (r *Run) listenAboutLoss() (st *completion, goOn, over bool) {
	defer r.holdDeliveries()()
	if err := r.takeCommands(); err != nil {
		return r.conclude(nil, err), false, true
	}
	m, ok := r.pendingAnswer()
	if !ok {
		return nil, false, false
	}
	goOn, err := r.answerLoss(m)
	switch {
	case err != nil:
		return r.conclude(nil, err), false, true
	case !goOn:
		a, _ := answerIn(&m)
		why := operatorsWord("a part of its record may be lost, and it was answered with fail", &message{Actor: a.Actor})
		return r.conclude(nil, &RunError{Type: "RecordLost", Message: why + "; " + r.loss}), false, true
	}
	return nil, true, true
}

// answerLoss puts the operator's answer on record. The caller holds deliveries up.
func (r *Run) answerLoss(m message) (goOn bool, err error) {
	a, _ := answerIn(&m)
	c := journal.Change{Records: r.resolvedNote(&m, a), Taken: []uint64{m.Number}, Essential: true}
	if err := r.main.commit(c); err != nil {
		return false, err
	}
	r.answeredBy(&m, a)
	if a.Decision == "retry" {
		r.loss = ""
		return true, nil
	}
	// What is on record is not gone through any more.
	r.recorded = 0
	return false, nil
}

// recordEnds says up to where the record goes.
func (r *Run) recordEnds() string {
	ends := "its record has no step"
	var rd record.Reader
	earlier := earlierRecords{journal: r.eng.journal, run: r.num}
	err := r.readBranch(r.ctx, record.Main, func(rec *journal.Record) {
		earlier.met(rec)
		if rec.Kind != record.KindBegun && rec.Kind != record.KindDone {
			return
		}
		var name string
		var err error
		if rd.Records, err = earlier.of(r.ctx, rec); err == nil {
			name, err = stepIn(&rd, rec)
		}
		switch {
		case err != nil:
			ends = fmt.Sprintf("its record goes up to place %d, where it cannot be read", rec.Seq)
		case name != "": // else an outcome; its beginning stands before it
			ends = fmt.Sprintf("its record goes up to step %d, %s", rec.Seq, name)
		}
	})
	if err != nil {
		ends += "; " + err.Error()
	}
	return ends
}

// stepIn returns the name of the step that a Begun or Done tells of; "" of
// a Done that leaves it to its Begun.
func stepIn(rd *record.Reader, rec *journal.Record) (string, error) {
	if rec.Kind == record.KindBegun {
		b, err := rd.Begun(rec)
		return b.Name, err
	}
	d, err := rd.Done(rec)
	return d.Name, err
}

// refuseForLoss refuses an answer that names no way to go on. The caller holds r.mu.
func (r *Run) refuseForLoss(a Answer) error {
	if r.loss == "" || r.doubt == nil || r.doubt.Step != "" || a.Decision != "done" {
		return nil
	}
	return problem(Refused, "run %s is in doubt as a whole, not about one step: retry goes on from what is on record, fail ends it", r.head.id)
}

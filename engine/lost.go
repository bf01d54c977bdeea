package engine

import (
	"fmt"

	"holdfast/engine/isa88"
	"holdfast/journal"
)

// askLost holds a run of which the journal may have lost a part, and asks the
// operator: nobody else can tell what the plant has seen of it. It returns when
// the run is to go on from what is on record; else over says that it has ended
// with st, or, with none, that it goes on at the next start.
func (r *Run) askLost() (st *endState, over bool) {
	d := Doubt{Why: r.lost + "; " + r.recordEnds()}
	r.update(func() { r.doubt, r.state = &d, isa88.Held })
	r.eng.nudgeAlarms()
	r.eng.cfg.Log.Warn("run is HELD, in doubt", "run", r.head.id, "why", d.Why)
	for {
		if st, goOn, over := r.listenLost(); over {
			return st, !goOn
		}
		r.idle()
	}
}

// listenLost takes the commands and the answer that have come, behind the closed
// door of the mailbox: no STOP that was acknowledged before the answer is
// passed over for it.
func (r *Run) listenLost() (st *endState, goOn, over bool) {
	defer r.closeDoor()()
	if err := r.takeCommands("while a part of the record may be lost: answer with resolve, or STOP or ABORT"); err != nil {
		return r.judge(nil, err), false, true
	}
	m, ok := r.answered()
	if !ok {
		return nil, false, false
	}
	goOn, err := r.answerLost(m)
	switch {
	case err != nil:
		return r.judge(nil, err), false, true
	case !goOn:
		a, _ := m.answer()
		why := operatorsWord("a part of its record may be lost, and it was answered with fail", &message{actor: a.Actor})
		return r.judge(nil, &RunError{Type: "RecordLost", Message: why + "; " + r.lost}), false, true
	}
	return nil, true, true
}

// answerLost puts the operator's answer on record. The caller has closed the door.
func (r *Run) answerLost(m message) (goOn bool, err error) {
	a, _ := m.answer()
	c := journal.Change{Records: r.resolvedNote(m, a), Taken: []uint64{m.num}, Essential: true}
	if err := r.commit(c); err != nil {
		return false, err
	}
	r.answeredBy(m, a)
	if a.Decision == "retry" {
		r.lost = ""
		return true, nil
	}
	// What is on record is not gone through any more.
	r.recorded = 0
	return false, nil
}

// recordEnds says up to where the record goes.
func (r *Run) recordEnds() string {
	ends := "its record has no step"
	earlier := earlierRecords{journal: r.eng.journal, run: r.num}
	err := r.eng.journal.Records(r.ctx, r.num, 0, func(rec journal.Record) bool {
		earlier.met(&rec)
		if rec.Seq >= laneNotes {
			return false
		}
		if rec.Kind != kindBegun && rec.Kind != kindDone {
			return true
		}
		before, err := earlier.of(r.ctx, &rec)
		var o opened
		if err == nil {
			o, err = open(before, &rec, nil)
		}
		if err != nil {
			ends = fmt.Sprintf("its record goes up to place %d, where it cannot be read", rec.Seq)
			return true
		}
		if name, err := o.fs[0].Text(); err == nil { // else an outcome; its beginning stands before it
			ends = fmt.Sprintf("its record goes up to step %d, %s", rec.Seq, name)
		}
		return true
	})
	if err != nil {
		ends += "; " + err.Error()
	}
	return ends
}

// refusesLost refuses an answer that names no way to go on. The caller holds r.mu.
func (r *Run) refusesLost(a Answer) error {
	if r.lost == "" || r.doubt == nil || r.doubt.Step != "" || a.Decision != "done" {
		return nil
	}
	return problem(Refused, "run %s is in doubt as a whole, not about one step: retry goes on from what is on record, fail ends it", r.head.id)
}

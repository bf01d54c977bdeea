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
	r.eng.alarm(r.head.id, "HELD, in doubt: "+d.Why)
	r.update(func() { r.doubt, r.state = &d, isa88.Held })
	for {
		if err := r.takeCommands(); err != nil {
			return r.conclude(nil, err), true
		}
		if m, ok := r.pendingAnswer(); ok {
			goOn, err := r.answerLoss(m)
			switch {
			case err != nil:
				return r.conclude(nil, err), true
			case !goOn:
				a, _ := answerIn(&m)
				why := operatorsWord("a part of its record may be lost, and it was answered with fail", &message{Actor: a.Actor})
				return r.conclude(nil, &RunError{Type: "RecordLost", Message: why + "; " + r.loss}), true
			}
			return nil, false
		}
		r.idle()
	}
}

// answerLoss puts the operator's answer on record. It keeps deliveries out of the
// mailbox until that is on disk and the question is gone.
func (r *Run) answerLoss(m message) (goOn bool, err error) {
	r.delivery.Lock()
	defer r.delivery.Unlock()
	a, _ := answerIn(&m)
	c := journal.Change{Records: r.note(record.Resolved{Message: m.Number, Decision: a.Decision, Actor: a.Actor}), Taken: []uint64{m.Number}, Essential: true}
	if err := r.main.commit(c); err != nil {
		return false, err
	}
	r.update(func() {
		r.drop(m.Number)
		r.doubt, r.state = nil, isa88.Running
	})
	if a.Decision == "retry" {
		r.loss = ""
		return true, nil
	}
	// What is on record is not gone through any more.
	r.main.replay = cursor{}
	return false, nil
}

// recordEnds says up to where the record goes.
func (r *Run) recordEnds() string {
	rd := record.Reader{Records: r.main.replay.Records}
	for i := len(rd.Records) - 1; i >= 0; i-- {
		rec := &rd.Records[i]
		name, err := "", error(nil)
		switch rec.Kind {
		case record.KindBegun:
			var b record.Begun
			b, err = rd.Begun(rec)
			name = b.Name
		case record.KindDone:
			var d record.Done
			d, err = rd.Done(rec)
			name = d.Name
		default:
			continue
		}
		switch {
		case err != nil:
			return fmt.Sprintf("its record goes up to place %d, where it cannot be read", rec.Seq)
		case name != "": // else an outcome; its beginning stands before it
			return fmt.Sprintf("its record goes up to step %d, %s", rec.Seq, name)
		}
	}
	return "its record has no step"
}

// refuseForLoss refuses an answer that names no way to go on. The caller holds r.mu.
func (r *Run) refuseForLoss(a Answer) error {
	if r.loss == "" || r.doubt == nil || r.doubt.Step != "" || a.Decision != "done" {
		return nil
	}
	return problem(Refused, "run %s is in doubt as a whole, not about one step: retry goes on from what is on record, fail ends it", r.head.id)
}

package engine

import (
	"cmp"
	"math"
	"slices"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// askOperator puts the question of a step in doubt, and waits for the answer.
// ifDone is the step's result should the operator say that it was done.
func (w *work) askOperator(d Doubt, ifDone any) (value.Raw, error) {
	r := w.lane.run
	d.Step = w.call.Name
	d.place = w.place.Seq
	r.update(func() { r.doubt, r.state, r.ifDone = &d, isa88.Held, w.ifDone })
	r.eng.nudgeAlarms()
	r.eng.cfg.Log.Warn("run is HELD, in doubt", "run", r.head.id, "step", d.Step, "tag", d.Tag, "why", d.Why)
	for {
		over, again, out, err := w.listen(ifDone)
		switch {
		case again:
			return w.lane.perform(w)
		case over:
			return out, err
		}
		r.idle()
	}
}

// listen takes the commands and the answer that have come. It keeps deliveries
// out until they are on disk and the question is gone: so an answer never meets
// another question than its own, and no STOP that was acknowledged before the
// answer is passed over for it.
func (w *work) listen(ifDone any) (over, again bool, out value.Raw, err error) {
	r := w.lane.run
	defer r.holdDeliveries()()
	if err := r.takeCommands(); err != nil {
		return true, false, nil, w.abandon(err)
	}
	m, ok := r.pendingAnswer()
	if !ok {
		return false, false, nil, nil
	}
	again, out, err = w.applyAnswer(m, ifDone)
	return true, again, out, err
}

// holdDeliveries keeps further messages out of the mailbox until the function
// that it returns is called. While room for a record is waited for, they come in.
func (r *Run) holdDeliveries() (release func()) {
	r.delivery.Lock()
	r.holdsDelivery = true
	return func() {
		r.holdsDelivery = false
		r.delivery.Unlock()
	}
}

// pendingAnswer returns the message with the operator's answer, if it has come.
func (r *Run) pendingAnswer() (message, bool) {
	for _, m := range r.pick(mailbox.TopicEngine, math.MaxInt) {
		if _, ok := answerIn(&m); ok {
			return m, true
		}
	}
	return message{}, false
}

// applyAnswer does as the operator has answered. The caller holds deliveries up.
func (w *work) applyAnswer(m message, ifDone any) (again bool, out value.Raw, err error) {
	r := w.lane.run
	a, _ := answerIn(&m)
	c := journal.Change{Records: r.resolvedNote(&m, a), Taken: []uint64{m.Number}, Essential: true}
	switch a.Decision {
	case "done":
		w.saidBy = cmp.Or(a.Actor, "an operator")
		res, e := w.resultOf(a, ifDone)
		if e != nil { // it was checked when it came
			return false, nil, w.abandon(w.lane.setFatal(&recordError{e}))
		}
		w.alongside = c
		out, err = w.recordOutcome(res, nil, true, journal.Soon)
	case "fail":
		w.alongside = c
		out, err = w.recordOutcome(nil, &StepError{Type: "InDoubt", Message: operatorsWord("it was in doubt, and was answered with fail", &message{Actor: a.Actor}), Step: w.call.Name, Attempts: w.attempt}, true, journal.Soon)
	default: // retry: after a power cut from here on, the step is in doubt again
		again, err = true, w.lane.commit(c)
		if err == nil { // deliveries may have come in, had the record to wait for room
			err = r.takeCommands()
		}
	}
	if err != nil && IsFatal(err) {
		return false, nil, w.abandon(err)
	}
	r.asked = nil
	r.answeredBy(&m, a)
	return again, out, err
}

// dropStaleAnswer drops an answer that was given before a restart, when evidence has
// answered the question meanwhile.
func (r *Run) dropStaleAnswer() error {
	m, ok := r.pendingAnswer()
	if !ok {
		return nil
	}
	a, _ := answerIn(&m)
	c := journal.Change{Records: r.note(record.Stale(answerGiven(&m, a))), Taken: []uint64{m.Number}, Essential: true}
	if err := r.main.append(c, journal.Soon); err != nil {
		return err
	}
	r.update(func() { r.drop(m.Number) })
	return nil
}

// refuseUnasked refuses an answer to which there is no question. The caller holds
// r.delivery, so that no question goes while its answer is on the way to the disk,
// and r.mu.
func (r *Run) refuseUnasked() error {
	if r.doubt == nil {
		return problem(Refused, "run %s is not in doubt", r.head.id)
	}
	if slices.ContainsFunc(r.inbox.All(), func(m message) bool { _, ok := answerIn(&m); return ok }) {
		return problem(Refused, "run %s has been answered already", r.head.id)
	}
	return nil
}

// answerIn returns the operator's answer that a message carries.
func answerIn(m *message) (Answer, bool) {
	if m.Topic != mailbox.TopicEngine {
		return Answer{}, false
	}
	v, err := value.Decode(m.Body)
	body, isMap := v.(*value.Map)
	if err != nil || !isMap {
		return Answer{}, false
	}
	if textIn(body, "do") != "resolve" {
		return Answer{}, false
	}
	a := Answer{Decision: textIn(body, "decision"), Actor: textIn(body, "actor")}
	val, _ := body.Get("value")
	a.Value, err = value.Encode(val)
	return a, err == nil
}

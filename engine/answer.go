package engine

import (
	"cmp"
	"math"
	"slices"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// stuckInDoubt is why HOLD and RESUME are refused meanwhile.
const stuckInDoubt = "while a step is in doubt: answer with resolve, or STOP or ABORT"

// ask puts the question of a step in doubt, and waits for the answer.
// ifDone is the step's result should the operator say that it was done.
func (w *work) ask(d Doubt, ifDone any) (value.Raw, error) {
	r := w.run
	d.Step = w.call.Name
	d.place = w.seq
	r.update(func() { r.doubt, r.state, r.ifDone = &d, isa88.Held, w.ifDone })
	r.eng.nudgeAlarms()
	r.eng.cfg.Log.Warn("run is HELD, in doubt", "run", r.head.id, "step", d.Step, "tag", d.Tag, "why", d.Why)
	for {
		over, again, out, err := w.listen(ifDone)
		switch {
		case again:
			return r.perform(w)
		case over:
			return out, err
		}
		r.idle()
	}
}

// listen takes the commands and the answer that have come. It holds the door of
// the mailbox until they are on disk and the question is gone: so an answer
// never meets another question than its own, and no STOP that was acknowledged
// before the answer is passed over for it.
func (w *work) listen(ifDone any) (over, again bool, out value.Raw, err error) {
	r := w.run
	defer r.closeDoor()()
	if err := r.takeCommands(stuckInDoubt); err != nil {
		return true, false, nil, w.broken(err)
	}
	m, ok := r.answered()
	if !ok {
		return false, false, nil, nil
	}
	again, out, err = w.heed(m, ifDone)
	return true, again, out, err
}

// closeDoor keeps further messages out of the mailbox until the function that it
// returns is called. While room for a record is waited for, the door is open.
func (r *Run) closeDoor() (open func()) {
	r.post.Lock()
	r.door = true
	return func() {
		r.door = false
		r.post.Unlock()
	}
}

// answered returns the message with the operator's answer, if it has come.
func (r *Run) answered() (message, bool) {
	for _, m := range r.pick(topicEngine, math.MaxInt) {
		if _, ok := m.answer(); ok {
			return m, true
		}
	}
	return message{}, false
}

// heed does as the operator has answered. The caller has closed the door.
func (w *work) heed(m message, ifDone any) (again bool, out value.Raw, err error) {
	r := w.run
	a, _ := m.answer()
	c := journal.Change{Records: r.resolvedNote(m, a), Taken: []uint64{m.num}, Essential: true}
	switch a.Decision {
	case "done":
		w.saidBy = cmp.Or(a.Actor, "an operator")
		res, e := w.resultOf(a, ifDone)
		if e != nil { // it was checked when it came
			return false, nil, w.broken(r.die(&recordError{e}))
		}
		w.with = c
		out, err = w.finish(res, nil, true, journal.Soon)
	case "fail":
		w.with = c
		out, err = w.finish(nil, &StepError{Type: "InDoubt", Message: operatorsWord("it was in doubt, and was answered with fail", &message{actor: a.Actor}), Step: w.call.Name, Attempts: w.attempt}, true, journal.Soon)
	default: // retry: after a power cut from here on, the step is in doubt again
		again, err = true, r.commit(c)
		if err == nil { // the door may have been open, had the record to wait for room
			err = r.takeCommands(stuckInDoubt)
		}
	}
	if err != nil && IsFatal(err) {
		return false, nil, w.broken(err)
	}
	r.asked = nil
	r.answeredBy(m, a)
	return again, out, err
}

// moot drops an answer that is left from the life before, when evidence has
// answered the question meanwhile.
func (r *Run) moot() error {
	m, ok := r.answered()
	if !ok {
		return nil
	}
	a, _ := m.answer()
	if err := r.append(journal.Change{Records: r.note("moot", m.num, a.Decision, a.Actor, m.at.UnixMilli()), Taken: []uint64{m.num}, Essential: true}, journal.Soon); err != nil {
		return err
	}
	r.update(func() { r.drop(m.num) })
	return nil
}

// unasked refuses an answer to which there is no question. The caller holds
// r.post, so that no question goes while its answer is on the way to the disk,
// and r.mu.
func (r *Run) unasked() error {
	if r.doubt == nil {
		return problem(Refused, "run %s is not in doubt", r.head.id)
	}
	if slices.ContainsFunc(r.inbox, func(m message) bool { _, ok := m.answer(); return ok }) {
		return problem(Refused, "run %s has been answered already", r.head.id)
	}
	return nil
}

// answer returns the operator's answer that a message carries.
func (m *message) answer() (Answer, bool) {
	if m.topic != topicEngine {
		return Answer{}, false
	}
	v, err := value.Decode(m.body)
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

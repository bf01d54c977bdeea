package engine

import (
	"fmt"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/record"
	"holdfast/engine/scheduler"
	"holdfast/engine/value"
	"holdfast/journal"
)

// rememberReceive is the shortest receive of which a restart must know when it
// began. A shorter one begins its time anew, and leaves no record while
// nothing comes, so that polling costs nothing.
const rememberReceive = time.Minute

// receive is one Recv or RecvCommand on its way.
type receive struct {
	call    string // "recv" or "recvCommand"
	topic   string
	state   string
	timeout time.Duration
	most    int
	choose  func(msgs []message) (result any, fates []Fate, err error)
}

func (v *receive) describe() string { return record.ShowReceive(v.call, v.topic) }

// Recv takes the next message of a topic and returns its body; nil, encoded,
// if none came within timeout.
func (r *Run) Recv(topic string, timeout time.Duration) (value.Raw, error) {
	return r.main.receive(&receive{call: "recv", topic: topic, timeout: timeout, most: 1, choose: func(msgs []message) (any, []Fate, error) {
		m := msgs[0]
		var fates []Fate
		if m.Word != "" {
			fates = []Fate{newFate(&m, true, "taken by recv", "")}
		}
		return m.Body, fates, nil
	}})
}

// RecvCommand waits for a first message, drains up to most, and returns the
// command of highest priority that state allows, as {"cmd", "message",
// "priority"}; nil, encoded, if there is none. state "" allows all. What was
// drained and not returned is recorded with its fate.
func (r *Run) RecvCommand(state, topic string, timeout time.Duration, most int) (value.Raw, error) {
	if r.main.fatal != nil {
		return nil, r.main.fatal
	}
	var current isa88.State
	if state != "" {
		s, err := isa88.ParseState(state)
		if err != nil {
			return nil, &StepError{Type: "BadArgument", Message: err.Error(), Step: "rt.recvCommand", Bug: true}
		}
		current = s
		r.mu.Lock()
		if r.state != s && !r.engineHandles() && r.ctx.Err() == nil {
			r.state = s
			r.notify()
		}
		r.mu.Unlock()
	}
	if most < 1 {
		return nil, &StepError{Type: "BadArgument", Message: fmt.Sprintf("maxMessages is %d, not 1 or more", most), Step: "rt.recvCommand", Bug: true}
	}
	return r.main.receive(&receive{call: "recvCommand", topic: topic, state: state, timeout: timeout, most: most, choose: func(msgs []message) (any, []Fate, error) {
		for i := range msgs {
			msgs[i].ParseWord() // on other topics than "cmd" too
		}
		return arbitrate(msgs, current)
	}})
}

// arbitrate chooses among drained messages as ISA-88 has it.
func arbitrate(msgs []message, state isa88.State) (any, []Fate, error) {
	best := -1
	for i, m := range msgs {
		if m.Word == "" || state != "" && !m.Word.Allowed(state) {
			continue
		}
		if best < 0 || m.Word.Priority() > msgs[best].Word.Priority() {
			best = i
		}
	}
	fates := make([]Fate, len(msgs))
	for i, m := range msgs {
		f := newFate(&m, false, "", state)
		switch {
		case i == best:
			f.Taken, f.Fate = true, "taken"
		case m.Word == "":
			f.Fate = "not a command"
		case state != "" && !m.Word.Allowed(state):
			f.Fate = "not allowed in " + string(state)
		default:
			f.Fate = "superseded by " + string(msgs[best].Word)
		}
		fates[i] = f
	}
	if best < 0 {
		return nil, fates, nil
	}
	m := msgs[best]
	return value.NewMap("cmd", string(m.Word), "message", m.Body, "priority", int64(m.Word.Priority())), fates, nil
}

func (l *lane) receive(v *receive) (value.Raw, error) {
	if l.fatal != nil {
		return nil, l.fatal
	}
	began, resumes := time.Now(), false
	if l.replay.active() {
		rec := *l.replay.peek()
		if rec.Kind != record.KindBegun {
			return l.replayReceive(v)
		}
		if err := l.replayReceiveBegun(v, &rec); err != nil {
			return nil, err
		}
		if l.replay.active() {
			return l.replayReceive(v)
		}
		began, resumes = rec.Time, true
		l.next = record.PlaceOf(rec.Seq)
	}
	if err := l.boundary(); err != nil {
		return nil, err
	}
	if !resumes && v.timeout >= rememberReceive {
		l.writer.Begun(&record.Begun{Name: "rt." + v.call, Args: value.AppendString(nil, v.topic), Attempt: 1})
		here := l.next
		if err := l.appendCall(journal.Later); err != nil {
			return nil, err
		}
		l.next = here // where what it comes to stands too
	}
	msgs, err := l.await(v, began.Add(v.timeout))
	if err != nil {
		return nil, err
	}
	return l.received(v, msgs)
}

// replayReceiveBegun finds in the record that the receive has begun.
func (l *lane) replayReceiveBegun(v *receive, rec *journal.Record) error {
	begun, err := l.replay.Begun(rec)
	if err != nil {
		return l.unreadable(err)
	}
	if topic, err := begun.Args.Text(); err != nil || begun.Name != "rt."+v.call || topic != v.topic {
		return l.mismatch(rec, v.describe(), nil)
	}
	l.writer.ReplayedBegun(&begun)
	l.advanceReplay(rec)
	return nil
}

// await waits until deadline for messages of the topic.
func (l *lane) await(v *receive, deadline time.Time) ([]message, error) {
	r := l.run
	var timer *time.Timer
	for {
		if err := l.boundary(); err != nil {
			return nil, err
		}
		if msgs := r.pick(v.topic, v.most); len(msgs) > 0 {
			if err := l.ended(); err != nil { // an ABORT, which is not for the script
				return nil, err
			}
			return msgs, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, nil
		}
		if timer == nil {
			timer = time.NewTimer(left)
			defer timer.Stop()
			r.setStep("rt." + v.call)
			r.setWaits(waits{what: fmt.Sprintf("topic %q", v.topic), until: deadline})
			defer r.setStep("")
		}
		if err := l.sleep(timer, v.timeout >= rememberReceive); err != nil {
			return nil, err
		}
	}
}

// sleep waits for a message, or for the timer. A run that waits long parks.
func (l *lane) sleep(timer *time.Timer, long bool) error {
	r := l.run
	if long {
		r.seat.Park(scheduler.Parked)
		defer r.seat.Resume()
	}
	select {
	case <-r.wake:
	case <-timer.C:
	case <-l.ctx.Done():
		return l.ended()
	}
	return nil
}

// received records what came, and removes it from the mailbox, as one change.
func (l *lane) received(v *receive, msgs []message) (value.Raw, error) {
	out := record.Received{Call: v.call, Topic: v.topic, State: v.state}
	if len(msgs) == 0 {
		l.writer.Received(&out)
		return nil, l.appendJoining()
	}
	result, fates, err := v.choose(msgs)
	if err != nil {
		return nil, err
	}
	if out.Result, err = value.Encode(result); err != nil {
		return nil, l.setFatal(&recordError{err})
	}
	var nums []uint64
	for _, m := range msgs {
		nums = append(nums, m.Number)
		out.Taken = append(out.Taken, record.Taken{Number: m.Number, UUID: m.UUID})
	}
	for _, f := range fates {
		out.Fates = append(out.Fates, record.Fate(f))
	}
	l.writer.Received(&out)
	recs, err := l.entry(l.next, record.KindReceived, time.Now(), l.writer.Data(l.next))
	if err != nil {
		return nil, err
	}
	if err := l.appendNext(journal.Change{Records: recs, Taken: nums, Essential: true}, journal.Soon); err != nil {
		return nil, err
	}
	l.writer.Appended()
	r := l.run
	r.hear(v.topic, out.Fates)
	r.update(func() {
		r.drop(nums...)
		r.handedOver(out.Fates, v.state != "")
	})
	r.logFates(byScript, fates)
	return out.Result, nil
}

// replayReceive answers a receive with what the record has.
func (l *lane) replayReceive(v *receive) (value.Raw, error) {
	rec := l.replay.peek()
	if rec.Kind != record.KindReceived {
		return nil, l.mismatch(rec, v.describe(), nil)
	}
	recorded, err := l.replay.Received(rec)
	if err != nil {
		return nil, l.unreadable(err)
	}
	if recorded.Call != v.call || recorded.Topic != v.topic || recorded.State != v.state {
		return nil, l.mismatch(rec, v.describe(), nil)
	}
	l.writer.ReplayedReceived(&recorded)
	l.run.hear(v.topic, recorded.Fates)
	if len(recorded.Fates) > 0 {
		l.run.update(func() { l.run.handedOver(recorded.Fates, v.state != "") })
	}
	l.advanceReplay(rec)
	return slices.Clone(recorded.Result), nil
}

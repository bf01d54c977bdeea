package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/engine/isa88"
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

func (v *receive) describe() string { return fmt.Sprintf("rt.%s(topic=%q)", v.call, v.topic) }

// Recv takes the next message of a topic and returns its body; nil, encoded,
// if none came within timeout.
func (r *Run) Recv(topic string, timeout time.Duration) (value.Raw, error) {
	return r.receive(&receive{call: "recv", topic: topic, timeout: timeout, most: 1, choose: func(msgs []message) (any, []Fate, error) {
		m := msgs[0]
		var fates []Fate
		if m.word != "" {
			fates = []Fate{m.fate(true, "taken by recv", "")}
		}
		return m.body, fates, nil
	}})
}

// RecvCommand waits for a first message, drains up to most, and returns the
// command of highest priority that state allows, as {"cmd", "message",
// "priority"}; nil, encoded, if there is none. state "" allows all. What was
// drained and not returned is recorded with its fate.
func (r *Run) RecvCommand(state, topic string, timeout time.Duration, most int) (value.Raw, error) {
	if r.fatal != nil {
		return nil, r.fatal
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
			r.touch()
		}
		r.mu.Unlock()
	}
	if most < 1 {
		return nil, &StepError{Type: "BadArgument", Message: fmt.Sprintf("maxMessages is %d, not 1 or more", most), Step: "rt.recvCommand", Bug: true}
	}
	return r.receive(&receive{call: "recvCommand", topic: topic, state: state, timeout: timeout, most: most, choose: func(msgs []message) (any, []Fate, error) {
		for i := range msgs {
			msgs[i].parseWord() // on other topics than "cmd" too
		}
		return arbitrate(msgs, current)
	}})
}

// arbitrate chooses among drained messages as ISA-88 has it.
func arbitrate(msgs []message, state isa88.State) (any, []Fate, error) {
	best := -1
	for i, m := range msgs {
		if m.word == "" || state != "" && !m.word.Allowed(state) {
			continue
		}
		if best < 0 || m.word.Priority() > msgs[best].word.Priority() {
			best = i
		}
	}
	fates := make([]Fate, len(msgs))
	for i, m := range msgs {
		f := m.fate(false, "", state)
		switch {
		case i == best:
			f.Taken, f.Fate = true, "taken"
		case m.word == "":
			f.Fate = "not a command"
		case state != "" && !m.word.Allowed(state):
			f.Fate = "not allowed in " + string(state)
		default:
			f.Fate = "superseded by " + string(msgs[best].word)
		}
		fates[i] = f
	}
	if best < 0 {
		return nil, fates, nil
	}
	m := msgs[best]
	return value.NewMap("cmd", string(m.word), "message", m.body, "priority", int64(m.word.Priority())), fates, nil
}

func (r *Run) receive(v *receive) (value.Raw, error) {
	if r.fatal != nil {
		return nil, r.fatal
	}
	began, begun := time.Now(), false
	if r.replay.active() {
		rec := r.replay.peek()
		if rec.Kind == kindReceived {
			return r.replayReceive(v)
		}
		if rec.Kind != kindBegun {
			return nil, r.mismatch(rec, v.describe(), nil)
		}
		o, err := open(r.replay.recs, rec, nil)
		if err != nil {
			return nil, r.die(&recordError{err})
		}
		if !isText(o.fs[0], "rt."+v.call) || !isText(o.fs[1], v.topic) {
			return nil, r.mismatch(rec, v.describe(), nil)
		}
		r.hearCall(kindBegun, &o)
		began, begun = rec.Time, true
		r.taken(rec)
		if r.replay.active() {
			return r.replayReceive(v)
		}
		r.seq = rec.Seq
	}
	if err := r.boundary(); err != nil {
		return nil, err
	}
	if !begun && v.timeout >= rememberReceive {
		r.draft.set(kindBegun, "rt."+v.call, v.topic, false, 1, nil)
		if err := r.recordDraft(&r.draft, journal.Later); err != nil {
			return nil, err
		}
		r.seq--
	}
	msgs, err := r.await(v, began.Add(v.timeout))
	if err != nil {
		return nil, err
	}
	return r.received(v, msgs)
}

// await waits until deadline for messages of the topic.
func (r *Run) await(v *receive, deadline time.Time) ([]message, error) {
	var timer *time.Timer
	for {
		if err := r.boundary(); err != nil {
			return nil, err
		}
		if msgs := r.pick(v.topic, v.most); len(msgs) > 0 {
			if r.ctx.Err() != nil { // an ABORT, which is not for the script
				return nil, r.die(context.Cause(r.ctx))
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
		select {
		case <-r.wake:
		case <-timer.C:
		case <-r.ctx.Done():
			return nil, r.die(context.Cause(r.ctx))
		}
	}
}

// received records what came, and removes it from the mailbox, as one change.
func (r *Run) received(v *receive, msgs []message) (value.Raw, error) {
	d := &r.draft
	if len(msgs) == 0 {
		d.set(kindReceived, v.call, v.topic, v.state, nil, nil, nil)
		return nil, r.recordJoining(d)
	}
	result, fates, err := v.choose(msgs)
	if err != nil {
		return nil, err
	}
	enc, err := value.Encode(result)
	if err != nil {
		return nil, r.die(&recordError{err})
	}
	var nums []uint64
	var took, told []any
	for _, m := range msgs {
		nums = append(nums, m.num)
		took = append(took, []any{m.num, m.uuid})
	}
	for _, f := range fates {
		told = append(told, f.fields())
	}
	d.set(kindReceived, v.call, v.topic, v.state, enc, told, took)
	r.recs[0] = journal.Record{Seq: r.seq, Kind: kindReceived, Time: time.Now(), Data: r.shorten(d, r.seq)}
	if err := r.append(journal.Change{Records: r.recs[:1], Taken: nums, Essential: true}, journal.Soon); err != nil {
		return nil, err
	}
	r.remember(d, r.seq)
	r.tail.live = false
	r.seq++
	r.hear(v.topic, fates)
	r.update(func() {
		r.drop(nums...)
		r.handedOver(fates, v.state != "")
	})
	r.logFates(byScript, fates)
	return enc, nil
}

func (r *Run) replayReceive(v *receive) (value.Raw, error) {
	rec := r.replay.peek()
	if rec.Kind != kindReceived {
		return nil, r.mismatch(rec, v.describe(), nil)
	}
	o, err := open(r.replay.recs, rec, nil)
	if err != nil {
		return nil, r.die(&recordError{err})
	}
	if fs := o.fs; !isText(fs[0], v.call) || !isText(fs[1], v.topic) || !isText(fs[2], v.state) {
		return nil, r.mismatch(rec, v.describe(), nil)
	}
	r.hearCall(kindReceived, &o)
	r.hear(v.topic, fatesOf(rec))
	r.taken(rec)
	if !o.fs[4].IsNil() {
		r.update(func() { r.handedOver(fatesOf(rec), v.state != "") })
	}
	return slices.Clone(o.fs[3]), nil
}

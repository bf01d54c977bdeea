package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/lifecycle"
	"holdfast/engine/mailbox"
	"holdfast/engine/value"
	"holdfast/journal"
)

// message is a line of a run's mailbox, on disk.
type message = mailbox.Message

// acceptedAt is now, as the journal keeps it.
func acceptedAt() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func textIn(m *value.Map, key string) string { return m.Text(key) }

// checkCommand refuses a message of topic cmd whose word is no command, and
// writes the word in capitals.
func checkCommand(body value.Raw) (value.Raw, error) {
	v, err := value.Decode(body)
	if err != nil {
		return nil, problem(BadRequest, "the message cannot be read: %v", err)
	}
	m, ok := v.(*value.Map)
	if !ok {
		return body, nil
	}
	word, has := m.Get("cmd")
	if !has {
		return body, nil
	}
	s, ok := word.(string)
	if !ok {
		return nil, problem(BadRequest, "the message's cmd is %s, not a word", value.Short(word, 60))
	}
	c, err := isa88.Parse(strings.TrimSpace(s))
	if err != nil {
		return nil, problem(BadRequest, "%v", err)
	}
	m.Set("cmd", string(c))
	return value.Encode(m)
}

// deliver puts a message into the mailbox of a live run. It is on disk when
// deliver returns. A message with a seen UUID is dropped; its number is that
// of the first.
func (r *Run) deliver(w *journal.Writer, m message) (uint64, error) {
	r.delivery.Lock()
	defer r.delivery.Unlock()
	first, err := r.accept(&m)
	if err != nil || first != 0 {
		return first, err
	}
	m.At = acceptedAt()
	err = w.Commit(journal.Change{Run: r.num, Inbox: []journal.Message{{Number: m.Number, Time: m.At, Data: m.Encode()}}, Essential: m.Essential()})
	if err != nil {
		return 0, problem(Unavailable, "cannot accept a message for run %s: %v", r.head.id, err)
	}
	r.admit(m)
	return m.Number, nil
}

// accept gives a message its number, or returns that of the first with its UUID.
func (r *Run) accept(m *message) (first uint64, err error) {
	answer, answers := answerIn(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, seen := r.inbox.Seen(m.UUID); seen {
		return first, nil
	}
	if r.ended {
		return 0, errRunEnded(r.head.id)
	}
	if answers {
		if err := r.refuseUnasked(); err != nil {
			return 0, err
		}
		if err := r.refuseForLoss(answer); err != nil {
			return 0, err
		}
		if err := r.refusesResult(answer); err != nil {
			return 0, err
		}
	}
	if err := r.inbox.Check(m); err != nil {
		return 0, problem(Unavailable, "the mailbox of run %s is full: %v", r.head.id, err)
	}
	m.Number = r.inbox.Number()
	return 0, nil
}

// admit lets the run see a message that is on disk.
func (r *Run) admit(m message) {
	r.update(func() {
		r.inbox.Put(m)
		r.anticipate(&m)
	})
	r.wakeUp()
}

// anticipate shows at once what a message will lead to, where the engine handles
// it, and ends what must end at once. The caller holds r.mu.
func (r *Run) anticipate(m *message) {
	if m.Topic == mailbox.TopicEngine {
		if w, ok := cancelIn(m); ok {
			r.cancel(&termination{state: isa88.Aborted, kind: "Cancelled", why: operatorsWord("cancelled", &message{Actor: w.Actor, Reason: w.Reason})})
			r.followed(w)
			r.eng.cfg.Log.Info("run is being cancelled", "run", r.head.id, "actor", w.Actor, "reason", w.Reason)
		}
		return
	}
	if m.Word == "" {
		return
	}
	f, before := r.facts(), r.state
	r.state = f.Shown(r.state, m.Word)
	switch {
	case m.Word == isa88.Abort: // it waits for no call of the program
		if before != isa88.Aborting {
			r.followed(wordOf(m))
			r.eng.cfg.Log.Info("run is ABORTING", "run", r.head.id, "actor", m.Actor, "reason", m.Reason)
		}
		r.cancel(terminationBy(m))
	case m.Word == isa88.Stop && f.ByScript && !f.Ending: // whoever may be about to take it: a RESUME can come between
		r.graceForStop()
	}
}

// graceForStop leaves a STOP to the script for the time that its workflow has
// for it; what the script has not asked for by then is the engine's. The caller
// holds r.mu.
func (r *Run) graceForStop() {
	grace := cmp.Or(r.head.stopGrace, DefaultStopGrace)
	r.stopDue = time.Now().Add(grace)
	t := time.AfterFunc(grace, func() {
		r.update(func() {
			if r.ctx.Err() != nil || !slices.ContainsFunc(r.inbox.All(), func(m message) bool { return m.Word == isa88.Stop }) {
				return // it was asked for
			}
			r.stopLate = true
			r.state = r.facts().Shown(r.state, isa88.Stop)
			r.eng.cfg.Log.Info("the script has not asked for STOP in time: the engine takes it", "run", r.head.id, "grace", grace)
		})
		r.wakeUp()
	})
	context.AfterFunc(r.ctx, func() { t.Stop() })
}

// facts are what decides on the run's phase. The caller holds r.mu.
func (r *Run) facts() lifecycle.Facts {
	return lifecycle.Facts{
		Ending:   r.ctx.Err() != nil,
		Broken:   r.unreplayable,
		Lost:     r.doubt != nil && r.doubt.Step == "",
		Doubtful: r.doubt != nil && r.doubt.Step != "",
		Held:     r.held,
		Full:     r.noRoom,
		Waiting:  r.status == Enqueued,
		Begun:    !r.startedAt.IsZero(),
		ByScript: r.head.commands == ByScript,
		StopLate: r.stopLate,
	}
}

// engineHandles reports whether commands are the engine's business. The caller
// holds r.mu.
func (r *Run) engineHandles() bool { return r.facts().EngineHandles() }

// takesCommands is engineHandles for one that does not hold r.mu.
func (r *Run) takesCommands() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engineHandles()
}

func operatorsWord(what string, m *message) string {
	s := what + " by " + m.Actor
	if m.Actor == "" {
		s = what + " by an operator"
	}
	if m.Reason != "" {
		s += ": " + m.Reason
	}
	return s
}

// cancelIn returns whose word a message is that cancels the run.
func cancelIn(m *message) (Word, bool) {
	v, err := value.Decode(m.Body)
	body, isMap := v.(*value.Map)
	if err != nil || !isMap || m.Topic != mailbox.TopicEngine || textIn(body, "do") != "cancel" {
		return Word{}, false
	}
	return Word{Command: wordCancel, Actor: textIn(body, "actor"), Reason: textIn(body, "reason"), At: m.At}, true
}

// drop removes messages from the mailbox, of which the journal has been told.
// The caller holds r.mu.
func (r *Run) drop(numbers ...uint64) { r.inbox.Drop(numbers...) }

// pick copies up to most messages of a topic.
func (r *Run) pick(topic string, most int) []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inbox.Pick(topic, most)
}

package engine

import (
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
	err = w.Commit(journal.Change{Run: r.num, Inbox: []journal.Message{{Number: m.Number, Time: time.Now(), Data: m.Encode()}}, Essential: m.Essential()})
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
		if why, ok := cancelOf(m.Body); ok {
			r.cancel(&termination{state: isa88.Aborted, kind: "Cancelled", why: why})
		}
		return
	}
	if m.Word == "" || !r.engineHandles() || !m.Word.Allowed(r.state) || r.state == isa88.Aborting {
		return
	}
	switch m.Word {
	case isa88.Abort:
		r.state = isa88.Aborting
		r.cancel(terminationBy(m))
	case isa88.Stop, isa88.Hold:
		if r.currentStep != "" {
			r.state = m.Word.Next(r.state)
		}
	}
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

func cancelOf(body value.Raw) (why string, ok bool) {
	v, err := value.Decode(body)
	m, isMap := v.(*value.Map)
	if err != nil || !isMap {
		return "", false
	}
	if textIn(m, "do") != "cancel" {
		return "", false
	}
	return operatorsWord("cancelled", &message{Actor: textIn(m, "actor"), Reason: textIn(m, "reason")}), true
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

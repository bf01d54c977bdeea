package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Topics of the mailbox. topicEngine is for the engine itself: cancel, resolve.
const (
	topicCommand = "cmd"
	topicEngine  = "\x00engine"
)

// maxInbox bounds how many messages wait in a mailbox. Commands of operators
// are always taken.
const maxInbox = 10_000

// message is a line of a run's mailbox, on disk.
type message struct {
	num    uint64
	topic  string
	body   value.Raw
	uuid   string
	word   isa88.Command // "" if it is no command
	actor  string
	reason string
	at     time.Time // when it was accepted
}

// acceptedAt is now, as the journal keeps it.
func acceptedAt() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (m *message) encode() []byte { return fields(nil, m.topic, m.body, m.uuid) }

func decodeMessage(jm journal.Message) (message, error) {
	m := message{num: jm.Number, at: jm.Time.UTC()}
	fs, err := value.Split(jm.Data, nil)
	if err == nil && len(fs) < 3 {
		err = fmt.Errorf("%d fields", len(fs))
	}
	if err == nil {
		m.topic, err = fs[0].Text()
	}
	if err == nil {
		m.uuid, err = fs[2].Text()
	}
	if err != nil {
		return m, fmt.Errorf("cannot read message %d: %w", jm.Number, err)
	}
	m.body = slices.Clone(fs[1])
	m.parse()
	return m, nil
}

// parse finds the command in a message of topic cmd: {"cmd": WORD, …}.
func (m *message) parse() {
	if m.topic == topicCommand {
		m.parseWord()
	}
}

// parseWord finds the command in a message of any topic.
func (m *message) parseWord() {
	v, err := value.Decode(m.body)
	body, ok := v.(*value.Map)
	if err != nil || !ok {
		return
	}
	m.word, m.actor, m.reason = wordIn(body), textIn(body, "actor"), textIn(body, "reason")
}

func wordIn(body *value.Map) isa88.Command {
	c, err := isa88.Parse(textIn(body, "cmd"))
	if err != nil {
		return ""
	}
	return c
}

func textIn(m *value.Map, key string) string {
	x, _ := m.Get(key)
	s, _ := x.(string)
	return s
}

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
	answer, answers := m.answer()
	r.post.Lock()
	defer r.post.Unlock()
	r.mu.Lock()
	if m.uuid != "" {
		if first, seen := r.seen[m.uuid]; seen {
			r.mu.Unlock()
			return first, nil
		}
	}
	if r.ended {
		r.mu.Unlock()
		return 0, errEnded(r.head.id)
	}
	if answers {
		err := r.unasked()
		if err == nil {
			err = r.refusesLost(answer)
		}
		if err == nil {
			err = r.refusesResult(answer)
		}
		if err != nil {
			r.mu.Unlock()
			return 0, err
		}
	}
	if m.topic != topicEngine && m.word == "" && len(r.inbox) >= maxInbox {
		r.mu.Unlock()
		return 0, problem(Unavailable, "the mailbox of run %s is full: %d messages wait there", r.head.id, maxInbox)
	}
	r.lastMsg++
	m.num, m.at = r.lastMsg, acceptedAt()
	r.mu.Unlock()
	err := w.Commit(journal.Change{Run: r.num, Inbox: []journal.Message{{Number: m.num, Time: m.at, Data: m.encode()}},
		Essential: m.word != "" || m.topic == topicEngine})
	if err != nil {
		return 0, problem(Unavailable, "cannot accept a message for run %s: %v", r.head.id, err)
	}
	r.accepted(m)
	return m.num, nil
}

// accepted lets the run see a message that is on disk.
func (r *Run) accepted(m message) {
	r.update(func() {
		r.inbox = append(r.inbox, m)
		if m.uuid != "" {
			r.seen[m.uuid] = m.num
		}
		r.arrived(&m)
	})
	r.nudge()
}

// arrived shows at once what a message will lead to, where the engine handles
// it, and ends what must end at once. The caller holds r.mu.
func (r *Run) arrived(m *message) {
	if m.topic == topicEngine {
		if w, ok := m.cancels(); ok {
			r.cancel(&ending{state: isa88.Aborted, kind: "Cancelled", why: operatorsWord("cancelled", &message{actor: w.Actor, reason: w.Reason})})
			r.followed(w)
			r.eng.cfg.Log.Info("run is being cancelled", "run", r.head.id, "actor", w.Actor, "reason", w.Reason)
		}
		return
	}
	switch {
	case m.word == isa88.Abort: // in every mode: a script that does not ask must not be what keeps it from ending
		if r.state != isa88.Aborting {
			r.state = isa88.Aborting
			r.followed(m.said())
			r.eng.cfg.Log.Info("run is ABORTING", "run", r.head.id, "actor", m.actor, "reason", m.reason)
		}
		r.cancel(endedBy(m))
	case m.word == "" || r.state == isa88.Aborting:
	case !r.engineHandles():
		if m.word == isa88.Stop {
			r.graceForStop()
		}
	case m.word == isa88.Resume && (r.doubt != nil || r.err != nil): // it leads nowhere
	case m.word == isa88.Reset || !m.word.Allowed(r.state):
	default:
		r.state = m.word.Next(r.state)
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
			if !slices.ContainsFunc(r.inbox, func(m message) bool { return m.word == isa88.Stop }) {
				return // it was asked for
			}
			r.stopIsOurs = true
			if isa88.Stop.Allowed(r.state) && r.state != isa88.Aborting {
				r.state = isa88.Stopping
			}
			r.eng.cfg.Log.Info("the script has not asked for STOP in time: the engine takes it", "run", r.head.id, "grace", grace)
		})
		r.nudge()
	})
	context.AfterFunc(r.life, func() { t.Stop() })
}

// engineHandles reports whether commands are the engine's business: by the
// workflow's choice, or because its program is not running. The caller holds r.mu.
func (r *Run) engineHandles() bool {
	return r.head.commands == ByEngine || r.held || r.doubt != nil || r.noRoom || r.stopIsOurs
}

func operatorsWord(what string, m *message) string {
	s := what + " by " + m.actor
	if m.actor == "" {
		s = what + " by an operator"
	}
	if m.reason != "" {
		s += ": " + m.reason
	}
	return s
}

// cancels returns whose word a message is that cancels the run.
func (m *message) cancels() (Word, bool) {
	v, err := value.Decode(m.body)
	body, isMap := v.(*value.Map)
	if err != nil || !isMap || m.topic != topicEngine || textIn(body, "do") != "cancel" {
		return Word{}, false
	}
	return Word{Command: wordCancel, Actor: textIn(body, "actor"), Reason: textIn(body, "reason"), At: m.at}, true
}

// drop removes messages from the mailbox, of which the journal has been told.
// The caller holds r.mu.
func (r *Run) drop(nums ...uint64) {
	r.inbox = slices.DeleteFunc(r.inbox, func(m message) bool { return slices.Contains(nums, m.num) })
}

// pick copies up to most messages of a topic.
func (r *Run) pick(topic string, most int) []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []message
	for _, m := range r.inbox {
		if m.topic == topic && len(out) < most {
			out = append(out, m)
		}
	}
	return out
}

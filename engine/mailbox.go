package engine

import (
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
}

func (m *message) encode() []byte { return fields(nil, m.topic, m.body, m.uuid) }

func decodeMessage(jm journal.Message) (message, error) {
	m := message{num: jm.Number}
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
	if m.topic != topicCommand {
		return
	}
	v, err := value.Decode(m.body)
	body, ok := v.(*value.Map)
	if err != nil || !ok {
		return
	}
	m.word, m.actor, m.reason = wordIn(body), textIn(body, "actor"), textIn(body, "reason")
}

// wordOf returns the command that a body holds, "" if it is none.
func wordOf(body value.Raw) isa88.Command {
	v, err := value.Decode(body)
	m, ok := v.(*value.Map)
	if err != nil || !ok {
		return ""
	}
	return wordIn(m)
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
	m.num = r.lastMsg
	r.mu.Unlock()
	err := w.Commit(journal.Change{Run: r.num, Inbox: []journal.Message{{Number: m.num, Time: time.Now(), Data: m.encode()}},
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
		if why, ok := cancelOf(m.body); ok {
			r.cancel(&ending{state: isa88.Aborted, kind: "Cancelled", why: why})
		}
		return
	}
	if m.word == "" || !r.engineHandles() || !m.word.Allowed(r.state) || r.state == isa88.Aborting {
		return
	}
	switch m.word {
	case isa88.Abort:
		r.state = isa88.Aborting
		r.cancel(endedBy(m))
	case isa88.Stop, isa88.Hold:
		if r.step != "" {
			r.state = m.word.Next(r.state)
		}
	}
}

// engineHandles reports whether commands are the engine's business: by the
// workflow's choice, or because its program is not running. The caller holds r.mu.
func (r *Run) engineHandles() bool {
	return r.head.commands == ByEngine || r.held || r.doubt != nil || r.noRoom
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

func cancelOf(body value.Raw) (why string, ok bool) {
	v, err := value.Decode(body)
	m, isMap := v.(*value.Map)
	if err != nil || !isMap {
		return "", false
	}
	if textIn(m, "do") != "cancel" {
		return "", false
	}
	return operatorsWord("cancelled", &message{actor: textIn(m, "actor"), reason: textIn(m, "reason")}), true
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

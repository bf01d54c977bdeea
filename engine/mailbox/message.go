package mailbox

import (
	"fmt"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Topics. TopicEngine is for the engine itself: cancels, and answers to the
// question of a run in doubt.
const (
	TopicCommand = "cmd"
	TopicEngine  = "\x00engine"
)

// Message is a line of a mailbox.
type Message struct {
	Number uint64
	Topic  string
	Body   value.Raw
	UUID   string    // "": it is not checked for having been seen
	At     time.Time // when it was accepted

	// What Parse has found.
	Word   isa88.Command // "" if it is no command
	Actor  string
	Reason string
}

// Read makes a message of what the journal has of it.
func Read(jm journal.Message) (Message, error) {
	rec, err := record.ReadMessage(jm.Data)
	if err != nil {
		return Message{Number: jm.Number}, fmt.Errorf("cannot read message %d: %w", jm.Number, err)
	}
	m := Message{Number: jm.Number, Topic: rec.Topic, Body: rec.Body, UUID: rec.UUID, At: jm.Time.UTC()}
	m.Parse()
	return m, nil
}

// Encode returns the message as the journal keeps it.
func (m *Message) Encode() []byte {
	return (&record.Message{Topic: m.Topic, Body: m.Body, UUID: m.UUID}).Encode()
}

// Parse finds the command in a message of topic cmd: {"cmd": WORD, …}.
func (m *Message) Parse() {
	if m.Topic == TopicCommand {
		m.ParseWord()
	}
}

// ParseWord finds the command in a message of any topic.
func (m *Message) ParseWord() {
	if body := m.fields(); body != nil {
		m.Word, m.Actor, m.Reason = WordIn(body), body.Text("actor"), body.Text("reason")
	}
}

// fields returns the body if it is a map, else nil.
func (m *Message) fields() *value.Map {
	v, err := value.Decode(m.Body)
	body, ok := v.(*value.Map)
	if err != nil || !ok {
		return nil
	}
	return body
}

// WordIn returns the command that a body holds; "" if it is none.
func WordIn(body *value.Map) isa88.Command {
	c, err := isa88.Parse(body.Text("cmd"))
	if err != nil {
		return ""
	}
	return c
}

// Essential reports whether the message is taken however full a mailbox or
// a disk is: a command of an operator, or a word to the engine.
func (m *Message) Essential() bool { return m.Word != "" || m.Topic == TopicEngine }

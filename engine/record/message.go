package record

import (
	"fmt"
	"slices"

	"holdfast/engine/value"
)

// Message is a line of a run's mailbox: [topic, body, UUID].
type Message struct {
	Topic string
	Body  value.Raw
	UUID  string // "": it is not checked for having been seen
}

// Encode returns the data of a message in the journal.
func (m *Message) Encode() []byte { return fields(nil, m.Topic, m.Body, m.UUID) }

// ReadMessage reads a message of the journal. Its memory is its own.
func ReadMessage(data []byte) (Message, error) {
	var m Message
	fs, err := value.Split(data, nil)
	if err == nil && len(fs) < 3 {
		err = fmt.Errorf("%d fields, 3 expected", len(fs))
	}
	if err == nil {
		m.Topic, err = fs[0].Text()
	}
	if err == nil {
		m.UUID, err = fs[2].Text()
	}
	if err != nil {
		return m, err
	}
	m.Body = slices.Clone(fs[1])
	return m, nil
}

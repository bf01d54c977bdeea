package mailbox

import (
	"fmt"
	"slices"
)

// The bounds of what waits in a mailbox; what is essential comes on top.
const (
	MaxMessages = 10_000
	MaxBytes    = 32 << 20 // of bodies, topics and UUIDs, and overhead for each message
)

// overhead is about what a message takes besides its own bytes.
const overhead = 128

// Box is a mailbox. The zero Box is an empty one.
type Box struct {
	waiting  []Message
	bytes    int
	commands int               // among those that wait
	last     uint64            // number given last
	seen     map[string]uint64 // UUID → number
}

// FullError says why a message has no room.
type FullError struct{ Messages, Bytes int }

// Error says what waits in the mailbox.
func (e *FullError) Error() string {
	return fmt.Sprintf("%d messages of %d bytes wait there, at most %d of %d are kept", e.Messages, e.Bytes, MaxMessages, MaxBytes)
}

func size(m *Message) int { return len(m.Body) + len(m.Topic) + len(m.UUID) + overhead }

// Check returns a *FullError if there is no room for a message.
func (b *Box) Check(m *Message) error {
	if m.Essential() || len(b.waiting) < MaxMessages && b.bytes+size(m) <= MaxBytes {
		return nil
	}
	return &FullError{len(b.waiting), b.bytes}
}

// Seen returns the number of the message that had a UUID first.
func (b *Box) Seen(uuid string) (number uint64, seen bool) {
	if uuid != "" {
		number, seen = b.seen[uuid]
	}
	return number, seen
}

// Number gives the next message its number.
func (b *Box) Number() uint64 {
	b.last++
	return b.last
}

// Note says that a message was there before: its number is not given again, and
// its UUID has been seen.
func (b *Box) Note(number uint64, uuid string) {
	b.last = max(b.last, number)
	if uuid == "" {
		return
	}
	if b.seen == nil {
		b.seen = map[string]uint64{}
	}
	b.seen[uuid] = number
}

// Put adds a message, which has its number.
func (b *Box) Put(m Message) {
	b.Note(m.Number, m.UUID)
	b.waiting = append(b.waiting, m)
	b.bytes += size(&m)
	if m.Word != "" {
		b.commands++
	}
}

// Drop removes messages by their numbers.
func (b *Box) Drop(numbers ...uint64) {
	gone := func(n uint64) bool { return slices.Contains(numbers, n) }
	if len(numbers) > 8 {
		set := make(map[uint64]bool, len(numbers))
		for _, n := range numbers {
			set[n] = true
		}
		gone = func(n uint64) bool { return set[n] }
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(m Message) bool {
		if !gone(m.Number) {
			return false
		}
		b.bytes -= size(&m)
		if m.Word != "" {
			b.commands--
		}
		return true
	})
	if len(b.waiting) == 0 {
		b.waiting = nil // what it had grown to is given back
	}
}

// Pick returns up to most messages of a topic, the first ones first. They stay.
func (b *Box) Pick(topic string, most int) []Message {
	var out []Message
	for i := range b.waiting {
		if b.waiting[i].Topic == topic && len(out) < most {
			out = append(out, b.waiting[i])
		}
	}
	return out
}

// All returns what waits. It belongs to the Box.
func (b *Box) All() []Message { return b.waiting }

// HasCommand reports whether a command of an operator waits.
func (b *Box) HasCommand() bool { return b.commands > 0 }

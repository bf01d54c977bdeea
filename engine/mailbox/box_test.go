package mailbox

import (
	"errors"
	"testing"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

func enc(t *testing.T, v any) value.Raw {
	t.Helper()
	r, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A mailbox is bounded in number and in bytes; commands are taken all the same,
// and what is taken out makes room.
func TestBoxIsBounded(t *testing.T) {
	t.Parallel()
	message := func(bytes int) *Message { return &Message{Topic: "x", Body: make(value.Raw, bytes)} }
	full := func(b *Box, m *Message) bool {
		var e *FullError
		err := b.Check(m)
		if err != nil && !errors.As(err, &e) {
			t.Error(err)
		}
		return err != nil
	}
	var many Box
	for range MaxMessages {
		if full(&many, message(1)) {
			t.Fatalf("%d messages fill it", len(many.All()))
		}
		m := *message(1)
		m.Number = many.Number()
		many.Put(m)
	}
	var big Box
	for range 3 {
		m := *message(10 << 20)
		m.Number = big.Number()
		big.Put(m)
	}
	for name, b := range map[string]*Box{"many": &many, "big": &big} {
		if !full(b, message(10<<20)) {
			t.Errorf("%s: there is room for more", name)
		}
		for _, m := range []*Message{{Topic: TopicCommand, Word: isa88.Stop, Body: make(value.Raw, 10<<20)}, {Topic: TopicEngine, Body: make(value.Raw, 10<<20)}} {
			if full(b, m) {
				t.Errorf("%s: %+v is not taken", name, m.Topic)
			}
		}
		var all []uint64
		for _, m := range b.Pick("x", 1<<30) {
			all = append(all, m.Number)
		}
		b.Drop(all...)
		if full(b, message(10<<20)) || len(b.All()) != 0 || b.bytes != 0 {
			t.Errorf("%s: %d messages of %d bytes are left", name, len(b.All()), b.bytes)
		}
	}
}

// Numbers grow, also across a restart; a UUID is known as long as the run.
func TestNumbersAndUUIDs(t *testing.T) {
	t.Parallel()
	var b Box
	b.Note(7, "before")
	first := Message{Number: b.Number(), Topic: "x", UUID: "u"}
	b.Put(first)
	b.Put(Message{Number: b.Number(), Topic: TopicCommand, Word: isa88.Hold})
	if first.Number != 8 || !b.HasCommand() {
		t.Errorf("number %d, a command waits: %v", first.Number, b.HasCommand())
	}
	b.Drop(8, 9)
	if b.HasCommand() || b.Number() != 10 {
		t.Error("the command still waits, or a number is given twice")
	}
	for uuid, want := range map[string]uint64{"before": 7, "u": 8, "other": 0, "": 0} {
		if got, seen := b.Seen(uuid); got != want || seen != (want > 0) {
			t.Errorf("%q has number %d, %v", uuid, got, seen)
		}
	}
}

// A message is the same after the journal, with the command that is in it.
func TestMessages(t *testing.T) {
	t.Parallel()
	accepted := time.UnixMilli(1700000000123)
	for _, c := range []struct {
		m       Message
		word    isa88.Command // of a message of the topic of commands
		command isa88.Command
	}{
		{Message{Topic: TopicCommand, Body: enc(t, value.NewMap("cmd", "HOLD", "actor", "ada", "reason", "lunch")), UUID: "u"}, isa88.Hold, isa88.Hold},
		{Message{Topic: "x", Body: enc(t, value.NewMap("cmd", "HOLD"))}, "", isa88.Hold},
		{Message{Topic: TopicCommand, Body: enc(t, value.NewMap("cmd", "DANCE"))}, "", ""},
		{Message{Topic: TopicCommand, Body: enc(t, "HOLD")}, "", ""},
		{Message{Topic: TopicCommand, Body: enc(t, value.NewMap("cmd", int64(1)))}, "", ""},
	} {
		got, err := Read(journal.Message{Number: 3, Time: accepted, Data: c.m.Encode()})
		if err != nil || got.Topic != c.m.Topic || string(got.Body) != string(c.m.Body) || got.UUID != c.m.UUID || got.Number != 3 || !got.At.Equal(accepted) {
			t.Errorf("%+v came back as %+v, %v", c.m, got, err)
		}
		word := got.Word
		if got.ParseWord(); word != c.word || got.Word != c.command {
			t.Errorf("%+v has word %q and command %q", c.m, word, got.Word)
		}
		if c.word != "" && (got.Actor != "ada" || got.Reason != "lunch") {
			t.Errorf("it is of %q, for %q", got.Actor, got.Reason)
		}
	}
	if m, err := Read(journal.Message{Number: 3, Data: []byte{0xff}}); err == nil {
		t.Errorf("damage was taken as %+v", m)
	}
}

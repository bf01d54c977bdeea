package record

import (
	"fmt"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Received says what a receive has come to:
// [call, topic, state, result, fates, messages].
type Received struct {
	Call   string // "recv" or "recvCommand"
	Topic  string
	State  string
	Result value.Raw
	Fates  []Fate  // of the commands among the messages
	Taken  []Taken // messages that left the mailbox

	callAt uint32 // Seq of the record that holds the call in full
}

// Fate is what became of an operator command:
// [message, word, taken, fate, state, actor, reason, given].
type Fate struct {
	Message uint64
	Command string
	Taken   bool
	Fate    string
	State   isa88.State

	Actor     string    // who gave it
	Reason    string    // why
	GivenAt   time.Time // when it was on disk, in milliseconds
	DecidedAt time.Time // when the record was made that has it
}

// Taken is a message that left the mailbox: [number, UUID].
type Taken struct {
	Number uint64
	UUID   string // "": it had none
}

// Received makes w the draft of a Received.
func (w *Writer) Received(r *Received) {
	w.begin(KindReceived)
	w.field(value.AppendString(w.b, r.Call))
	w.field(value.AppendString(w.b, r.Topic))
	w.field(value.AppendString(w.b, r.State))
	w.field(appendRaw(w.b, r.Result))
	w.field(appendFates(w.b, r.Fates))
	w.field(appendTaken(w.b, r.Taken))
	w.end()
}

// Received reads a Received. An error is one of the record.
func (rd *Reader) Received(rec *journal.Record) (Received, error) {
	o, err := rd.open(rec, KindReceived)
	if err != nil {
		return Received{}, err
	}
	out := Received{Result: o.fs[3], callAt: o.callAt}
	for i, into := range []*string{&out.Call, &out.Topic, &out.State} {
		if *into, err = rd.name(o.fs[i]); err != nil {
			return out, unreadable(rec, err)
		}
	}
	if out.Fates, err = fatesOf(rec, o.fs[4]); err != nil {
		return out, unreadable(rec, fmt.Errorf("its fates: %w", err))
	}
	if out.Taken, err = takenOf(o.fs[5]); err != nil {
		return out, unreadable(rec, fmt.Errorf("its messages: %w", err))
	}
	return out, nil
}

// MessagesOf returns what a Received tells of messages, which it never leaves to
// an earlier record. An error is one of the record.
func MessagesOf(rec *journal.Record) (fates []Fate, taken []Taken, err error) {
	var room [8]value.Raw
	fs, err := value.Split(rec.Data, room[:0])
	if err == nil && len(fs) > 4 {
		fates, err = fatesOf(rec, fs[4])
	}
	if err == nil && len(fs) > 5 {
		taken, err = takenOf(fs[5])
	}
	if err != nil {
		return nil, nil, unreadable(rec, err)
	}
	return fates, taken, nil
}

// ReplayedReceived takes up a Received that the program has come to again.
func (w *Writer) ReplayedReceived(r *Received) {
	w.b = value.AppendString(w.b[:0], r.Call)
	w.b = value.AppendString(w.b, r.Topic)
	w.b = value.AppendString(w.b, r.State)
	w.replayed(KindReceived, r.callAt)
}

// appendFates appends a list of fates, nil of none.
func appendFates(b []byte, fates []Fate) []byte {
	if len(fates) == 0 {
		return value.AppendNil(b)
	}
	b = value.AppendHead(b, value.MajorArray, uint64(len(fates)))
	for _, f := range fates {
		b = appendFate(b, f)
	}
	return b
}

func appendFate(b []byte, f Fate) []byte {
	return fields(b, f.Message, f.Command, f.Taken, f.Fate, string(f.State), f.Actor, f.Reason, f.GivenAt.UnixMilli())
}

func fatesOf(rec *journal.Record, r value.Raw) ([]Fate, error) {
	if r.IsNil() {
		return nil, nil
	}
	l, err := listOf(r, 0)
	if err != nil {
		return nil, err
	}
	out := make([]Fate, 0, len(l))
	for _, e := range l {
		fs, ok := e.([]any)
		if !ok || len(fs) < 5 {
			return nil, fmt.Errorf("a fate is %s", value.Short(e, 60))
		}
		f := fateOf(rec, fs)
		f.Actor, f.Reason, f.GivenAt = textAt(fs, 5), textAt(fs, 6), momentAt(fs, 7)
		out = append(out, f)
	}
	return out, nil
}

// fateOf makes a Fate of its first five fields.
func fateOf(rec *journal.Record, fs []any) Fate {
	f := Fate{Message: uint64(intAt(fs, 0)), Command: textAt(fs, 1), Fate: textAt(fs, 3), State: isa88.State(textAt(fs, 4)), DecidedAt: rec.Time.UTC()}
	f.Taken, _ = fs[2].(bool)
	return f
}

func appendTaken(b []byte, taken []Taken) []byte {
	if len(taken) == 0 {
		return value.AppendNil(b)
	}
	b = value.AppendHead(b, value.MajorArray, uint64(len(taken)))
	for _, t := range taken {
		b = fields(b, t.Number, t.UUID)
	}
	return b
}

func takenOf(r value.Raw) ([]Taken, error) {
	if r.IsNil() {
		return nil, nil
	}
	l, err := listOf(r, 0)
	if err != nil {
		return nil, err
	}
	out := make([]Taken, 0, len(l))
	for _, e := range l {
		fs, ok := e.([]any)
		if !ok || len(fs) < 2 {
			return nil, fmt.Errorf("a message is %s", value.Short(e, 60))
		}
		out = append(out, Taken{Number: uint64(intAt(fs, 0)), UUID: textAt(fs, 1)})
	}
	return out, nil
}

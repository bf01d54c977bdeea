package record

import (
	"errors"
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Note is what the engine has noted about a run: one of Started, Recovered,
// Held, Lost, Asked, SafeState, Settled, Command, Resolved and Stale. Its record is [what, …].
type Note interface{ fields() []any }

type (
	// Started says that the run's turn has come for the first time: ["started"].
	Started struct{}

	// Recovered says that the run goes on after an interruption: ["recovered"].
	Recovered struct{}

	// Held says that the engine holds the run: ["held", why].
	Held struct{ Why string }

	// Lost says that the journal may have lost a part of the record: ["lost", what].
	Lost struct{ What string }

	// Command is a command that the engine has decided on:
	// ["command", message, word, taken, fate, state, actor, reason, UUID, given].
	Command struct {
		Fate
		UUID string // of the message; "": it had none
	}

	// Resolved is an operator's answer to a run in doubt:
	// ["resolved", message, decision, actor, given].
	Resolved struct {
		Message  uint64
		Decision string
		Actor    string
		GivenAt  time.Time // when it was on disk, in milliseconds
	}

	// Asked is a question that was put to the operator about a step that no
	// restart has interrupted: ["asked", place, tag, target, before, now, why].
	Asked struct {
		Place               uint32 // Seq of the step in its branch
		Tag                 string
		Target, Before, Now value.Raw
		Why                 string
	}

	// SafeState says what became of the safe state of a run whose record could not be
	// replayed: ["safe", end, lines].
	SafeState struct {
		End   uint32 // first free Seq of the main branch then
		Lines []SafeLine
	}

	// Settled says what became of a line that was owed: ["settled", tag, written, detail].
	Settled struct {
		Tag    string
		OK     bool
		Detail string
	}

	// Stale is an operator's answer that evidence has overtaken:
	// ["stale", message, decision, actor, given].
	Stale Resolved
)

// SafeLine is a line of a safe state: [tag, value, written, detail].
type SafeLine struct {
	Tag    string
	Value  value.Raw
	OK     bool
	Detail string
}

func (n Asked) fields() []any {
	return []any{"asked", n.Place, n.Tag, n.Target, n.Before, n.Now, n.Why}
}

func (n Settled) fields() []any { return []any{"settled", n.Tag, n.OK, n.Detail} }

func (n SafeState) fields() []any {
	lines := make([]any, 0, len(n.Lines))
	for _, l := range n.Lines {
		lines = append(lines, []any{l.Tag, l.Value, l.OK, l.Detail})
	}
	return []any{"safe", n.End, lines}
}

func (Started) fields() []any   { return []any{"started"} }
func (Recovered) fields() []any { return []any{"recovered"} }
func (n Held) fields() []any    { return []any{"held", n.Why} }
func (n Lost) fields() []any    { return []any{"lost", n.What} }

func (n Command) fields() []any {
	return []any{"command", n.Message, n.Command, n.Taken, n.Fate.Fate, string(n.State), n.Actor, n.Reason, n.UUID, n.GivenAt.UnixMilli()}
}

func (n Resolved) fields() []any {
	return []any{"resolved", n.Message, n.Decision, n.Actor, n.GivenAt.UnixMilli()}
}

func (n Stale) fields() []any {
	return []any{"stale", n.Message, n.Decision, n.Actor, n.GivenAt.UnixMilli()}
}

// EncodeNote returns the data of a KindNote.
func EncodeNote(n Note) []byte { return fields(nil, n.fields()...) }

// ReadNote reads a KindNote; nil of one that this version does not know. An
// error is one of the record.
func ReadNote(rec *journal.Record) (Note, error) {
	l, err := listOf(rec.Data, 1)
	if err != nil {
		return nil, fmt.Errorf("note %d cannot be read: %w", PlaceOf(rec.Seq).Seq, err)
	}
	switch l[0] {
	case "started":
		return Started{}, nil
	case "recovered":
		return Recovered{}, nil
	case "held":
		return Held{textAt(l, 1)}, nil
	case "lost":
		return Lost{textAt(l, 1)}, nil
	case "stale":
		return Stale{uint64(intAt(l, 1)), textAt(l, 2), textAt(l, 3), momentAt(l, 4)}, nil
	case "resolved":
		return Resolved{uint64(intAt(l, 1)), textAt(l, 2), textAt(l, 3), momentAt(l, 4)}, nil
	case "asked":
		return Asked{uint32(intAt(l, 1)), textAt(l, 2), rawAt(l, 3), rawAt(l, 4), rawAt(l, 5), textAt(l, 6)}, nil
	case "settled":
		n := Settled{Tag: textAt(l, 1), Detail: textAt(l, 3)}
		n.OK = boolAt(l, 2)
		return n, nil
	case "safe":
		return safeOf(l), nil
	case "command":
		if len(l) < 6 {
			return nil, fmt.Errorf("note %d cannot be read: %w", PlaceOf(rec.Seq).Seq, errors.New("it tells of a command and lacks its fate"))
		}
		f := fateOf(rec, l[1:6])
		f.Actor, f.Reason, f.GivenAt = textAt(l, 6), textAt(l, 7), momentAt(l, 9)
		return Command{Fate: f, UUID: textAt(l, 8)}, nil
	}
	return nil, nil
}

func safeOf(l []any) SafeState {
	n := SafeState{End: uint32(intAt(l, 1))}
	if len(l) < 3 {
		return n
	}
	lines, _ := l[2].([]any)
	for _, line := range lines {
		if f, ok := line.([]any); ok {
			n.Lines = append(n.Lines, SafeLine{textAt(f, 0), rawAt(f, 1), boolAt(f, 2), textAt(f, 3)})
		}
	}
	return n
}

// Completed says that the program has ended, and that the safe state is next:
// [status, state, error, result, begin of the safe state in its branch].
type Completed struct {
	Status string
	State  string
	Error  *RunFailure // nil of a run that has not failed
	Result value.Raw
	SafeAt uint32 // Seq on the branch Safe
}

// RunFailure is how a run has failed: [type, message, step, traceback].
type RunFailure struct {
	Type      string
	Message   string
	Step      string
	Traceback string
}

// Append appends the record's data to b.
func (c *Completed) Append(b []byte) []byte {
	var failure any
	if e := c.Error; e != nil {
		failure = []any{e.Type, e.Message, e.Step, e.Traceback}
	}
	return fields(b, c.Status, c.State, failure, c.Result, c.SafeAt)
}

// ReadCompleted reads a Completed. An error is one of the record.
func ReadCompleted(rec *journal.Record) (Completed, error) {
	fs, err := value.Split(rec.Data, nil)
	if err == nil && len(fs) < 5 {
		err = fmt.Errorf("%d fields, 5 expected", len(fs))
	}
	if err != nil {
		return Completed{}, unreadable(rec, err)
	}
	c := Completed{Result: fs[3]}
	if c.Status, err = fs[0].Text(); err != nil {
		return c, unreadable(rec, err)
	}
	if c.State, err = fs[1].Text(); err != nil {
		return c, unreadable(rec, err)
	}
	if !fs[2].IsNil() {
		l, err := listOf(fs[2], 4)
		if err != nil {
			return c, unreadable(rec, err)
		}
		c.Error = &RunFailure{textAt(l, 0), textAt(l, 1), textAt(l, 2), textAt(l, 3)}
	}
	at, err := intOf(fs[4])
	if err != nil {
		return c, unreadable(rec, err)
	}
	c.SafeAt = uint32(at)
	return c, nil
}

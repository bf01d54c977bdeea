package engine

import (
	"context"

	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/journal"
)

// messagesSeen returns the number of the message with a UUID that an ended run
// has had. What cannot be read was not seen.
func (e *Engine) messagesSeen(ctx context.Context, run uint64, uuid string) (num uint64, seen bool, err error) {
	note := func(n uint64, id string) {
		if id == uuid {
			num, seen = n, true
		}
	}
	err = e.journal.Messages(ctx, run, 0, func(jm journal.Message) bool {
		if m, err := mailbox.Read(jm); err == nil {
			note(m.Number, m.UUID)
		}
		return !seen
	})
	if err != nil || seen {
		return num, seen, err
	}
	err = e.journal.Records(ctx, run, 0, func(rec journal.Record) bool {
		switch rec.Kind {
		case record.KindReceived:
			_, taken, _ := record.MessagesOf(&rec)
			for _, m := range taken {
				note(m.Number, m.UUID)
			}
		case record.KindNote:
			if n, err := record.ReadNote(&rec); err == nil {
				if c, ok := n.(record.Command); ok {
					note(c.Message, c.UUID)
				}
			}
		}
		return !seen
	})
	return num, seen, err
}

// fatesIn returns the fates of commands that a record tells of.
func fatesIn(rec *journal.Record) []record.Fate {
	switch rec.Kind {
	case record.KindReceived:
		fates, _, _ := record.MessagesOf(rec)
		return fates
	case record.KindNote:
		if n, err := record.ReadNote(rec); err == nil {
			if c, ok := n.(record.Command); ok {
				return []record.Fate{c.Fate}
			}
		}
	}
	return nil
}

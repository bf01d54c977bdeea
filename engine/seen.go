package engine

import (
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/journal"
)

// messagesSeen returns the UUIDs of the messages that an ended run has had,
// with their numbers. What cannot be read was not seen.
func messagesSeen(run *journal.Run) map[string]uint64 {
	var box mailbox.Box
	for _, jm := range run.Inbox {
		if m, err := mailbox.Read(jm); err == nil {
			box.Note(m.Number, m.UUID)
		}
	}
	for i := range run.Records {
		switch rec := &run.Records[i]; rec.Kind {
		case record.KindReceived:
			_, taken, _ := record.MessagesOf(rec)
			for _, m := range taken {
				box.Note(m.Number, m.UUID)
			}
		case record.KindNote:
			if n, err := record.ReadNote(rec); err == nil {
				if c, ok := n.(record.Command); ok {
					box.Note(c.Message, c.UUID)
				}
			}
		}
	}
	return box.SeenAll()
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

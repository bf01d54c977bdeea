package engine

import (
	"holdfast/engine/record"
	"holdfast/journal"
)

// noteMessage takes up a message that came before a restart: its number is not
// given again, and its UUID has been seen.
func (r *Run) noteMessage(num uint64, uuid string) {
	r.lastMessage = max(r.lastMessage, num)
	if uuid != "" {
		r.seen[uuid] = num
	}
}

// messagesSeen returns the UUIDs of the messages that an ended run has had,
// with their numbers. What cannot be read was not seen.
func messagesSeen(run *journal.Run) map[string]uint64 {
	r := &Run{seen: map[string]uint64{}}
	for _, jm := range run.Inbox {
		if m, err := decodeMessage(jm); err == nil {
			r.noteMessage(m.num, m.uuid)
		}
	}
	for i := range run.Records {
		switch rec := &run.Records[i]; rec.Kind {
		case record.KindReceived:
			_, taken, _ := record.MessagesOf(rec)
			for _, m := range taken {
				r.noteMessage(m.Number, m.UUID)
			}
		case record.KindNote:
			if n, err := record.ReadNote(rec); err == nil {
				if c, ok := n.(record.Command); ok {
					r.noteMessage(c.Message, c.UUID)
				}
			}
		}
	}
	return r.seen
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

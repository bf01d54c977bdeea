package engine

import (
	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
)

// hear notes whether the program has taken a STOP, and no RESET since.
func (r *Run) hear(topic string, fates []record.Fate) {
	if topic != mailbox.TopicCommand {
		return
	}
	for _, f := range fates {
		switch {
		case !f.Taken:
		case f.Command == string(isa88.Stop):
			r.tookStop = true
		case f.Command == string(isa88.Reset):
			r.tookStop = false
		}
	}
}

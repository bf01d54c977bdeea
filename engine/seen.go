package engine

import (
	"holdfast/engine/value"
	"holdfast/journal"
)

// noteMessage takes up a message that came before a restart: its number is not given again,
// and its UUID has been seen.
func (r *Run) noteMessage(num uint64, uuid string) {
	r.lastMessage = max(r.lastMessage, num)
	if uuid != "" {
		r.seen[uuid] = num
	}
}

// messagesSeen returns the UUIDs of the messages that an ended run has had, with
// their numbers.
func messagesSeen(run *journal.Run) map[string]uint64 {
	r := &Run{seen: map[string]uint64{}}
	for _, jm := range run.Inbox {
		if m, err := decodeMessage(jm); err == nil {
			r.noteMessage(m.num, m.uuid)
		}
	}
	for i := range run.Records {
		rec := &run.Records[i]
		fs, err := value.Split(rec.Data, nil)
		switch {
		case err != nil: // what cannot be read was not seen
		case rec.Kind == kindReceived && len(fs) > 5:
			eachTaken(fs[5], r.noteMessage)
		case rec.Kind == kindNote && len(fs) > 8 && isText(fs[0], "command"):
			if uuid, err := fs[8].Text(); err == nil {
				r.noteMessage(uint64(number(fs[1])), uuid)
			}
		}
	}
	return r.seen
}

// eachTaken calls f with number and UUID of each message that a receive took.
func eachTaken(list value.Raw, f func(num uint64, uuid string)) {
	v, err := value.Decode(list)
	l, ok := v.([]any)
	if err != nil || !ok {
		return
	}
	for _, e := range l {
		pair, ok := e.([]any)
		if !ok || len(pair) < 2 {
			continue
		}
		num, _ := pair[0].(int64)
		uuid, _ := pair[1].(string)
		f(uint64(num), uuid)
	}
}

package engine

import (
	"context"

	"holdfast/engine/value"
	"holdfast/journal"
)

// had takes up a message of the life before: its number is not given again,
// and its UUID has been seen.
func (r *Run) had(num uint64, uuid string) {
	r.lastMsg = max(r.lastMsg, num)
	if uuid != "" {
		r.seen[uuid] = num
	}
}

// seenIn returns the number of the message with a UUID that an ended run has had.
func (e *Engine) seenIn(ctx context.Context, run uint64, uuid string) (num uint64, seen bool, err error) {
	had := func(n uint64, id string) {
		if id == uuid {
			num, seen = n, true
		}
	}
	err = e.journal.Messages(ctx, run, 0, func(jm journal.Message) bool {
		if m, err := decodeMessage(jm); err == nil {
			had(m.num, m.uuid)
		}
		return !seen
	})
	if err != nil || seen {
		return num, seen, err
	}
	err = e.journal.Records(ctx, run, 0, func(rec journal.Record) bool {
		fs, err := value.Split(rec.Data, nil)
		switch {
		case err != nil: // what cannot be read was not seen
		case rec.Kind == kindReceived && len(fs) > 5:
			came(fs[5], had)
		case rec.Kind == kindNote && len(fs) > 8 && isText(fs[0], "command"):
			if id, err := fs[8].Text(); err == nil {
				had(uint64(number(fs[1])), id)
			}
		}
		return !seen
	})
	return num, seen, err
}

// came calls f with number and UUID of each message that a receive took.
func came(list value.Raw, f func(num uint64, uuid string)) {
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

package journal

import (
	"errors"
	"time"
)

// keepEvery is how often the history is looked after when nothing calls for it.
const keepEvery = time.Minute

// scrubEvery is how often the history is read through while it is open: damage
// that leads a search astray shows in no other way.
const scrubEvery = 24 * time.Hour

// keeper looks after the history. It belongs to the mover's goroutine.
type keeper struct {
	m       *mover
	reading *reading // the history is being read through, or was; nil: it is not
	more    bool     // look has not come to an end

	scrubbed  time.Time // when it was read through last
	collected int64     // runs deleted when scripts were collected last, and one
	calm      time.Time // the history is not read through again before

	pause time.Duration // after a compaction that failed
	after time.Time     // no further one before
}

func (k *keeper) every() time.Duration { return orDefault(k.m.j.opts.tests.keepEvery, keepEvery) }

// busy reports whether there is work that should go on at once.
func (k *keeper) busy() bool { return k.more }

func (k *keeper) close() {
	if k.reading != nil {
		k.reading.close()
	}
	k.m.j.history.write.Lock()
	defer k.m.j.history.write.Unlock()
	k.drop()
}

// inUse reports whether the history is being read through.
func (k *keeper) inUse() bool {
	if k.reading == nil {
		return false
	}
	select {
	case <-k.reading.done:
		return false
	default:
		return true
	}
}

// postpone makes the next compaction wait, the longer the more have failed.
func (k *keeper) postpone() {
	k.pause = min(max(2*k.pause, time.Minute), time.Hour)
	k.after = time.Now().Add(k.pause)
}

// look does what is due beside moving runs, a slice of it.
func (k *keeper) look() (err error) {
	j := k.m.j
	if now := time.Now(); k.scrubbed.IsZero() && !j.unread {
		k.scrubbed = now // Open has read it
	} else if j.unread || now.Sub(k.scrubbed) >= scrubEvery && j.history.copying == nil {
		j.unread, k.scrubbed = false, now
		k.reading = startReading(k.m)
	}
	k.more = false
	if k.more, err = k.retain(); err != nil || k.more {
		return err
	}
	if n := j.stats.deleted.Load() + 1; n != k.collected { // at the start, and when runs are gone
		if err := k.collect(); errors.Is(err, errDamaged) {
			j.log.Warn("scripts that no run needs are kept", "error", err)
		} else if err != nil {
			return err
		}
		k.collected = n
	}
	if time.Now().Before(k.after) {
		return nil
	}
	k.more, err = k.compact()
	return err
}

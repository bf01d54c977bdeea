package journal

import (
	"fmt"
	"slices"

	"holdfast/journal/wal"
)

// replay takes from the log what the live file does not have, and judges
// whether something is missing: a torn last frame is what a power cut leaves,
// and was never acknowledged; anything else is a loss, and puts every live run
// in doubt, because nobody can tell which one it concerns.
func (j *Journal) replay(m marker, found *wal.Found) error {
	has := j.logged.metas[0]
	value, err := j.history.Get([]byte(keySequence))
	if err != nil {
		return err
	}
	payload, serial, err := unseal([]byte(keySequence), value)
	var historySaw uint64
	if err == nil {
		historySaw, err = sequenceOf(payload)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", historyName, err)
	}
	j.history.serial = serial

	top := max(has, topOf(found))
	lost := append(slices.Clone(j.opts.lost), j.losses(m, found, has, historySaw)...)
	for _, f := range found.Frames {
		if f.Seq <= has {
			continue
		}
		if err := j.logged.replay(f.Body); err != nil {
			lost = append(lost, fmt.Sprintf("frame %d of the log cannot be read", f.Seq))
		}
	}
	if found.Torn != 0 {
		j.log.Info("the log ends with a frame that was not written whole, and not acknowledged", "frame", found.Torn)
	}
	j.serial = max(top, m.seq, historySaw)
	if err := j.checkHistory(serial); err != nil {
		return err
	}
	if len(lost) == 0 {
		return nil
	}
	return j.markLost(lost)
}

func topOf(found *wal.Found) uint64 {
	if n := len(found.Frames); n > 0 {
		return found.Frames[n-1].Seq
	}
	return 0
}

// losses says, in words, what is missing between the files: the live file has
// frames up to has, the history was written when the log was at historySaw.
func (j *Journal) losses(m marker, found *wal.Found, has, historySaw uint64) (lost []string) {
	top := topOf(found)
	// After an orderly close the live file has everything, and the log is not needed.
	orderly := m.closed() && m.seq == has && top <= has
	for _, fault := range found.Faults {
		j.report.say("%s", fault)
	}
	for _, name := range found.Missing {
		if m.state == stateNew {
			continue
		}
		j.report.say("%s is missing; it was made anew", name)
		if !orderly {
			lost = append(lost, fmt.Sprintf("what was in %s", name))
		}
	}
	for _, name := range found.Cut {
		if !orderly {
			lost = append(lost, fmt.Sprintf("a part of %s", name))
		}
	}
	if !orderly && m.state != stateNew {
		if top < has {
			lost = append(lost, fmt.Sprintf("the log ends at frame %d, and %s has frame %d: the log is an older one", top, liveName, has))
		}
		next := has + 1
		for _, f := range found.Frames {
			if f.Seq > next {
				lost = append(lost, fmt.Sprintf("frames %d to %d of the log, which %s does not have", next, f.Seq-1, liveName))
			}
			if f.Seq >= next {
				next = f.Seq + 1
			}
		}
	}
	top = max(top, has)
	if m.seq > top {
		lost = append(lost, fmt.Sprintf("the journal had come to frame %d, and %s and the log end at %d: they are older ones", m.seq, liveName, top))
	}
	if historySaw > top {
		lost = append(lost, fmt.Sprintf("%s was written at frame %d, and %s and the log end at %d: they are older ones", historyName, historySaw, liveName, top))
	}
	return lost
}

// checkHistory compares the history with what the live file says of it.
func (j *Journal) checkHistory(serial uint64) error {
	payload, err := get(j.live, []byte(keyHistory))
	if err != nil || len(payload) < 8 {
		return err
	}
	if want := readUint64(payload); want > serial {
		j.history.base += want - serial
		j.report.say("%s is an older one (commit %d, was %d): runs that ended since then are lost from it", historyName, serial, want)
	}
	return nil
}

// markLost puts every live run in doubt, and makes what is there fit together.
func (j *Journal) markLost(lost []string) error {
	for _, what := range lost {
		j.report.say("lost: %s", what)
	}
	s := &salvaged{
		in:    &inspection{lost: []span{{}}, highest: j.serial},
		store: absorbing{j.logged},
		why:   "what it did last may be lost: " + lost[0],
	}
	if err := j.mendRuns(s, j.history); err != nil {
		return err
	}
	j.serial = s.in.highest
	// Straight into the file: the log is as it was found until that is done, and
	// tells of the loss again if the power goes.
	if err := j.logged.absorb(j.serial); err != nil && !noRoom(err) {
		return err
	}
	return nil
}

// absorbing is a logStore that has not begun to work. What is committed goes
// down with what was replayed.
type absorbing struct{ *logStore }

func (s absorbing) Commit(ops []op) error {
	for _, o := range ops {
		s.filling.apply(o)
	}
	return nil
}

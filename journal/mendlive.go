package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// liveRun is what the entries of one run look like after salvage.
type liveRun struct {
	run           uint64
	id            string
	header, ended bool
	keys          [][]byte
	old           bool // some entries may be older than what was committed last
}

// mendLive makes what was salvaged of the live file fit together: it drops what
// belongs to runs that have moved to the history, or whose header is lost,
// makes the ids anew, and marks each run that may have lost entries.
func (j *Journal) mendLive(s *salvaged) error {
	if err := j.readHistory(); err != nil { // what it says now must be true
		return err
	}
	history, err := openHistory(j.path(historyName), nil)
	if err != nil {
		return err
	}
	err = j.mendRuns(s, history)
	return errors.Join(err, history.Close())
}

func (j *Journal) mendRuns(s *salvaged, history *history) error {
	runs, ids, err := s.liveRuns()
	if err != nil {
		return err
	}
	var e encoder
	var top uint64
	for _, r := range runs {
		top = max(top, r.run)
		value, err := history.Get(endedKey(r.run))
		if err != nil {
			return err
		}
		moved := value != nil
		id, indexed := ids[r.run]
		delete(ids, r.run)
		switch {
		case moved && r.ended, moved && !r.header:
			continue // left over from a move; the mover goes on with it
		case moved, !r.header:
			// Entries of a run that came back from free pages, or cannot be
			// used for want of a header.
			for _, key := range r.keys {
				e.removeRaw(key)
			}
			if indexed {
				e.removeRaw(appendID(nil, id))
			}
			if !moved {
				j.lostRun(Damage{Run: r.run, ID: id, Lost: true, What: "its header is lost"})
			}
			continue
		}
		if !indexed || id != r.id {
			e.putRaw(appendID(nil, r.id), binary.BigEndian.AppendUint64(nil, r.run))
		}
		what := ""
		switch {
		case s.meets(runKey(tableRun, r.run)):
			what = "it may have lost records"
		case r.old:
			what = "its newest records may be missing"
		}
		if what != "" && s.why != "" {
			what = s.why
		}
		switch {
		case what == "":
		case r.ended:
			j.lostRun(Damage{Run: r.run, ID: r.id, Ended: true, What: what})
		default:
			e.putRaw(appendPart(nil, r.run, partDamage), []byte(what))
		}
	}
	for run, id := range ids {
		top = max(top, run)
		value, err := history.Get(endedKey(run))
		if err != nil {
			return err
		}
		if value == nil {
			j.lostRun(Damage{Run: run, ID: id, Lost: true, What: "nothing is left of it but its id"})
		}
		e.removeRaw(appendID(nil, id))
	}
	j.sayLost(s)
	if len(s.in.lost) > 0 || s.in.behind {
		if top, err = s.topRun(history, top); err != nil {
			return err
		}
		e.putRaw([]byte(keyFloor), binary.BigEndian.AppendUint64(nil, top+runSkip))
	}
	return s.put(&e)
}

// sayLost says what cannot be told by run.
func (j *Journal) sayLost(s *salvaged) {
	if s.in.behind {
		j.report.say("the newest commit of %s may be lost", liveName)
	}
	if s.meets([]byte{tableRun}) && s.meets([]byte{tableID}) {
		j.report.say("runs may be lost without trace")
	}
	if s.meets([]byte{tableScript}) {
		j.report.say("scripts may be lost: a run whose script is missing cannot go on")
	}
}

// topRun returns a number that no run was above, as far as can be seen.
func (s *salvaged) topRun(history *history, top uint64) (uint64, error) {
	floor, err := get(s.store, []byte(keyFloor))
	if err == nil && len(floor) == 8 {
		top = max(top, binary.BigEndian.Uint64(floor))
	}
	if err != nil {
		return 0, err
	}
	return max(top, history.top), nil
}

// liveRuns lists the runs of the new file, by number, and the ids.
func (s *salvaged) liveRuns() (runs []*liveRun, ids map[uint64]string, err error) {
	ids = make(map[uint64]string)
	var bad error
	err = s.store.Scan(nil, nil, func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		if err != nil {
			bad = fmt.Errorf("%s: %w", describe(key), err)
			return false
		}
		if key[0] == tableID {
			if len(payload) == 8 {
				ids[binary.BigEndian.Uint64(payload)] = string(key[1:])
			}
			return true
		}
		run, part, ok := splitRunKey(key)
		if !ok {
			return true
		}
		if len(runs) == 0 || runs[len(runs)-1].run != run {
			runs = append(runs, &liveRun{run: run})
		}
		r := runs[len(runs)-1]
		r.keys = append(r.keys, clone(key))
		if _, old := s.old[string(key)]; old {
			r.old = true
		}
		switch part {
		case partHeader:
			h, err := decodeHeader(run, payload)
			r.header, r.id, bad = true, h.ID, err
		case partEnd:
			r.ended = true
		}
		return bad == nil
	})
	return runs, ids, errors.Join(err, bad)
}

// lostRun puts a run into the report.
func (j *Journal) lostRun(d Damage) {
	j.report.Damaged = append(j.report.Damaged, d)
	name := fmt.Sprintf("run %d", d.Run)
	if d.ID != "" {
		name = fmt.Sprintf("run %d (%s)", d.Run, d.ID)
	}
	state := ""
	if d.Ended {
		state = ", which has ended"
	}
	j.report.say("%s%s: %s", name, state, d.What)
}

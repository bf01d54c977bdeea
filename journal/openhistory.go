package journal

import (
	"errors"
	"fmt"
	"time"
)

// openHistory opens the history. When it was looked at quickly only, and turns
// out to be damaged where it matters now, it is read through and mended first:
// damage there never keeps a journal from opening.
func (j *Journal) openHistory() (err error) {
	var wrap func(store) store
	if j.opts.wrap != nil {
		wrap = func(s store) store { return j.opts.wrap(historyName, s) }
	}
	j.history, err = openHistory(j.path(historyName), wrap)
	if err != nil && j.unread && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrLocked) {
		if merr := j.readHistory(); merr != nil {
			return errors.Join(err, merr)
		}
		j.history, err = openHistory(j.path(historyName), wrap)
	}
	if err == nil {
		j.history.doubt = j.mover.kick
		j.history.read.Store(!j.unread)
	}
	return err
}

// readHistory reads the history through, and mends it where it is damaged.
func (j *Journal) readHistory() error {
	if !j.unread {
		return nil
	}
	in, err := inspectFile(j.path(historyName), nil)
	if err != nil {
		return err
	}
	if in.format != 0 && in.format != formatVersion {
		return otherFormat(historyName, int(in.format))
	}
	j.unread = false
	if len(in.faults) == 0 {
		return nil
	}
	if err := j.salvage(historyName, roleHistory, j.id, in, nil, j.mendHistory); err != nil {
		return fmt.Errorf("cannot mend %s: %w", historyName, err)
	}
	return nil
}

// historyTests are options for tests.
type historyTests struct {
	step      func(what string) error // called before an operation on a file; an error is that of the operation
	keepEvery time.Duration           // else a minute
	large     int64                   // from how many bytes on a history is looked at quickly; else readThrough
	compactAt int64                   // else compactFrom
	page      int                     // else pageEntries
}

func (o *historyTests) compactFrom() int64 {
	if o.compactAt > 0 {
		return o.compactAt
	}
	return compactFrom
}

// at is called before an operation on a file.
func (j *Journal) at(what string) error {
	if j.opts.tests.step == nil {
		return nil
	}
	return j.opts.tests.step(what)
}

// quickFrom is how many pages of history are read through at each open.
func (j *Journal) quickFrom() uint64 {
	if j.opts.tests.large > 0 {
		return uint64(j.opts.tests.large / pageSize)
	}
	return readThrough / pageSize
}

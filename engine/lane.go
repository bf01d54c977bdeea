package engine

import (
	"context"
	"errors"
	"time"

	"holdfast/engine/record"
	"holdfast/journal"
)

// lane is a branch of a run's record at work: what of it is still to be
// replayed, the next place, and the last record, which may still grow. A run
// has one for its program, and one while it writes its safe state. It is used
// by the run's goroutine only.
type lane struct {
	run   *Run
	ctx   context.Context // ends what is done on the lane; its cause says why
	fatal error           // the first fatal error; every later call returns it

	replay cursor
	next   record.Place
	writer record.Writer
	tail   tail
	where  func() string // the line that the program is at; nil: nobody knows
	inner  int           // steps called in the body of the user step at work
	inBody bool          // the body of a user step is at work
	behind uint32        // the place behind all that was told in bodies

	buf     []byte
	args    []byte // of the call at work, without defaults
	scratch [1]journal.Record
	counts  [1]journal.Count
}

// isSafe reports whether the lane makes the plant safe: its records are
// essential, and it is not for an operator to hold.
func (l *lane) isSafe() bool { return l.next.Branch == record.Safe }

// setFatal keeps the first fatal error.
func (l *lane) setFatal(err error) error {
	if l.fatal == nil {
		l.fatal = err
	}
	return l.fatal
}

// ended returns the fatal error of a context that has ended.
func (l *lane) ended() error {
	if l.fatal == nil && l.ctx.Err() != nil {
		l.fatal = context.Cause(l.ctx)
	}
	return l.fatal
}

// boundary is where a live run looks up between two steps: for a cancel, and
// for the commands that the engine handles.
func (l *lane) boundary() error {
	if err := l.ended(); err != nil || l.isSafe() {
		return err
	}
	l.run.catchUp()
	if !l.run.isHeld() && !l.run.called() {
		return nil
	}
	return l.run.handleCommands()
}

// entry is the record of a place in the lane, for one change: it is valid until
// the next. The error is fatal.
func (l *lane) entry(at record.Place, kind journal.Kind, when time.Time, data []byte) ([]journal.Record, error) {
	number, err := at.Number()
	if err != nil {
		return nil, l.setFatal(&recordError{err})
	}
	l.scratch[0] = journal.Record{Seq: number, Kind: kind, Time: when, Data: data}
	return l.scratch[:], nil
}

// append adds to the journal; the tail goes first if it has grown.
func (l *lane) append(c journal.Change, u journal.Urgency) error {
	c.Run, c.Essential = l.run.num, c.Essential || l.isSafe()
	return l.retryWhenRoom(c.Essential, func() error {
		if err := l.writeTail(c.Essential); err != nil {
			return err
		}
		return l.run.log.Append(c, u)
	})
}

// commit adds to the journal, and returns when that and all before it is on disk.
func (l *lane) commit(c journal.Change) error {
	return l.retryWhenRoom(c.Essential, func() error { return l.tryCommit(c) })
}

// tryCommit is commit without waiting for room.
func (l *lane) tryCommit(c journal.Change) error {
	if err := l.writeTail(c.Essential); err != nil {
		return err
	}
	c.Run = l.run.num
	return l.run.log.Commit(c)
}

// appendNext appends what stands at the next place.
func (l *lane) appendNext(c journal.Change, u journal.Urgency) error {
	if err := l.append(c, u); err != nil {
		return err
	}
	l.tail.live = false
	l.moveOn(l.next)
	return nil
}

// moveOn makes the place behind one that has been used the next.
func (l *lane) moveOn(used record.Place) {
	l.next = used.Next()
	l.next.Seq = max(l.next.Seq, l.behind)
}

// appendInBody appends what the body of a step tells the outside: at a place of
// its own, behind that of the step. A replay passes over it.
func (l *lane) appendInBody(kind journal.Kind, data []byte) error {
	at := l.next.Next()
	at.Seq = max(at.Seq, l.behind)
	recs, err := l.entry(at, kind, time.Now(), data)
	if err != nil {
		return err
	}
	if err := l.append(journal.Change{Records: recs}, journal.Later); err != nil {
		return err
	}
	l.behind = at.Seq + 1
	return nil
}

// appendRecord appends one record at the next place.
func (l *lane) appendRecord(kind journal.Kind, data []byte, u journal.Urgency) error {
	recs, err := l.entry(l.next, kind, time.Now(), data)
	if err != nil {
		return err
	}
	return l.appendNext(journal.Change{Records: recs}, u)
}

// appendCall is appendRecord for the record that l.writer has at hand.
func (l *lane) appendCall(u journal.Urgency) error {
	if err := l.appendRecord(l.writer.Kind(), l.writer.Data(l.next), u); err != nil {
		return err
	}
	l.writer.Appended()
	return nil
}

// retryWhenRoom records something, and tries again where the disk is full until
// there is room: nothing that depends on it has happened outside yet. What is
// essential finds room in the journal's reserve; should that be used up, no
// command can be recorded either, and there is nothing to be taken meanwhile.
func (l *lane) retryWhenRoom(essential bool, try func() error) error {
	for {
		err := try()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, journal.ErrNoRoom):
			return l.setFatal(&recordError{err})
		case essential:
			err = l.awaitReserve()
		default:
			err = l.awaitRoom()
		}
		if err != nil {
			return err
		}
	}
}

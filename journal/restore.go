package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/journal/wal"
)

// Restore makes the journal in dir, which must exist, what it was when the backup
// was made. The backup is read through before anything is changed; one that is
// damaged, or a part, is refused with ErrBackup. So is dir, with ErrLocked, while
// a process has the journal.
//
// What was in dir is set aside, under names that the Report tells; nothing is
// removed. The journal gets a new identity: a file of the state before is never
// taken for one of it. Every run that lives in the backup is named in
// Report.Damaged, here and at each Open, until a Change with LossNoted: the plant
// went on without it. Of o the log, its size and nothing else counts.
//
// A crash leaves the state before, or the restored one, or one that the next
// Open, or Restore, makes the restored one first.
func Restore(dir string, backup io.ReadSeeker, o Options) (Report, error) {
	r := &restorer{Journal: unopened(dir, o), backup: backup}
	err := r.locked(r.restore)
	if err != nil {
		return Report{}, fmt.Errorf("cannot restore the journal in %s: %w", dir, err)
	}
	return r.report, nil
}

// locked calls f with the journal's lock, when nothing is left of an exchange
// that was interrupted.
func (j *Journal) locked(f func() error) error {
	lock, err := lockDir(j.dir)
	if err != nil {
		return err
	}
	err = j.goOn()
	if err == nil {
		err = f()
	}
	return errors.Join(err, unlock(lock))
}

// goOn ends an exchange that was interrupted, and removes what is left of one
// that had not begun. The caller has the lock.
func (j *Journal) goOn() error {
	aside, err := finishExchange(j.folder)
	if err == nil {
		err = clearStaged(j.folder)
	}
	if err == nil && aside != nil {
		j.report.say("the files of the journal were being exchanged for others when the process ended; that was gone on with. What was there before is kept as %s",
			strings.Join(aside, ", "))
	}
	return err
}

type restorer struct {
	*Journal
	backup io.ReadSeeker
	info   BackupInfo
	marker marker // of the new journal
}

func (r *restorer) restore() error {
	var err error
	if r.info, err = r.read(func(byte, []byte, []byte) error { return nil }); err != nil {
		return fmt.Errorf("the backup cannot be used: %w", err)
	}
	r.report.Clean = false
	if err := r.stage(); err != nil {
		return errors.Join(err, clearStaged(r.folder))
	}
	if r.report.SetAside, err = exchange(r.folder, asideSuffix("restore", time.Now())); err != nil {
		return err
	}
	r.report.Sentences = append([]string{fmt.Sprintf("restored from the backup of %s of journal %s: %s, which will be on hold, and the runs that had ended",
		r.info.Time.Format(time.RFC3339), r.info.Journal, liveRuns(r.info.Runs))}, r.report.Sentences...)
	if len(r.report.SetAside) > 0 {
		r.report.say("what was there before is kept as %s", strings.Join(r.report.SetAside, ", "))
	}
	return nil
}

// read reads the backup from its beginning.
func (r *restorer) read(visit func(kind byte, key, value []byte) error) (BackupInfo, error) {
	if _, err := r.backup.Seek(0, io.SeekStart); err != nil {
		return BackupInfo{}, err
	}
	return readBackup(r.backup, visit)
}

// stage makes all files of the new journal beside those that are there.
func (r *restorer) stage() error {
	r.marker = marker{version: formatVersion, id: newIdentity(), state: stateClosed}
	err := r.createFile(historyName+stagedSuffix, roleHistory, r.marker.id, func(s store) (filled, error) {
		highest, err := r.fill(s, backupHistory)
		r.marker.history = highest
		return filled{serial: highest, sequence: r.info.Frame}, err
	}, nil)
	if err != nil {
		return err
	}
	history, err := openBolt(r.path(historyName+stagedSuffix), false, 0)
	if err != nil {
		return err
	}
	err = r.createFile(liveName+stagedSuffix, roleLive, r.marker.id, func(s store) (filled, error) {
		highest, err := r.fill(s, backupLive)
		if err != nil {
			return filled{}, err
		}
		highest = max(highest, r.info.Frame) + 1
		r.marker.seq = highest
		return filled{serial: highest, sequence: highest}, r.hold(s, history, highest)
	}, nil)
	if err = errors.Join(err, history.Close()); err != nil {
		return err
	}
	if err := wal.Create(stagedFolder{r.folder}, r.marker.id, r.segmentBytes()); err != nil {
		return err
	}
	if err := writeMarker(stagedFolder{r.folder}, r.marker); err != nil {
		return err
	}
	var staged []string
	for _, name := range exchanged() {
		staged = append(staged, name+stagedSuffix)
	}
	if err := own(r.dir, append(staged, lockName)...); err != nil {
		return err
	}
	for _, name := range []string{liveName, historyName} {
		in, err := inspectFile(r.path(name+stagedSuffix), nil)
		if err == nil && len(in.faults) > 0 {
			err = fmt.Errorf("%s: what was written is not what is read: %s", name+stagedSuffix, in.faults[0])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillBytes is how much is committed to a new file at once.
const fillBytes = 1 << 20

// fill puts one section of the backup into s, and returns the highest serial.
func (r *restorer) fill(s store, section byte) (highest uint64, err error) {
	var batch []op
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.Commit(batch)
		batch, size = batch[:0], 0
		return err
	}
	_, err = r.read(func(kind byte, key, value []byte) error {
		if kind != section {
			if kind == backupHistory {
				return errEnough // the live file's come first
			}
			return nil
		}
		highest = max(highest, binary.BigEndian.Uint64(value[4:]))
		batch = append(batch, op{opPut, clone(key), clone(value)})
		if size += len(key) + len(value); size < fillBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return highest, err
}

// hold marks each run that lives in s as one whose record is not whole, removes
// those that the history has, and leaves out numbers that may have been given
// out since the backup. What it changes has the given serial.
func (r *restorer) hold(s, history store, serial uint64) error {
	what := fmt.Sprintf("restored from a backup of %s: what the plant and the run did since then is not on record", r.info.Time.Format(time.RFC3339))
	var e encoder
	run, err := nextRun(s, 0)
	for err == nil && run != 0 {
		if err = r.holdRun(s, history, run, what, &e); err == nil && len(e.buf) > fillBytes {
			err = putAll(s, &e, serial)
		}
		if err == nil {
			run, err = nextRun(s, run)
		}
	}
	if err != nil {
		return err
	}
	e.putRaw([]byte(keyFloor), appendUint64(nil, r.info.highest+runSkip))
	return putAll(s, &e, serial)
}

func liveRuns(n int) string {
	if n == 1 {
		return "1 live run"
	}
	return fmt.Sprintf("%d live runs", n)
}

// nextRun returns the first run above run that s has something of; 0: none.
func nextRun(s store, run uint64) (next uint64, err error) {
	err = s.Scan(runKey(tableRun, run+1), []byte{tableRun + 1}, func(key, _ []byte) bool {
		if len(key) >= runKeyLen {
			next = binary.BigEndian.Uint64(key[1:])
		}
		return false
	})
	return next, err
}

func (r *restorer) holdRun(s, history store, run uint64, what string, e *encoder) error {
	end, err := s.Get(appendPart(nil, run, partEnd))
	if err != nil || end != nil {
		return err // it has ended, and goes to the history
	}
	payload, err := get(s, appendPart(nil, run, partHeader))
	if err != nil || payload == nil {
		return err // a summary that goes to the history
	}
	h, err := decodeHeader(run, payload)
	if err != nil {
		return err
	}
	moved, err := history.Get(endedKey(run))
	switch {
	case err != nil:
		return err
	case moved != nil: // it ended while the backup was made
		e.removeRange(runRange(run))
		e.removeRaw(appendID(nil, h.ID))
		r.info.Runs--
	default:
		e.putRaw(appendPart(nil, run, partDamage), []byte(what))
		r.report.Damaged = append(r.report.Damaged, Damage{Run: run, ID: h.ID, What: what})
	}
	return nil
}

// putAll seals and commits what e holds.
func putAll(s store, e *encoder, serial uint64) error {
	if len(e.ops) == 0 {
		return nil
	}
	err := s.Commit(sealAll(nil, e.buf, e.ops, serial))
	e.reset()
	return err
}

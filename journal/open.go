package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/journal/wal"
)

// ErrVersion says that the files have another format.
var ErrVersion = errors.New("written by another version of this program")

func otherFormat(name string, version int) error {
	return fmt.Errorf("%s: format %d, this program knows %d: %w", name, version, formatVersion, ErrVersion)
}

// open locks, checks, mends and opens the files, and reads what the journal
// keeps in memory: numbers, and which ended runs are still to be moved.
func (j *Journal) open() error {
	var err error
	if j.lock, err = lockDir(j.dir); err != nil {
		return err
	}
	j.report = Report{Clean: true}
	if err := j.goOn(); err != nil {
		return err
	}
	m, marked, err := readMarker(j.folder)
	if err != nil {
		return err
	}
	if marked && m.version != formatVersion {
		return otherFormat(markerName, m.version)
	}
	j.report.Interrupted = marked && m.state == stateOpen
	if m, err = j.prepareFiles(m, marked); err != nil {
		return err
	}
	if err := j.syncFiles(); err != nil {
		return err
	}
	looks, err := j.identify(&m)
	if err != nil {
		return err
	}
	j.id = m.id
	l, found, err := wal.Open(j.folder, m.id)
	if err != nil {
		return err
	}
	if err := j.examine(m, looks, found); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := j.openFiles(l); err != nil {
		return err
	}
	if err := j.replay(m, found); err != nil {
		return err
	}
	if err := j.index(); err != nil {
		return err
	}
	// Only now, when what is lost is on record, is the log made whole.
	if err := l.Ready(j.folder, found, j.segmentBytes()); err != nil {
		return err
	}
	if j.serial, err = j.logged.level(j.serial); err != nil {
		return err
	}
	j.reserve = min(orDefault(j.opts.Reserve, reserveDefault), int64(l.MaxBody()/2))
	j.longest = l.MaxBody() - int(j.reserve) - frameRoom
	j.q.limits.commitBytes = min(j.q.limits.commitBytes, j.longest-frameOverhead*j.q.limits.commitOps)
	j.logged.start(j.longest)
	if err := j.tell(); err != nil {
		return err
	}
	err = writeMarker(j.folder, marker{id: m.id, state: stateOpen, seq: j.serial, history: j.history.serial})
	if err == nil || m.state == stateNew { // one that says "new" has the next start make all files anew
		return err
	}
	// A marker that still says what it said before misleads nobody: how far the
	// journal has come is seen in the log, which has just been written to. So a
	// start does not hang on a new file, on a full disk or on one that fails.
	j.log.Warn("the marker could not be written", "error", err)
	return nil
}

// prepareFiles makes the files of a new journal. Where a journal was, it makes
// none: a loss is never taken for a new journal.
func (j *Journal) prepareFiles(m marker, marked bool) (marker, error) {
	var absent, there []string
	for _, name := range []string{historyName, liveName} {
		if err := j.folder.Remove(name + newSuffix); err != nil {
			return m, err
		}
		none, err := missing(j.path(name))
		if err != nil {
			return m, err
		}
		if none {
			absent = append(absent, name)
		} else {
			there = append(there, name)
		}
	}
	for i := range wal.Segments {
		if err := j.folder.Remove(wal.Name(i) + newSuffix); err != nil {
			return m, err
		}
		if none, err := missing(j.path(wal.Name(i))); err != nil {
			return m, err
		} else if !none {
			there = append(there, wal.Name(i))
		}
	}
	switch {
	case !marked && len(there) == 0, marked && m.state == stateNew:
		return j.create(m)
	case len(absent) > 0 && marked:
		return m, gone(j.dir, absent, markerName)
	case len(absent) > 0:
		return m, gone(j.dir, append(absent, markerName), there[0])
	case !marked:
		j.report.say("%s is missing; it was made anew from what the other files say", markerName)
	}
	return m, nil
}

// syncFiles brings to the disk what a process that died had written to the
// databases, and this one reads from memory: the pages that an older meta leads
// to are free for bbolt as soon as it has read the newer one.
func (j *Journal) syncFiles() error {
	for _, name := range []string{historyName, liveName} {
		f, err := j.folder.Open(name, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("cannot sync %s: %w", name, err)
		}
	}
	return nil
}

// create makes a new journal. Its marker comes first, so that one that was
// interrupted here is not taken for one that has lost files.
func (j *Journal) create(m marker) (marker, error) {
	if m.id == (wal.Identity{}) {
		m.id = newIdentity()
	}
	m.state = stateNew
	if err := writeMarker(j.folder, m); err != nil {
		return m, err
	}
	for _, f := range []struct {
		name string
		role byte
	}{{historyName, roleHistory}, {liveName, roleLive}} {
		if err := j.createFile(f.name, f.role, m.id, nil, nil); err != nil {
			return m, err
		}
	}
	if err := wal.Create(j.folder, m.id, j.segmentBytes()); err != nil {
		return m, err
	}
	return m, nil
}

// identify looks at what the files say of themselves. It reads as little of
// them as it can: a file that is not the one that it should be is not mended.
func (j *Journal) identify(m *marker) (looks map[string]*inspection, err error) {
	looks = make(map[string]*inspection)
	for _, name := range []string{historyName, liveName} {
		in, err := quickLook(j.path(name))
		if err != nil {
			return nil, err
		}
		if in.format != 0 && in.format != formatVersion {
			return nil, otherFormat(name, int(in.format))
		}
		looks[name] = in
	}
	if m.id, err = belongs(*m, looks[liveName].origin, looks[historyName].origin); err != nil {
		return nil, err
	}
	if m.id == (wal.Identity{}) {
		return nil, fmt.Errorf("neither %s nor %s nor %s can be read: restore them from a backup (holdfast journal restore), "+
			"or have what is left put together (holdfast journal salvage): %w", markerName, liveName, historyName, errUnreadable)
	}
	return looks, nil
}

// filled is what createFile puts into a new file.
type filled struct {
	serial   uint64 // highest of its entries
	sequence uint64 // last frame of the log that is in it
}

// createFile makes a file of the format, aside first, so that it is whole when
// it has its name. fill, if not nil, puts entries into it; ready, if not nil, is
// called before the rename.
func (j *Journal) createFile(name string, role byte, id wal.Identity, fill func(s store) (filled, error), ready func() error) error {
	path := j.path(name) + newSuffix
	if err := j.folder.Remove(name + newSuffix); err != nil {
		return err
	}
	s, err := openBolt(path, true, 0)
	if err != nil {
		return err
	}
	var has filled
	if fill != nil {
		has, err = fill(s)
	}
	if err == nil {
		key := []byte(keyFormat)
		value := append(make([]byte, sealLen), binary.BigEndian.AppendUint32(nil, formatVersion)...)
		seal(key, value, has.serial)
		ops := []op{{opPut, key, value}, identityEntry(role, id, has.serial), sequenceEntry(has.sequence, has.serial)}
		err = s.Commit(ops)
		if err == nil {
			err = s.Commit(ops[2:]) // so that bbolt's older meta leads to all of it, too
		}
	}
	if err = errors.Join(err, s.Close()); err == nil && ready != nil {
		err = ready()
	}
	if err != nil {
		return errors.Join(err, j.folder.Remove(name+newSuffix))
	}
	return j.folder.Rename(name+newSuffix, name)
}

func (j *Journal) openFiles(l *wal.Log) (err error) {
	if j.liveFile, err = openBolt(j.path(liveName), false, j.opts.MaxBytes); err != nil {
		return errors.Join(err, l.Close())
	}
	j.liveFile.before = j.opts.beforeDown
	has, err := sequence(j.liveFile)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	j.logged = newLogStore(j.liveFile, l, has, j.log, j.fail, j.eased)
	j.logged.smaller = j.smallerLive
	if err = j.openHistory(); err != nil {
		return err
	}
	j.liveFile.watch, j.history.file.watch = j.opts.watch, j.opts.watch
	j.liveFile.beforeSync, j.history.file.beforeSync = j.opts.BeforeSync, j.opts.BeforeSync
	j.history.sequence = j.logged.seq.Load
	j.live = j.logged
	if j.opts.wrap != nil {
		j.live = j.opts.wrap(liveName, j.live)
	}
	return nil
}

// sequence reads up to which frame a file has what was in the log.
func sequence(s getter) (uint64, error) {
	payload, err := get(s, []byte(keySequence))
	if err != nil {
		return 0, err
	}
	return sequenceOf(payload)
}

// index reads both files once.
func (j *Journal) index() error {
	var top uint64 // highest run number seen
	var last uint64
	var id string // of the run whose entries are passing
	err := j.live.Scan(nil, nil, func(key, value []byte) bool {
		if len(value) >= sealLen {
			last = max(last, binary.BigEndian.Uint64(value[4:]))
		}
		run, part, ok := splitRunKey(key)
		if !ok {
			if string(key) == keyFloor {
				if payload, _, err := unseal(key, value); err == nil && len(payload) == 8 {
					j.floor = binary.BigEndian.Uint64(payload)
				}
			}
			if key[0] == tableScript {
				j.scripts.add(string(key[1:]))
			}
			return true
		}
		top = max(top, run)
		switch part {
		case partEnd:
			j.mover.add(run)
		case partAmend:
			j.mover.add(run)
			j.amends.Store(max(j.amends.Load(), binary.BigEndian.Uint64(key[runKeyLen:])))
		case partDamage:
			what, _, err := unseal(key, value)
			if err != nil {
				what = []byte("it may have lost records")
			}
			j.lostRun(Damage{Run: run, ID: id, What: string(what)})
		case partHeader:
			id = ""
			if payload, _, err := unseal(key, value); err == nil {
				h, _ := decodeHeader(run, payload)
				id = h.ID
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	j.runs.Store(max(top, j.history.top, j.floor))
	j.serial = max(j.serial, last)
	return nil
}

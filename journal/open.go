package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// ErrVersion says that the files were written by a later version.
var ErrVersion = errors.New("written by a later version of this program")

// open locks, checks, mends and opens the files, and reads what the journal
// keeps in memory: numbers, and which ended runs are still to be moved.
func (j *Journal) open() error {
	var err error
	if j.lock, err = lockDir(j.dir); err != nil {
		return err
	}
	m, marked, err := readMarker(j.dir)
	if err != nil {
		return err
	}
	if m.version > formatVersion {
		return fmt.Errorf("format %d, this one knows %d: %w", m.version, formatVersion, ErrVersion)
	}
	j.report = Report{Clean: true, Interrupted: marked && !m.clean}
	if err := j.prepareFiles(marked); err != nil {
		return err
	}
	if err := j.examine(m); err != nil {
		return err
	}
	if err := j.openFiles(); err != nil {
		return err
	}
	if err := j.index(); err != nil {
		return err
	}
	if err := j.tell(); err != nil {
		return err
	}
	return writeMarker(j.dir, marker{})
}

// prepareFiles makes the files that are not there yet; where a journal was, it
// does not.
func (j *Journal) prepareFiles(marked bool) error {
	var absent []string
	for _, name := range []string{historyName, liveName} {
		if err := os.Remove(j.path(name) + newSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		none, err := missing(j.path(name))
		if err != nil {
			return err
		}
		if none {
			absent = append(absent, name)
		}
	}
	if marked && len(absent) > 0 {
		return gone(j.dir, absent)
	}
	for _, name := range absent {
		if err := j.createFile(name, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// createFile makes a file of the format, aside first, so that it is whole when
// it has its name. fill, if not nil, puts entries into it and returns the serial
// that later ones must be above; ready, if not nil, is called before the rename.
func (j *Journal) createFile(name string, fill func(s store) (uint64, error), ready func() error) error {
	path := j.path(name) + newSuffix
	s, err := openBolt(path, true, 0)
	if err != nil {
		return err
	}
	var serial uint64
	if fill != nil {
		serial, err = fill(s)
	}
	if err == nil {
		key := []byte(keyFormat)
		value := append(make([]byte, sealLen), binary.BigEndian.AppendUint32(nil, formatVersion)...)
		seal(key, value, serial)
		err = s.Commit([]op{{opPut, key, value}})
	}
	if err = errors.Join(err, s.Close()); err == nil && ready != nil {
		err = ready()
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return rename(path, j.path(name))
}

func (j *Journal) openFiles() (err error) {
	if j.liveFile, err = openBolt(j.path(liveName), false, j.opts.MaxBytes); err != nil {
		return err
	}
	if err = j.openHistory(); err != nil {
		return err
	}
	j.live = j.liveFile
	if j.opts.wrap != nil {
		j.live = j.opts.wrap(liveName, j.live)
	}
	return checkFormat(j.live)
}

// checkFormat reads the format version of a store.
func checkFormat(s getter) error {
	payload, err := get(s, []byte(keyFormat))
	if err != nil {
		return err
	}
	if len(payload) < 4 {
		return errors.New("the format version is missing")
	}
	if v := binary.BigEndian.Uint32(payload); v > formatVersion {
		return fmt.Errorf("format %d, this one knows %d: %w", v, formatVersion, ErrVersion)
	}
	return nil
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
			j.damaged.add(run)
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
	liveTx, err := j.liveFile.lastCommit()
	if err != nil {
		return err
	}
	j.serial = max(last, liveTx)
	return nil
}

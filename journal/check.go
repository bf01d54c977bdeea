package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// Check reads both files of the journal in dir through and changes nothing: the
// structure of every page, the CRC and the form of every entry, whether live
// and ended runs and their ids fit together, and last bbolt's own check. Like
// Open it fails with ErrLocked while a process has the journal. What it finds
// is in the Report; the error says that it could not look.
func Check(dir string) (Report, error) {
	lock, err := lockDir(dir)
	var r Report
	if err == nil {
		r, err = check(dir)
		err = errors.Join(err, unlock(lock))
	}
	if err != nil {
		return Report{}, fmt.Errorf("cannot check the journal in %s: %w", dir, err)
	}
	return r, nil
}

func check(dir string) (Report, error) {
	m, marked, err := readMarker(dir)
	if err != nil {
		return Report{}, err
	}
	if m.version > formatVersion {
		return Report{}, fmt.Errorf("format %d, this one knows %d: %w", m.version, formatVersion, ErrVersion)
	}
	c := checker{Report: Report{Clean: true, Interrupted: !marked || !m.clean}}
	c.live, c.ended = make(map[uint64]*checkedRun), make(map[uint64]bool)
	for _, f := range []struct {
		name  string
		visit func(key, payload []byte) error
	}{{historyName, c.historyEntry}, {liveName, c.liveEntry}} {
		path := filepath.Join(dir, f.name)
		none, err := missing(path)
		if err != nil {
			return Report{}, err
		}
		if none {
			c.say("%s is missing or empty", f.name)
			continue
		}
		in, err := inspectFile(path, func(key, value []byte) {
			if err := f.visit(key, value[sealLen:]); err != nil {
				c.say("%s: %s: %v", f.name, describe(key), err)
			}
		})
		if err != nil {
			return Report{}, err
		}
		if in.format > formatVersion {
			return Report{}, fmt.Errorf("%s: format %d, this one knows %d: %w", f.name, in.format, formatVersion, ErrVersion)
		}
		if in.format == 0 {
			c.say("%s: the format version is missing", f.name)
		}
		for _, fault := range in.faults {
			c.say("%s: %s", f.name, fault)
		}
		if len(in.faults) == 0 {
			if err := c.bbolt(path); err != nil {
				return Report{}, err
			}
		}
	}
	c.compare()
	return c.Report, nil
}

type checkedRun struct {
	header, ended, other, amended bool
	id, indexed                   string
	damage                        string
}

type checker struct {
	Report
	live  map[uint64]*checkedRun
	ended map[uint64]bool
}

func entryOf(m map[uint64]*checkedRun, run uint64) *checkedRun {
	if m[run] == nil {
		m[run] = new(checkedRun)
	}
	return m[run]
}

var errForm = errors.New("not an entry of this format")

func (c *checker) liveEntry(key, payload []byte) error {
	run, part, ok := splitRunKey(key)
	if !ok {
		switch {
		case string(key) == keyFormat:
		case string(key) == keyFloor && len(payload) == 8:
		case key[0] == tableID && len(key) > 1 && len(payload) == 8:
			entryOf(c.live, binary.BigEndian.Uint64(payload)).indexed = string(key[1:])
		case key[0] == tableScript && len(key) > 1:
		default:
			return errForm
		}
		return nil
	}
	r := entryOf(c.live, run)
	var err error
	switch part {
	case partHeader:
		var h Header
		h, err = decodeHeader(run, payload)
		r.header, r.id = true, h.ID
	case partRecord:
		_, err = decodeRecord(key, payload)
		r.other = true
	case partMessage:
		_, err = decodeMessage(key, payload)
		r.other = true
	case partEnd:
		_, err = decodeEnd(payload)
		r.ended = true
	case partAmend:
		r.amended = true
	case partDamage:
		r.damage = string(payload)
	}
	return err
}

// compare checks what must hold between entries. A run that is being moved may
// be in both files; then the history's is whole, and here may be a part.
func (c *checker) compare() {
	for run, r := range c.live {
		moved := c.ended[run]
		switch {
		case moved && r.header && !r.ended:
			c.say("run %d lives, and is in the history", run)
		case moved:
		case !r.header && r.indexed != "":
			c.say("run %d (%s) has an id and no header", run, r.indexed)
		case !r.header && (r.other || r.ended || r.amended):
			c.say("run %d has entries and no header", run)
		case r.header && r.indexed != r.id:
			c.say("run %d: its id is %q, the table of ids says %q", run, r.id, r.indexed)
		}
		if r.damage != "" {
			c.Damaged = append(c.Damaged, Damage{Run: run, ID: r.id, What: r.damage})
			c.say("run %d (%s): %s", run, r.id, r.damage)
		}
	}
}

// bbolt runs bbolt's own check on a file that was found sound.
func (c *checker) bbolt(path string) error {
	s := &boltStore{name: filepath.Base(path)}
	return s.guard(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 1, PreLoadFreelist: true, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return fmt.Errorf("cannot open %s: %w", path, err)
		}
		err = db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				c.say("%s: %v", s.name, err)
			}
			return nil
		})
		if s.db = db; err == nil && s.name == historyName {
			err = c.historyFits(&history{file: s, doubt: func() {}})
		}
		return errors.Join(err, db.Close())
	})
}

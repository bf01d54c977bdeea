package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
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
	folder := disk.At(dir)
	if _, _, begun, err := readExchange(folder); err != nil {
		return Report{}, err
	} else if begun {
		var r Report
		r.say("the files of the journal are being exchanged for others, and the process that did it has ended: the next start goes on with that, or restore, or salvage")
		return r, nil
	}
	m, marked, err := readMarker(folder)
	if err != nil {
		return Report{}, err
	}
	if marked && m.version != formatVersion {
		return Report{}, otherFormat(markerName, m.version)
	}
	c := checker{Report: Report{Clean: true, Interrupted: !marked || !m.closed()}}
	c.live, c.ended = make(map[uint64]*checkedRun), make(map[uint64]bool)
	history, err := c.file(dir, historyName, c.historyEntry)
	if err != nil {
		return Report{}, err
	}
	// What the log has is put over the entries of the live file.
	entries := newOverlay()
	live, err := c.file(dir, liveName, func(key, payload []byte) error {
		entries.apply(op{opPut, clone(key), append(make([]byte, sealLen), payload...)})
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	if err := c.log(folder, m, live, history, entries); err != nil {
		return Report{}, err
	}
	entries.entries.Scan(func(e overlaid) bool {
		if e.value == nil {
			return true
		}
		if err := c.liveEntry(e.key, e.value[sealLen:]); err != nil {
			c.say("%s: %s: %v", liveName, describe(e.key), err)
		}
		return true
	})
	c.compare()
	return c.Report, nil
}

// file reads one of the databases through.
func (c *checker) file(dir, name string, visit func(key, payload []byte) error) (*inspection, error) {
	path := filepath.Join(dir, name)
	none, err := missing(path)
	if err != nil {
		return nil, err
	}
	if none {
		c.say("%s is missing or empty", name)
		return &inspection{}, nil
	}
	in, err := inspectFile(path, func(key, value []byte) {
		if err := visit(key, value[sealLen:]); err != nil {
			c.say("%s: %s: %v", name, describe(key), err)
		}
	})
	if err != nil {
		return nil, err
	}
	switch in.format {
	case formatVersion:
	case 0:
		c.say("%s: the format version is missing", name)
	default:
		return nil, otherFormat(name, int(in.format))
	}
	if in.damagedMeta != "" {
		in.faults = append(in.faults, in.damagedMeta)
	}
	for _, fault := range in.faults {
		c.say("%s: %s", name, fault)
	}
	if len(in.faults) == 0 {
		err = c.bbolt(path)
	}
	return in, err
}

// log reads the log, and compares it with the files.
func (c *checker) log(folder disk.Folder, m marker, live, history *inspection, entries *overlay) error {
	id, err := belongs(m, live.origin, history.origin)
	if err != nil {
		c.say("%v", err)
		return nil
	}
	found, err := wal.Read(folder, id)
	if errors.Is(err, wal.ErrForeign) {
		c.say("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range found.Frames {
		if f.Seq <= live.sequence {
			continue
		}
		whole := readFrame(f.Body, func(o op) {
			if o.kind == opPut {
				if _, _, err := unseal(o.key, o.value); err != nil {
					c.say("frame %d of the log: %s: %v", f.Seq, describe(o.key), err)
				}
			}
			entries.apply(o)
		})
		if !whole {
			c.say("frame %d of the log cannot be read", f.Seq)
		}
	}
	j := &Journal{report: c.Report}
	lost := j.losses(m, found, live.sequence, history.sequence)
	c.Report = j.report
	for _, what := range lost {
		c.say("lost: %s", what)
	}
	return nil
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
		case key[0] == keyFormat[0]:
		case string(key) == keyFloor && len(payload) == 8:
		case key[0] == tableID && len(key) > 1 && len(payload) == 8:
			entryOf(c.live, binary.BigEndian.Uint64(payload)).indexed = string(key[1:])
		case key[0] == tableScript && len(key) > 1:
		case key[0] == tableState && bytes.IndexByte(key, 0) > 0:
		case string(key) == keyHistory:
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
		_, err = decodeRecords(nil, 1<<32-1, key, payload)
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

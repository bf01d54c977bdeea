package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// runSkip is how many run numbers are left out after a loss, so that no number
// of a run that is lost without trace is given to another.
const runSkip = 1 << 16

// readThrough is up to which size the history is read through at each open.
const readThrough = 64 << 20

// examine reads the files through and mends those that are not sound. The
// history comes first: mending the live file asks it which runs have ended.
func (j *Journal) examine(m marker) error {
	for _, f := range []struct {
		name   string
		closed uint64
		mend   func(s *salvaged) error
	}{
		{historyName, m.history, j.mendHistory},
		{liveName, m.live, j.mendLive},
	} {
		// The live file is always read through. The history, when it is long and
		// was closed in order, only when it is not what was closed: 1 GB takes
		// some seconds from a cold disk.
		in, err := quickLook(j.path(f.name))
		if err != nil {
			return err
		}
		if f.name == liveName || in.pages <= j.quickFrom() || !m.clean || len(in.faults) > 0 || in.meta.tx != f.closed {
			if in, err = inspectFile(j.path(f.name), nil); err != nil {
				return err
			}
		} else {
			j.unread = true // the mover sees to it
		}
		if in.format > formatVersion {
			return fmt.Errorf("%s: format %d, this one knows %d: %w", f.name, in.format, formatVersion, ErrVersion)
		}
		if m.clean && in.meta.tx == f.closed {
			in.behind = false // the damaged meta is the older one
		}
		if len(in.faults) > 0 {
			if err := j.salvage(f.name, in, f.mend); err != nil {
				return fmt.Errorf("cannot mend %s: %w", f.name, err)
			}
		} else if m.clean && in.meta.tx != f.closed {
			j.report.say("%s is not the file that was closed (commit %d, was %d): it was replaced by a copy, or its newest commits are lost",
				f.name, in.meta.tx, f.closed)
		}
	}
	return nil
}

// salvaged is a new file that is being filled from a damaged one.
type salvaged struct {
	in      *inspection
	store   store
	serials map[string]uint64   // of each key that was taken
	old     map[string]struct{} // keys taken from pages that the tree did not lead to
	batch   []op
	size    int
	err     error
}

// salvage sets the damaged file aside and puts a new one in its place, with
// every entry that can be trusted. mend then makes the entries fit together,
// and says in the report what is missing.
func (j *Journal) salvage(name string, in *inspection, mend func(s *salvaged) error) error {
	aside, err := j.asideName(name)
	if err != nil {
		return err
	}
	j.report.say("%s was damaged (%s); what can be trusted of it was taken into a new file, the damaged one was kept as %s",
		name, in.faults[0], aside)
	j.report.SetAside = append(j.report.SetAside, aside)
	f, err := os.Open(j.path(name))
	if err != nil {
		return err
	}
	err = j.createFile(name, func(s store) (uint64, error) {
		sv := &salvaged{in: in, store: s, serials: make(map[string]uint64), old: make(map[string]struct{})}
		return sv.fill(f, mend)
	}, func() error { return keepAside(j.path(name), j.path(aside)) })
	return errors.Join(err, f.Close())
}

// tell logs what was found, and writes it beside the files that were set aside.
func (j *Journal) tell() error {
	text := ""
	for _, s := range j.report.Sentences {
		j.log.Warn("the journal was not in order", "what", s)
		text += s + "\n"
	}
	var errs []error
	for _, aside := range j.report.SetAside {
		errs = append(errs, replaceFile(j.path(aside)+".txt", []byte(text)))
	}
	return errors.Join(errs...)
}

// asideName returns a name for the damaged file that is not taken.
func (j *Journal) asideName(name string) (string, error) {
	base := name + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		aside := base
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(j.path(aside)); errors.Is(err, os.ErrNotExist) {
			return aside, nil
		} else if err != nil {
			return "", err
		}
	}
}

// keepAside gives the file at path a second name, so that at no time there is
// none under the first; where the file system cannot, it is copied.
func keepAside(path, aside string) error {
	if os.Link(path, aside) == nil {
		return nil
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	to, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Sync(), to.Close(), from.Close())
}

// fill takes the entries, and returns the highest serial of all that was seen,
// trusted or not.
func (s *salvaged) fill(f *os.File, mend func(s *salvaged) error) (uint64, error) {
	// Once more along the tree: what it leads to is the truth.
	in, err := newInspection(f, func(key, value []byte) {
		if string(key) != keyFormat {
			s.take(element{key: key, value: value}, binary.BigEndian.Uint64(value[4:]))
		}
	})
	if err != nil {
		return 0, err
	}
	in.run()
	in.behind = s.in.behind
	s.in = in
	newest := in.highest
	if len(in.lost) > 0 || in.behind {
		// A sound list of free pages tells what was removed. Without one, or
		// when a newer commit may be missing, older entries may come back;
		// among those of one key, the newest is taken.
		in.sweep(in.free == nil || in.behind, func(e element, serial uint64) {
			if string(e.key) == keyFormat || !s.wanted(e.key) && !(in.behind && serial > newest) {
				return
			}
			if s.take(e, serial) {
				s.old[string(e.key)] = struct{}{}
			}
		})
	}
	s.flush()
	if s.err != nil {
		return 0, s.err
	}
	if in.format > formatVersion {
		return 0, ErrVersion
	}
	return in.highest, mend(s)
}

// wanted reports whether key may be one of those that are missing.
func (s *salvaged) wanted(key []byte) bool {
	for _, l := range s.in.lost {
		if l.has(key) {
			return true
		}
	}
	return false
}

// take puts e into the new file, unless a newer one of its key is there.
func (s *salvaged) take(e element, serial uint64) bool {
	if have, ok := s.serials[string(e.key)]; ok && have >= serial {
		return false
	}
	s.serials[string(e.key)] = serial
	s.batch = append(s.batch, op{opPut, clone(e.key), clone(e.value)})
	s.size += len(e.key) + len(e.value)
	if s.size >= 1<<20 {
		s.flush()
	}
	return true
}

func (s *salvaged) flush() {
	if s.err == nil && len(s.batch) > 0 {
		s.err = s.store.Commit(s.batch)
	}
	s.batch, s.size = nil, 0
}

// meets reports whether entries whose key begins with prefix may be missing.
func (s *salvaged) meets(prefix []byte) bool {
	for _, l := range s.in.lost {
		if l.meets(prefix) {
			return true
		}
	}
	return false
}

// put encodes and commits entries that mending adds or removes.
func (s *salvaged) put(e *encoder) error {
	if len(e.ops) == 0 {
		return nil
	}
	return s.store.Commit(sealAll(nil, e.buf, e.ops, s.in.highest))
}

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// runSkip is how many run numbers are left out after a loss, so that no number
// of a run that is lost without trace is given to another.
const runSkip = 1 << 16

// readThrough is up to which size the history is read through at each open.
const readThrough = 64 << 20

// examine reads the files through and mends those that are not sound. The
// history comes first: mending the live file asks it which runs have ended.
func (j *Journal) examine(m marker, looks map[string]*inspection, found *wal.Found) error {
	// The history, when it is long and was closed in order, is read through only
	// when it is not what was closed: 1 GB takes some seconds from a cold disk.
	in := looks[historyName]
	if in.pages <= readThrough/pageSize || !m.closed() || len(in.faults) > 0 || in.written != m.history {
		if err := j.examineFile(historyName, roleHistory, m, nil, j.mendHistory); err != nil {
			return err
		}
	} else {
		j.unread = true // the mover sees to it
	}
	return j.examineFile(liveName, roleLive, m, found, j.mendLive)
}

// examineFile reads one file through. found is the log of the live file.
func (j *Journal) examineFile(name string, role byte, m marker, found *wal.Found, mend func(s *salvaged) error) error {
	in, err := inspectFile(j.path(name), nil)
	if err != nil {
		return err
	}
	if in.format != 0 && in.format != formatVersion {
		return otherFormat(name, int(in.format))
	}
	switch {
	case in.damagedMeta == "":
	case role == roleLive && len(in.faults) == 0:
		// The meta that is left leads to the state before, and the log has
		// everything since then: its segments wait for two metas.
		j.report.say("%s: %s; the log has what it led to", name, in.damagedMeta)
		in.behind = false
	case m.closed() && in.written == m.history:
		in.behind = false // the damaged meta is the older one
		fallthrough
	default:
		in.faults = append(in.faults, in.damagedMeta)
	}
	if len(in.faults) == 0 {
		return nil
	}
	if err := j.salvage(name, role, m.id, in, found, mend); err != nil {
		return fmt.Errorf("cannot mend %s: %w", name, err)
	}
	return nil
}

// salvaged is a new file that is being filled from a damaged one.
type salvaged struct {
	in      *inspection
	store   store
	why     string              // what to say of a run that may have lost entries; "": by what is missing
	serials map[string]uint64   // of each key that was taken
	old     map[string]struct{} // keys taken from pages that the tree did not lead to
	batch   []op
	size    int
	err     error
}

// salvage sets the damaged file aside and puts a new one in its place, with
// every entry that can be trusted. mend then makes the entries fit together,
// and says in the report what is missing.
func (j *Journal) salvage(name string, role byte, id wal.Identity, in *inspection, found *wal.Found, mend func(s *salvaged) error) error {
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
	err = j.createFile(name, role, id, func(s store) (filled, error) {
		sv := &salvaged{in: in, store: s, serials: make(map[string]uint64), old: make(map[string]struct{})}
		return sv.fill(f, found, mend)
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
		if err := disk.Replace(j.folder, aside+".txt", newSuffix, []byte(text)); disk.Full(err) {
			j.log.Warn("what was found could not be written beside the file that was kept", "error", err)
		} else {
			errs = append(errs, err)
		}
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
func (s *salvaged) fill(f *os.File, found *wal.Found, mend func(s *salvaged) error) (filled, error) {
	// Once more along the tree: what it leads to is the truth.
	in, err := newInspection(f, func(key, value []byte) {
		if key[0] != keyFormat[0] {
			s.take(element{key: key, value: value}, binary.BigEndian.Uint64(value[4:]))
		}
	})
	if err != nil {
		return filled{}, err
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
			if e.key[0] == keyFormat[0] || !s.wanted(e.key) && !(in.behind && serial > newest) {
				return
			}
			if s.take(e, serial) {
				s.old[string(e.key)] = struct{}{}
			}
		})
	}
	if found != nil && in.free == nil && !in.rootless {
		s.astray(in)
	}
	sequence := in.sequence
	if found != nil {
		if s.frames(found, sequence) {
			in.lose(nil, nil)
		}
		sequence = max(sequence, topOf(found))
		in.highest = max(in.highest, sequence)
	}
	s.flush()
	if s.err != nil {
		return filled{}, s.err
	}
	if in.format != 0 && in.format != formatVersion {
		return filled{}, ErrVersion
	}
	err = mend(s)
	return filled{serial: in.highest, sequence: sequence}, err
}

// astray finds what a tree that leads to an old page in place of a newer one does
// not show, where no list of free pages tells. Records of a live run are replaced,
// and never removed: one that lies on any page and is newer than what the tree
// has of it, or missing there, is lost to the tree.
func (s *salvaged) astray(in *inspection) {
	in.sweep(true, func(e element, serial uint64) {
		run, part, ok := splitRunKey(e.key)
		if !ok || part != partRecord || serial > in.sequence {
			return // what is newer is of a commit that did not come to its end
		}
		if _, lives := s.serials[string(appendPart(nil, run, partHeader))]; lives && s.take(e, serial) {
			s.old[string(e.key)] = struct{}{}
		}
	})
}

// frames goes once more through the frames of the log, also through those that
// the file has had: what is lost of it may still be there. But only through those
// behind which none is missing: what an older one put may have been removed by one
// that has been overwritten since. Of one key the newest is taken; the serial of an entry is the number of its frame. It reports
// whether frames are missing between the file, which has those up to has, and
// the end of the log.
func (s *salvaged) frames(found *wal.Found, has uint64) (gap bool) {
	if has == 0 {
		has = s.in.highest // the entry that says so is lost; no entry of the file is newer
	}
	next := has + 1
	first := 0
	for i, f := range found.Frames {
		if i > 0 && f.Seq > found.Frames[i-1].Seq+1 && f.Seq <= next {
			first = i
		}
	}
	for _, f := range found.Frames[first:] {
		if f.Seq > next {
			gap = true
		}
		next = max(next, f.Seq+1)
		whole := readFrame(f.Body, func(o op) {
			switch o.kind {
			case opPut:
				if o.key[0] != keyFormat[0] && s.take(element{key: o.key, value: o.value}, f.Seq) {
					delete(s.old, string(o.key))
				}
			case opRemove:
				s.remove(string(o.key), f.Seq)
			case opRemoveRange:
				for key := range s.serials {
					if (span{o.key, o.value}).has([]byte(key)) {
						s.remove(key, f.Seq)
					}
				}
			}
		})
		gap = gap || !whole
	}
	return gap
}

// remove takes key out again, if it was not put after frame seq.
func (s *salvaged) remove(key string, seq uint64) {
	if have, ok := s.serials[key]; ok && have <= seq {
		delete(s.serials, key)
		delete(s.old, key)
		s.batch = append(s.batch, op{opRemove, []byte(key), nil})
	}
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
	s.in.highest++
	return s.store.Commit(sealAll(nil, e.buf, e.ops, s.in.highest))
}

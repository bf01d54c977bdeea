package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"holdfast/journal/wal"
)

// Salvage makes the best of a journal that cannot be opened: files that are
// missing, exchanged, copied over one another, or of another journal. Each file
// that says what it is, or that only its name says something of, is taken for
// that; what journal.db had is put together from the frames of the log, and then
// every run that lives is named in Report.Damaged, here and at each Open, as
// after Restore. A journal that can be opened is only opened, which mends what is
// damaged, and closed. Nothing is removed: what was there is set aside.
//
// It fails with ErrLocked while a process has the journal, and where there is
// nothing of a journal. A crash leaves what was there, or what the next Open, or
// Salvage, goes on with.
func Salvage(dir string, o Options) (Report, error) {
	r, err := salvageIn(dir, o)
	if err != nil {
		return Report{}, fmt.Errorf("cannot salvage the journal in %s: %w", dir, err)
	}
	return r, nil
}

func salvageIn(dir string, o Options) (Report, error) {
	s := &salvager{Journal: unopened(dir, o)}
	if err := s.locked(s.look); err != nil {
		return Report{}, err
	}
	r, err := openAndClose(dir, o)
	if err == nil || !salvageable(err) {
		return r, err
	}
	if err := s.locked(s.rebuild); err != nil {
		return Report{}, err
	}
	o.lost = s.lost
	r, err = openAndClose(dir, o)
	r.Clean = false
	r.SetAside = append(s.report.SetAside, r.SetAside...)
	r.Sentences = append(s.report.Sentences, r.Sentences...)
	return r, err
}

func openAndClose(dir string, o Options) (Report, error) {
	j, err := Open(dir, o)
	if err != nil {
		return Report{}, err
	}
	if err := j.Close(); err != nil {
		return Report{}, err
	}
	return j.Report(), own(dir, exchanged()...)
}

// salvageable reports whether it was what the files are that kept Open from
// opening them, and not that they cannot be read or written.
func salvageable(err error) bool {
	return errors.Is(err, errGone) || errors.Is(err, errUnreadable) || errors.Is(err, ErrForeign) || errors.Is(err, wal.ErrForeign)
}

// salvager finds out which file is which, and puts each in its place.
type salvager struct {
	*Journal
	id            wal.Identity
	live, history string // where they are taken from; "": they are lost
	segments      []int  // that are of this journal
	inTheWay      []string
	lost          []string
}

// candidate is a file under the name of one of the two databases.
type candidate struct {
	name     string
	origin   origin
	sequence uint64
}

// look fails where there is nothing of a journal.
func (s *salvager) look() error {
	for _, name := range exchanged() {
		if there, err := exists(s.folder, name); there || err != nil {
			return err
		}
	}
	return errors.New("there is none")
}

// rebuild puts the files together.
func (s *salvager) rebuild() error {
	m, _, err := readMarker(s.folder)
	if err != nil {
		return err
	}
	var files []candidate
	for _, name := range []string{liveName, historyName} {
		none, err := missing(s.path(name))
		if err != nil {
			return err
		}
		if none {
			continue
		}
		in, err := quickLook(s.path(name))
		if err != nil {
			return err
		}
		if in.format != 0 && in.format != formatVersion {
			return otherFormat(name, int(in.format))
		}
		files = append(files, candidate{name, in.origin, in.sequence})
	}
	if err := s.identity(m, files); err != nil {
		return err
	}
	if m.id != s.id {
		m = marker{}
	}
	s.assign(files)
	if err := s.stageFound(m); err != nil {
		return errors.Join(err, clearStaged(s.folder))
	}
	if s.report.SetAside, err = exchange(s.folder, asideSuffix("salvage", time.Now()), s.inTheWay...); err != nil {
		return err
	}
	if len(s.report.SetAside) > 0 {
		s.report.say("what was there before is kept as %s", strings.Join(s.report.SetAside, ", "))
	}
	return nil
}

// identity decides which journal it is: the marker's, if a file is of it; else
// that of the live runs, of the ended ones, of the log.
func (s *salvager) identity(m marker, files []candidate) error {
	var said []wal.Identity
	for _, role := range []byte{roleLive, roleHistory} {
		for _, f := range files {
			if f.origin.known && f.origin.role == role {
				said = append(said, f.origin.id)
			}
		}
	}
	var segments [wal.Segments]wal.Identity
	for i := range wal.Segments {
		id, known, err := wal.Identify(s.folder, i)
		if err != nil {
			return err
		}
		if known {
			segments[i], said = id, append(said, id)
		}
	}
	switch {
	case len(said) == 0 && m.id == (wal.Identity{}):
		s.id = newIdentity() // nothing says what it was
	case len(said) == 0:
		s.id = m.id
	default:
		s.id = said[0]
		for _, id := range said {
			if id == m.id {
				s.id = id
			}
		}
	}
	for i, id := range segments {
		name := wal.Name(i)
		there, err := exists(s.folder, name)
		switch {
		case err != nil:
			return err
		case id != (wal.Identity{}) && id != s.id:
			s.inTheWay = append(s.inTheWay, name)
			s.report.say("%s is of journal %s, and was not used", name, identityText(id))
		case there:
			s.segments = append(s.segments, i)
		}
	}
	return nil
}

// assign decides which file is taken for which: first those that say what they
// are, of two the one that has more, then those of which only the name says it.
func (s *salvager) assign(files []candidate) {
	place := func(role byte) *string {
		if role == roleLive {
			return &s.live
		}
		return &s.history
	}
	most := map[byte]uint64{}
	for _, f := range files {
		switch {
		case !f.origin.known:
		case f.origin.id != s.id:
			s.report.say("%s is of journal %s, and was not used", f.name, identityText(f.origin.id))
		default:
			at := place(f.origin.role)
			if *at == "" || f.sequence > most[f.origin.role] || f.sequence == most[f.origin.role] && named(f.name) == f.origin.role {
				*at, most[f.origin.role] = f.name, f.sequence
			}
		}
	}
	for _, f := range files {
		if f.origin.known {
			continue
		}
		at := place(named(f.name))
		if *at != "" {
			at = place(roleLive + roleHistory - named(f.name))
		}
		if *at == "" {
			*at = f.name
		}
	}
	for _, f := range files {
		if f.origin.known && f.origin.id == s.id && f.name != s.live && f.name != s.history {
			s.report.say("%s is a copy of the other file, and was not used", f.name)
		}
	}
}

// named is the role that a file has by its name.
func named(name string) byte {
	if name == liveName {
		return roleLive
	}
	return roleHistory
}

// stageFound makes copies of what is used, and new files for what is lost.
func (s *salvager) stageFound(m marker) error {
	staged := []string{lockName}
	for _, f := range []struct {
		name, from string
		role       byte
		lost       string
	}{
		{historyName, s.history, roleHistory, "the runs that had ended are lost, but for those of which " + liveName + " has something"},
		{liveName, s.live, roleLive, "live runs were put together from what the log has of them, and what it has not is lost"},
	} {
		var err error
		if f.from == "" {
			s.report.say("nothing is left of %s: %s", f.name, f.lost)
			err = s.createFile(f.name+stagedSuffix, f.role, s.id, nil, nil)
		} else {
			if f.from != f.name {
				s.report.say("%s was found as %s", f.name, f.from)
			}
			err = s.copy(f.from, f.name)
		}
		if err != nil {
			return err
		}
		staged = append(staged, f.name+stagedSuffix)
	}
	for _, i := range s.segments {
		if err := s.copy(wal.Name(i), wal.Name(i)); err != nil {
			return err
		}
		staged = append(staged, wal.Name(i)+stagedSuffix)
	}
	m.id = s.id
	if m.state == "" {
		m.state = stateOpen
	}
	if s.live == "" {
		m.state = stateOpen
		// That runs may be lost must be seen at the next open, whatever the log
		// has: large commits are not in it.
		found, err := wal.Read(stagedFolder{s.folder}, s.id)
		if err != nil {
			return err
		}
		m.seq = max(m.seq, topOf(found)) + 1
		s.lost = append(s.lost, liveName+" was lost, and what is here of the run comes from the log alone")
	}
	if err := writeMarker(stagedFolder{s.folder}, m); err != nil {
		return err
	}
	return own(s.dir, append(staged, markerName+stagedSuffix)...)
}

const copyBytes = 1 << 20

// copy makes a copy of a file under its name to be. Where the disk cannot read
// it, the copy has zeros.
func (s *salvager) copy(from, name string) error {
	src, err := os.Open(s.path(from))
	if err != nil {
		return err
	}
	holes, err := s.copyFrom(src, name+stagedSuffix)
	if holes > 0 {
		s.report.say("%s: %d blocks of %d bytes cannot be read", from, holes, pageSize)
	}
	return errors.Join(err, src.Close())
}

func (s *salvager) copyFrom(src *os.File, name string) (holes int, err error) {
	fi, err := src.Stat()
	if err != nil {
		return 0, err
	}
	dst, err := s.folder.Open(name+newSuffix, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, copyBytes)
	for at := int64(0); at < fi.Size() && err == nil; at += copyBytes {
		b := buf[:min(copyBytes, fi.Size()-at)]
		if _, rerr := src.ReadAt(b, at); rerr != nil && !errors.Is(rerr, io.EOF) {
			holes += readPages(src, b, at)
		}
		_, err = dst.WriteAt(b, at)
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return holes, errors.Join(err, s.folder.Remove(name+newSuffix))
	}
	return holes, s.folder.Rename(name+newSuffix, name)
}

// readPages reads b page by page, and returns how many cannot be read.
func readPages(src io.ReaderAt, b []byte, at int64) (holes int) {
	for i := 0; i < len(b); i += pageSize {
		page := b[i:min(i+pageSize, len(b))]
		if _, err := src.ReadAt(page, at+int64(i)); err != nil && !errors.Is(err, io.EOF) {
			clear(page)
			holes++
		}
	}
	return holes
}

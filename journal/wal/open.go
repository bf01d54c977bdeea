package wal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"holdfast/journal/disk"
)

// Found is what Open, or Read, saw in the segments.
type Found struct {
	// Frames that are whole, by number. They share memory with what was read.
	Frames []Frame
	// Torn is the number of a frame behind the last one that was begun, and is
	// not whole: what a power cut leaves, and damage to the last frame also. 0:
	// none.
	Torn uint64
	// Missing names segments that are not there, Cut those of which a part is
	// not, or all: nobody can tell which frames were in it.
	Missing, Cut []string
	// Faults say what else is not as it should be, in words.
	Faults []string

	at []place // of each frame
}

// place is where a frame lies.
type place struct {
	segment int
	off     int64
}

// ErrForeign says that a segment belongs to another journal.
var ErrForeign = errors.New("it belongs to another journal")

// Open opens the log of the journal id. It must be made Ready before it is
// appended to. Its last frame is written once more: the process that wrote it may
// have died before it was on disk, and what is read here may be in memory only.
func Open(d disk.Folder, id Identity) (*Log, *Found, error) {
	l := &Log{id: id}
	found, err := l.read(d)
	if err == nil {
		err = l.settle(found)
	}
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	for i := range l.segs {
		disk.Drop(l.segs[i].file)
	}
	return l, found, nil
}

// Read looks at the log, and changes nothing.
func Read(d disk.Folder, id Identity) (*Found, error) {
	l := &Log{id: id}
	found, err := l.read(d)
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	return found, nil
}

func (l *Log) read(d disk.Folder) (*Found, error) {
	found := &Found{}
	begun := make(map[uint64]bool) // numbers of frames that are not whole
	var seen [Segments]bool
	for i := range l.segs {
		f, b, err := readSegment(d, i)
		if err != nil {
			return nil, err
		}
		if f == nil {
			found.Missing = append(found.Missing, Name(i))
			continue
		}
		s := &l.segs[i]
		s.file, s.size, s.off = f, int64(len(b))/Page*Page, Page
		number, err := found.head(b, l.id, i)
		if err != nil {
			return nil, err
		}
		before := len(found.Frames)
		found.scan(b, l.id.salt(), i, begun)
		if number < 0 && len(found.Frames) > before {
			number = i // its head is damaged, and it is not empty
		}
		if number >= 0 && number < Segments {
			seen[number] = true
		}
	}
	for i := range seen {
		if name := Name(i); !seen[i] && !slices.Contains(found.Missing, name) && !slices.Contains(found.Cut, name) {
			found.Cut = append(found.Cut, name)
		}
	}
	found.order()
	for i, f := range found.Frames {
		s := &l.segs[found.at[i].segment]
		s.top = max(s.top, f.Seq)
		if end := found.at[i].off + padded(len(f.Body)); f.Seq == s.top {
			s.off = end
		}
		l.seq = f.Seq
		l.cur = found.at[i].segment
	}
	if begun[l.seq+1] {
		found.Torn = l.seq + 1
	}
	return found, nil
}

// head reads the first page of what lies in place of segment i, and returns
// which segment it is; -1: that cannot be read.
func (found *Found) head(b []byte, id Identity, i int) (number int, err error) {
	has, number, size, ok := parseSegmentHead(b)
	switch {
	case !ok:
		found.Faults = append(found.Faults, Name(i)+": its first page is damaged")
		return -1, nil
	case has != id:
		return 0, fmt.Errorf("%s: %w", Name(i), ErrForeign)
	}
	if number != i {
		found.Faults = append(found.Faults, fmt.Sprintf("%s is a copy of %s", Name(i), Name(number)))
	}
	if size != int64(len(b)) {
		found.Faults = append(found.Faults, fmt.Sprintf("%s has %d bytes, and should have %d", Name(i), len(b), size))
		if size > int64(len(b)) {
			found.Cut = append(found.Cut, Name(i))
		}
	}
	return number, nil
}

// scan takes the frames of a segment. Behind one that is not whole it goes on
// page by page: what follows may be older, or newer.
func (found *Found) scan(b []byte, salt uint64, i int, begun map[uint64]bool) {
	for at := int64(Page); at+headLen <= int64(len(b)); {
		f, ours, whole := parseFrame(b[at:], salt)
		if !whole {
			if ours {
				begun[f.Seq] = true
			}
			at += Page
			continue
		}
		found.Frames = append(found.Frames, f)
		found.at = append(found.at, place{i, at})
		at += padded(len(f.Body))
	}
}

// order sorts by number, and leaves out what is there twice.
func (found *Found) order() {
	order := make([]int, len(found.Frames))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(found.Frames[a].Seq, found.Frames[b].Seq) })
	frames, at := make([]Frame, 0, len(order)), make([]place, 0, len(order))
	for _, i := range order {
		if n := len(frames); n > 0 && frames[n-1].Seq == found.Frames[i].Seq {
			continue
		}
		frames, at = append(frames, found.Frames[i]), append(at, found.at[i])
	}
	found.Frames, found.at = frames, at
}

// Ready makes what segments are missing, of size bytes, and mends the first pages
// of the others.
func (l *Log) Ready(d disk.Folder, found *Found, size int64) error {
	for i := range l.segs {
		s := &l.segs[i]
		switch {
		case s.file == nil || s.size < 2*Page:
			if s.file != nil {
				if err := s.file.Close(); err != nil {
					return err
				}
				s.file = nil
			}
			f, err := createSegment(d, l.id, i, size)
			if err != nil {
				return err
			}
			s.file, s.size, s.off = f, size, Page
		case len(found.Faults) > 0:
			if err := l.write(i, l.head(i), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle writes the last frame once more.
func (l *Log) settle(found *Found) error {
	n := len(found.Frames)
	if n == 0 {
		// It is written to all the same: a disk that takes nothing is to be found out
		// now. Where something is missing or damaged, Ready does it.
		if len(found.Faults) > 0 || l.segs[0].file == nil {
			return nil
		}
		return unlessFull(l.write(0, l.head(0), 0))
	}
	o := owed{at: found.at[n-1], frame: appendFrame(nil, found.Frames[n-1].Seq, l.id.salt(), found.Frames[n-1].Body)}
	err := l.write(o.at.segment, o.frame, o.at.off)
	if disk.Full(err) { // on a file system that writes nothing in place
		l.owed = &o
	}
	return unlessFull(err)
}

// head returns the first page of segment i.
func (l *Log) head(i int) []byte {
	return append(appendSegmentHead(nil, l.id, i, l.segs[i].size), zeros[segmentHead:]...)
}

func unlessFull(err error) error {
	if disk.Full(err) {
		return nil
	}
	return err
}

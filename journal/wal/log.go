package wal

import (
	"errors"
	"fmt"

	"holdfast/journal/disk"
)

// Log is open between Open and Close. Its methods are called by one goroutine
// at a time.
type Log struct {
	id   Identity
	segs [Segments]segment
	cur  int
	seq  uint64
	buf  []byte
	owed *owed
}

// owed is the last frame found at open, where it could not be written once more
// for want of room. No frame comes behind it before that has been done.
type owed struct {
	at    place
	frame []byte
}

// keptBuffer bounds what is kept of the buffer behind a large frame.
const keptBuffer = 4 << 20

// ErrSize says that a frame is larger than a segment.
var ErrSize = errors.New("larger than a segment of the log")

// Fits reports whether a body of n bytes fits into what is left of the segment
// at work.
func (l *Log) Fits(n int) bool { return padded(n) <= l.Room() }

// Room returns how many bytes are left in the segment at work.
func (l *Log) Room() int64 { return l.segs[l.cur].size - l.segs[l.cur].off }

// MaxBody returns how long a body can be at most.
func (l *Log) MaxBody() int {
	size := l.segs[0].size
	for i := range l.segs {
		size = min(size, l.segs[i].size)
	}
	return int(size) - Page - headLen
}

// Seq returns the number of the last frame.
func (l *Log) Seq() uint64 { return l.seq }

// Append writes a frame and returns its number, and how many bytes it took,
// when it is on disk. It must fit. Where the error is that there is no room, the
// same frame can be appended again; after any other the log is to be opened anew.
func (l *Log) Append(body []byte) (seq uint64, n int64, err error) {
	s := &l.segs[l.cur]
	if !l.Fits(len(body)) {
		return 0, 0, ErrSize
	}
	if o := l.owed; o != nil {
		if err := l.write(o.at.segment, o.frame, o.at.off); err != nil {
			return 0, 0, err
		}
		l.owed = nil
	}
	l.buf = appendFrame(l.buf[:0], l.seq+1, l.id.salt(), body)
	if err := l.write(l.cur, l.buf, s.off); err != nil {
		return 0, 0, err
	}
	n = int64(len(l.buf))
	if cap(l.buf) > keptBuffer {
		l.buf = nil
	}
	s.off += n
	l.seq++
	s.top = l.seq
	return l.seq, n, nil
}

// write returns when b is on disk.
func (l *Log) write(segment int, b []byte, off int64) error {
	f := l.segs[segment].file
	_, err := f.WriteAt(b, off)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", Name(segment), err)
	}
	return nil
}

// NextTop returns the highest number in the segment that Rotate would overwrite;
// 0 if it holds none.
func (l *Log) NextTop() uint64 { return l.segs[(l.cur+1)%Segments].top }

// Rotate goes on to the next segment: what it holds is given up.
func (l *Log) Rotate() {
	l.cur = (l.cur + 1) % Segments
	s := &l.segs[l.cur]
	s.off, s.top = Page, 0
}

// Skip makes the next frame's number greater than seq, which some other part
// of the journal has seen.
func (l *Log) Skip(seq uint64) { l.seq = max(l.seq, seq) }

// Close closes the files.
func (l *Log) Close() error {
	var errs []error
	for i := range l.segs {
		if l.segs[i].file != nil {
			errs = append(errs, l.segs[i].file.Close())
			l.segs[i].file = nil
		}
	}
	return errors.Join(errs...)
}

// Create makes the log of a new journal, in segments of size bytes: whole
// pages, at least two.
func Create(d disk.Folder, id Identity, size int64) error {
	for i := range Segments {
		f, err := createSegment(d, id, i, size)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

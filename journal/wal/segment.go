package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"holdfast/journal/disk"
)

// Identity is the journal's own, 16 random bytes. Its first eight are the salt
// of its frames.
type Identity [16]byte

func (id Identity) salt() uint64 { return binary.BigEndian.Uint64(id[:]) }

const (
	// Segments is how many there are: one that is being filled, one that is
	// being carried into the store, one whose content the store has.
	Segments = 3

	segmentMagic = "holdfast log 1\n\x00"
	newSuffix    = ".new"
)

// Name returns the name of segment i.
func Name(i int) string { return fmt.Sprintf("journal.wal.%d", i) }

// segment is one file. Its first page says what it is: magic (16 bytes), size of
// the file (u64), number of the segment (u32), the journal's identity (16 bytes),
// CRC-32C of these.
type segment struct {
	file disk.File
	size int64
	off  int64  // where the next frame goes
	top  uint64 // highest number of a frame in it; 0: none
}

const segmentHead = 16 + 8 + 4 + 16 + 4

func appendSegmentHead(b []byte, id Identity, i int, size int64) []byte {
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b = binary.BigEndian.AppendUint32(b, uint32(i))
	b = append(b, id[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// parseSegmentHead returns what a segment says of itself; ok is false if that
// cannot be read.
func parseSegmentHead(b []byte) (id Identity, i int, size int64, ok bool) {
	const body = segmentHead - 4
	if len(b) < segmentHead || string(b[:16]) != segmentMagic ||
		binary.BigEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli) {
		return Identity{}, 0, 0, false
	}
	return Identity(b[28:44]), int(binary.BigEndian.Uint32(b[24:])), int64(binary.BigEndian.Uint64(b[16:])), true
}

// createSegment makes segment i, aside first. Zeros are written, not only
// reserved: an append then changes nothing but the bytes of the file.
func createSegment(d disk.Folder, id Identity, i int, size int64) (disk.File, error) {
	name := Name(i) + newSuffix
	f, err := d.Open(name, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 1<<20)
	copy(head, appendSegmentHead(nil, id, i, size))
	for at := int64(0); at < size && err == nil; at += int64(len(head)) {
		_, err = f.WriteAt(head[:min(int64(len(head)), size-at)], at)
		clear(head[:Page])
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = d.Rename(name, Name(i))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make %s: %w", Name(i), err), f.Close(), d.Remove(name))
	}
	return f, nil
}

// Identify returns which journal's log segment i says that it is of. known is
// false where there is none, or its first page cannot be read.
func Identify(d disk.Folder, i int) (id Identity, known bool, err error) {
	f, err := d.Open(Name(i), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, false, nil
	}
	if err != nil {
		return Identity{}, false, err
	}
	b := make([]byte, segmentHead)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return Identity{}, false, fmt.Errorf("cannot read %s: %w", Name(i), err)
	}
	id, _, _, known = parseSegmentHead(b[:n])
	return id, known, nil
}

// readSegment opens segment i and reads it. It returns no file if there is none.
func readSegment(d disk.Folder, i int) (disk.File, []byte, error) {
	f, err := d.Open(Name(i), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	// As long as it says, and a byte more, should it be longer.
	head := make([]byte, Page)
	n, err := f.ReadAt(head, 0)
	length := int64(2 * Page)
	if _, _, size, ok := parseSegmentHead(head[:n]); ok && size <= 1<<30 {
		length = size + 1
	}
	b := bytes.NewBuffer(make([]byte, 0, length+bytes.MinRead))
	if err == nil || errors.Is(err, io.EOF) {
		_, err = b.ReadFrom(io.NewSectionReader(f, 0, 1<<40))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot read %s: %w", Name(i), err), f.Close())
	}
	return f, b.Bytes(), nil
}

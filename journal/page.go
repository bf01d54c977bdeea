package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads bbolt's pages as bytes of a file, not as mapped memory, so
// that no damage can make the process panic, hang or die of a fault. bbolt
// itself is only ever given files that were read through in this way and found
// sound. Numbers are little-endian, as bbolt writes them on all our targets.

const (
	pageHeaderLen = 16 // id u64, flags u16, count u16, overflow u32
	elementLen    = 16 // leaf: flags, pos, ksize, vsize u32; branch: pos, ksize u32, page u64
	bucketLen     = 16 // root u64, sequence u64; a page follows if root is 0

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	flagBucket = 0x01 // of a leaf element

	// maxOverflow keeps a damaged number from being believed: no entry is longer.
	maxOverflow = 2 * maxData / pageSize

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaLen     = 64
)

var le = binary.LittleEndian

// meta is one of the two pages that lead to everything else.
type meta struct {
	root     uint64 // page of the root bucket
	freelist uint64 // page of the list of free pages
	pages    uint64 // high-water mark: pages in use are below
	tx       uint64
}

var errMeta = errors.New("damaged")

func parseMeta(page []byte, id uint64) (meta, error) {
	if len(page) < pageHeaderLen+metaLen || le.Uint64(page) != id || pageFlags(page) != flagMeta {
		return meta{}, errMeta
	}
	b := page[pageHeaderLen : pageHeaderLen+metaLen]
	sum := fnv.New64a()
	sum.Write(b[:metaLen-8])
	if le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion || le.Uint32(b[8:]) != pageSize || le.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, errMeta
	}
	return meta{root: le.Uint64(b[16:]), freelist: le.Uint64(b[32:]), pages: le.Uint64(b[40:]), tx: le.Uint64(b[48:])}, nil
}

// pageReader reads pages of a file of a known size.
type pageReader struct {
	r     io.ReaderAt
	pages uint64 // whole pages in the file
}

func newPageReader(r io.ReaderAt, size int64) *pageReader {
	return &pageReader{r: r, pages: uint64(size) / pageSize}
}

// read returns page id with its overflow pages. It checks that the page says of
// itself what was asked for.
func (p *pageReader) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.pages {
		return nil, fmt.Errorf("page %d is outside of the file", id)
	}
	b := make([]byte, pageSize)
	if _, err := p.r.ReadAt(b, int64(id)*pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if le.Uint64(b) != id {
		return nil, fmt.Errorf("page %d says that it is page %d", id, le.Uint64(b))
	}
	overflow := uint64(le.Uint32(b[12:]))
	if overflow >= p.pages-id || overflow > maxOverflow {
		return nil, fmt.Errorf("page %d reaches over the end of the file", id)
	}
	if overflow == 0 {
		return b, nil
	}
	b = make([]byte, (overflow+1)*pageSize)
	if _, err := p.r.ReadAt(b, int64(id)*pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

// readAny returns page id whatever it says of itself, with its overflow pages
// if what it says of them can be. It is nil if the file cannot be read there.
func (p *pageReader) readAny(id uint64) []byte {
	b, err := p.read(id)
	if err == nil {
		return b
	}
	b = make([]byte, pageSize)
	if _, err := p.r.ReadAt(b, int64(id)*pageSize); err != nil {
		return nil
	}
	return b
}

func pageFlags(b []byte) uint16 { return le.Uint16(b[8:]) }
func pageCount(b []byte) int    { return int(le.Uint16(b[10:])) }
func pageSpan(b []byte) uint64  { return uint64(le.Uint32(b[12:])) + 1 }

// element is an entry of a leaf.
type element struct {
	bucket     bool
	key, value []byte
}

// parseLeaf takes a leaf apart. bbolt writes keys and values one after the
// other without a gap, right behind the table of elements; that this is so is
// checked, for it shows a flipped count or length, which the order of the keys
// does not.
func parseLeaf(b []byte) ([]element, error) {
	if len(b) < pageHeaderLen || pageFlags(b) != flagLeaf {
		return nil, errors.New("it is not a leaf")
	}
	n := pageCount(b)
	next := uint64(pageHeaderLen + n*elementLen)
	if n == 0 || next > uint64(len(b)) {
		return nil, errors.New("its table does not fit") // no leaf of ours is empty
	}
	out := make([]element, n)
	for i := range out {
		at := pageHeaderLen + i*elementLen
		flags, pos, ksize, vsize := le.Uint32(b[at:]), le.Uint32(b[at+4:]), le.Uint32(b[at+8:]), le.Uint32(b[at+12:])
		mid, end := next+uint64(ksize), next+uint64(ksize)+uint64(vsize)
		if uint64(at)+uint64(pos) != next || ksize == 0 || end > uint64(len(b)) || flags > flagBucket {
			return nil, fmt.Errorf("its element %d is damaged", i)
		}
		out[i] = element{bucket: flags == flagBucket, key: b[next:mid:mid], value: b[mid:end:end]}
		next = end
	}
	return out, nil
}

// anyLeaf returns those entries of a damaged leaf that lie within the page.
// Only their CRC can tell whether they are entries at all.
func anyLeaf(b []byte) []element {
	var out []element
	for i := range pageCount(b) {
		at := uint64(pageHeaderLen + i*elementLen)
		if at+elementLen > uint64(len(b)) {
			break
		}
		pos, ksize, vsize := uint64(le.Uint32(b[at+4:])), uint64(le.Uint32(b[at+8:])), uint64(le.Uint32(b[at+12:]))
		from := at + pos
		if ksize == 0 || from+ksize+vsize > uint64(len(b)) {
			continue
		}
		mid, end := from+ksize, from+ksize+vsize
		out = append(out, element{bucket: le.Uint32(b[at:]) == flagBucket, key: b[from:mid:mid], value: b[mid:end:end]})
	}
	return out
}

// branch is an entry of a branch page: keys from key on are on page.
type branch struct {
	key  []byte
	page uint64
}

func parseBranch(b []byte) ([]branch, error) {
	if pageFlags(b) != flagBranch {
		return nil, errors.New("it is neither leaf nor branch")
	}
	n := pageCount(b)
	next := uint64(pageHeaderLen + n*elementLen)
	if n == 0 || next > uint64(len(b)) {
		return nil, errors.New("its table does not fit")
	}
	out := make([]branch, n)
	for i := range out {
		at := pageHeaderLen + i*elementLen
		pos, ksize := le.Uint32(b[at:]), le.Uint32(b[at+4:])
		end := next + uint64(ksize)
		if uint64(at)+uint64(pos) != next || ksize == 0 || end > uint64(len(b)) {
			return nil, fmt.Errorf("its element %d is damaged", i)
		}
		out[i] = branch{key: b[next:end:end], page: le.Uint64(b[at+8:])}
		next = end
	}
	return out, nil
}

// parseFreelist returns the numbers of the free pages.
func parseFreelist(b []byte) ([]uint64, error) {
	if pageFlags(b) != flagFreelist {
		return nil, errors.New("it is not a list of free pages")
	}
	n, at := uint64(pageCount(b)), uint64(pageHeaderLen)
	if n == 0xFFFF {
		n, at = le.Uint64(b[at:]), at+8
	}
	if n > (uint64(len(b))-at)/8 {
		return nil, errors.New("its count is damaged")
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = le.Uint64(b[at+uint64(i)*8:])
	}
	return out, nil
}

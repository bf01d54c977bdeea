package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

// span is a range of keys, from <= key < to; nil is unbounded.
type span struct{ from, to []byte }

func (s span) has(key []byte) bool {
	return bytes.Compare(key, s.from) >= 0 && (s.to == nil || bytes.Compare(key, s.to) < 0)
}

// meets reports whether a key that begins with prefix can lie in s.
func (s span) meets(prefix []byte) bool {
	end := after(prefix)
	return (end == nil || bytes.Compare(s.from, end) < 0) && (s.to == nil || bytes.Compare(prefix, s.to) < 0)
}

// inspection reads a file through, page by page: it follows the tree from the
// newest sound meta, checks the structure and the CRC of each entry, and
// compares the pages that it met with the list of free ones.
type inspection struct {
	*pageReader
	meta meta

	// What was found.
	faults      []string // in words; none: bbolt can be given the file
	damagedMeta string   // one meta is damaged, in words: bbolt goes on from the other
	lost        []span   // entries with these keys may be missing
	rootless    bool     // nothing leads to the tree: every page must be looked at
	behind      bool     // one meta is damaged: the newest commit may be missing
	format      uint32   // highest format version seen
	origin      origin   // what the file says of itself
	sequence    uint64   // which frames it says it has, or has seen
	written     uint64   // serial of the commit that said so
	sequenced   bool     // it says so
	highest     uint64   // serial
	entries     int
	sum         uint64 // of the entries
	said        uint64 // what the file says that it is
	hurt        []span // of leaves with entries that are damaged

	met    []bool // pages that the tree leads to
	free   []bool // pages listed as free; nil: the list is damaged
	denied []denied

	visit func(key, value []byte) // each sound entry, in order where the tree is sound
	last  []byte                  // key before
	gap   bool                    // there was a damaged entry after last
}

// inspectFile reads the whole of the file at path.
func inspectFile(path string, visit func(key, value []byte)) (*inspection, error) {
	return inspectWith(path, visit, (*inspection).run)
}

// quickLook reads the metas, and what the file says of itself.
func quickLook(path string) (*inspection, error) {
	return inspectWith(path, nil, func(in *inspection) {
		in.metas()
		if in.rootless {
			return
		}
		for _, key := range []string{keyFormat, keyIdentity, keySequence} {
			in.find([]byte(key))
		}
	})
}

func inspectWith(path string, visit func(key, value []byte), look func(*inspection)) (*inspection, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in, err := newInspection(f, visit)
	if err == nil {
		look(in)
		in.r = nil // f is closed
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return in, nil
}

func newInspection(f *os.File, visit func(key, value []byte)) (*inspection, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if visit == nil {
		visit = func(_, _ []byte) {}
	}
	return &inspection{pageReader: newPageReader(f, fi.Size()), visit: visit}, nil
}

func (in *inspection) run() {
	in.metas()
	in.follow()
}

// follow goes on from the metas.
func (in *inspection) follow() {
	if in.rootless {
		in.lose(nil, nil)
		return
	}
	in.met = make([]bool, min(in.meta.pages, in.pages))
	in.freelist()
	in.root()
	if len(in.lost) == 0 && (in.format == 0 || !in.origin.known || !in.sequenced) {
		in.fault("the entries that say what it is are missing")
		in.lose(nil, nil)
	}
	in.compare()
	in.addUp()
}

func (in *inspection) fault(format string, args ...any) {
	const enough = 20
	if len(in.faults) < enough {
		in.faults = append(in.faults, fmt.Sprintf(format, args...))
	}
}

// lose notes that entries of these keys may be missing.
func (in *inspection) lose(from, to []byte) {
	in.lost = append(in.lost, span{bytes.Clone(from), bytes.Clone(to)})
}

// metas chooses the newest sound one. The other belongs to the commit before,
// or, if it is damaged, may have belonged to a newer one.
func (in *inspection) metas() {
	var sound []meta
	for i := range uint64(2) {
		b := make([]byte, pageSize)
		n, err := in.r.ReadAt(b, int64(i)*pageSize)
		m, perr := parseMeta(b[:n], i)
		if perr != nil {
			if err != nil {
				perr = err
			}
			in.damagedMeta = fmt.Sprintf("meta page %d: %v", i, perr)
			continue
		}
		sound = append(sound, m)
	}
	switch len(sound) {
	case 0:
		in.rootless = true
		in.fault("both meta pages are damaged")
		return
	case 1:
		in.meta, in.behind = sound[0], true
	default:
		in.meta = sound[0]
		if sound[1].tx > sound[0].tx {
			in.meta = sound[1]
		}
	}
	if in.meta.pages > in.pages {
		in.fault("the file has %d pages, and should have %d", in.pages, in.meta.pages)
	}
}

// root finds the bucket and walks its tree.
func (in *inspection) root() {
	b, err := in.claim(in.meta.root)
	var top []element
	if err == nil {
		top, err = parseLeaf(b)
	}
	if err == nil && (len(top) != 1 || !top[0].bucket || string(top[0].key) != bucketName || len(top[0].value) < bucketLen) {
		err = fmt.Errorf("it does not hold the bucket %q", bucketName)
	}
	if err != nil {
		in.fault("root page %d: %v", in.meta.root, err)
		in.lose(nil, nil)
		return
	}
	value := top[0].value
	if root := le.Uint64(value); root != 0 {
		in.walk(root, nil, nil)
	} else {
		in.leaf(in.meta.root, value[bucketLen:], nil, nil)
	}
	if in.gap {
		in.lose(in.last, nil)
	}
}

// find looks for one key along the tree, and notes its entry. What is damaged on
// the way is left to who reads the file through.
func (in *inspection) find(key []byte) {
	b, err := in.read(in.meta.root)
	if err != nil {
		return
	}
	top, err := parseLeaf(b)
	if err != nil || len(top) != 1 || !top[0].bucket || len(top[0].value) < bucketLen {
		return
	}
	value := top[0].value
	if root := le.Uint64(value); root != 0 {
		b, err = in.read(root)
	} else {
		b = value[bucketLen:]
	}
	for depth := 0; err == nil && pageFlags(b) == flagBranch && depth < 64; depth++ {
		var below []branch
		if below, err = parseBranch(b); err != nil {
			return
		}
		i := 0
		for i+1 < len(below) && bytes.Compare(below[i+1].key, key) <= 0 {
			i++
		}
		b, err = in.read(below[i].page)
	}
	if err != nil {
		return
	}
	leaf, err := parseLeaf(b)
	if err != nil {
		return
	}
	for _, e := range leaf {
		if bytes.Equal(e.key, key) {
			if _, serial, err := unseal(e.key, e.value); err == nil {
				in.note(e, serial)
				in.tell(e)
			}
		}
	}
}

// claim reads a page that the tree leads to, and notes that it does.
func (in *inspection) claim(id uint64) ([]byte, error) {
	b, err := in.read(id)
	if err != nil {
		return nil, err
	}
	for i := id; i < id+pageSpan(b); i++ {
		if i >= uint64(len(in.met)) {
			return nil, fmt.Errorf("page %d is above the high-water mark", i)
		}
		if in.met[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		in.met[i] = true
	}
	return b, nil
}

// walk checks the page and all below it, whose keys must be from <= key < to.
func (in *inspection) walk(id uint64, from, to []byte) {
	b, err := in.claim(id)
	if err == nil && in.free != nil && slices.Contains(in.free[id:id+pageSpan(b)], true) {
		in.denied = append(in.denied, denied{id, span{bytes.Clone(from), bytes.Clone(to)}})
	}
	if err == nil && pageFlags(b) == flagLeaf {
		in.leaf(id, b, from, to)
		return
	}
	var below []branch
	if err == nil {
		below, err = parseBranch(b)
	}
	for i := range below {
		if err == nil && (i == 0 && bytes.Compare(below[i].key, from) < 0 || i > 0 && bytes.Compare(below[i-1].key, below[i].key) >= 0 ||
			to != nil && bytes.Compare(below[i].key, to) >= 0) {
			err = fmt.Errorf("its key %d is out of order", i)
		}
	}
	if err != nil {
		in.fault("page %d: %v", id, err)
		in.lose(from, to)
		return
	}
	for i, c := range below {
		end := to
		if i+1 < len(below) {
			end = below[i+1].key
		}
		in.walk(c.page, c.key, end)
	}
}

// leaf checks the entries of a leaf. From one whose structure is damaged, those
// are taken whose CRC holds; others may be missing.
func (in *inspection) leaf(id uint64, b, from, to []byte) {
	elements, err := parseLeaf(b)
	if err != nil {
		in.fault("page %d: %v", id, err)
		in.lose(from, to)
		for _, e := range anyLeaf(b) {
			if _, serial, err := unseal(e.key, e.value); err == nil && (span{from, to}).has(e.key) {
				in.accept(e, serial)
			}
		}
		return
	}
	for i, e := range elements {
		_, serial, err := unseal(e.key, e.value)
		switch {
		case err != nil, e.bucket, bytes.Compare(e.key, in.last) <= 0, !(span{from, to}).has(e.key):
			in.fault("page %d: entry %d (%s) is damaged", id, i, describe(e.key))
			in.gap = true
			in.sum += summand(e.value) // what is damaged is mostly something else of it
			if n := len(in.hurt); n == 0 || !bytes.Equal(in.hurt[n-1].from, from) {
				in.hurt = append(in.hurt, span{bytes.Clone(from), bytes.Clone(to)})
			}
			continue
		case in.gap:
			in.lose(in.last, after(e.key))
			in.gap = false
		}
		in.last = e.key
		in.accept(e, serial)
	}
}

func (in *inspection) accept(e element, serial uint64) {
	in.entries++
	if string(e.key) == keySum {
		in.said, _ = sumOf(e.value) // 0 is said to be wrong below
	} else {
		in.sum += summand(e.value)
	}
	in.note(e, serial)
	in.tell(e)
	in.visit(e.key, e.value)
}

// note keeps what is wanted of every entry that was found, wherever it lay.
func (in *inspection) note(e element, serial uint64) {
	in.highest = max(in.highest, serial)
	if string(e.key) == keyFormat && len(e.value) >= sealLen+4 {
		in.format = max(in.format, binary.BigEndian.Uint32(e.value[sealLen:]))
	}
}

// tell keeps what the file says of itself, in an entry that the tree leads to.
func (in *inspection) tell(e element) {
	payload := e.value[sealLen:]
	switch string(e.key) {
	case keyIdentity:
		in.origin = originOf(payload)
	case keySequence:
		if seq, err := sequenceOf(payload); err == nil {
			in.sequence, in.sequenced, in.written = seq, true, binary.BigEndian.Uint64(e.value[4:])
		}
	}
}

// sweep calls visit with every sound entry of pages that the tree does not lead
// to: pages that are not known to be free, or, with freeToo, all. What a free
// page holds was replaced or removed by the newest commit, or before.
func (in *inspection) sweep(freeToo bool, visit func(e element, serial uint64)) {
	take := func(elements []element) {
		for _, e := range elements {
			if e.bucket && string(e.key) == bucketName && len(e.value) > bucketLen+pageHeaderLen {
				for _, e := range anyLeaf(e.value[bucketLen:]) {
					if _, serial, err := unseal(e.key, e.value); err == nil {
						in.note(e, serial)
						visit(e, serial)
					}
				}
			}
			if _, serial, err := unseal(e.key, e.value); err == nil {
				in.note(e, serial)
				visit(e, serial)
			}
		}
	}
	for id := uint64(2); id < in.pages; id++ {
		if id < uint64(len(in.met)) && in.met[id] || !freeToo && id < uint64(len(in.free)) && in.free[id] {
			continue
		}
		if b := in.readAny(id); b != nil {
			take(anyLeaf(b))
		}
	}
}

package journal

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/journal/disk"
)

// What can happen to the files, as a disk sees it.
type eventKind int

const (
	evCreate  eventKind = iota // an empty file, under a name
	evWrite                    // bytes, in memory
	evSize                     // the file becomes longer or shorter, in memory
	evSync                     // what was written to the file is on disk
	evRename                   // in memory
	evRemove                   // in memory
	evDirSync                  // names are on disk
	evAck                      // Changes up to here were acknowledged
	evBegin                    // a commit of bbolt is under way
	evEnd
)

type event struct {
	kind     eventKind
	inode    int
	name, to string
	off      int64
	data     []byte
	count    int
	commit   *[]event
}

// tracer is a folder that writes down all that is done in it. What bbolt does in
// a commit is found by comparing the file before and after; bbolt v1.5 makes the
// file longer and syncs it (DB.grow), writes the pages and syncs them (Tx.write),
// writes one meta page and syncs it (Tx.writeMeta), in this order (Tx.Commit).
type tracer struct {
	disk.Folder
	dir string

	mu     sync.Mutex
	events []event
	names  map[string]int    // to inodes, as a process sees them
	shadow map[string][]byte // of the databases: what is in the events
	inodes int
	err    error
}

// newTracer begins with what lies in dir, which m knows.
func newTracer(dir string, m *machine) *tracer {
	tr := &tracer{Folder: disk.At(dir), dir: dir, names: maps.Clone(m.seen()), shadow: make(map[string][]byte), inodes: len(m.files)}
	for name := range tr.names {
		if strings.HasSuffix(name, ".db") {
			tr.shadow[name] = m.files[tr.names[name]].cached()
		}
	}
	return tr
}

func (tr *tracer) add(e ...event) { tr.events = append(tr.events, e...) }

func (tr *tracer) Open(name string, flag int) (disk.File, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	f, err := tr.Folder.Open(name, flag)
	if err != nil {
		return nil, err
	}
	if flag&os.O_CREATE != 0 {
		tr.names[name] = tr.inodes
		tr.add(event{kind: evCreate, inode: tr.inodes, name: name})
		tr.inodes++
	}
	return &tracedFile{f, tr, tr.names[name]}, nil
}

func (tr *tracer) Rename(from, to string) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if _, known := tr.names[from]; !known {
		// A database that was made aside: its last commit synced it.
		content, err := os.ReadFile(filepath.Join(tr.dir, from))
		if err != nil {
			return err
		}
		tr.names[from] = tr.inodes
		tr.add(event{kind: evCreate, inode: tr.inodes, name: from}, event{kind: evWrite, inode: tr.inodes, data: content}, event{kind: evSync, inode: tr.inodes})
		tr.shadow[to] = content
		tr.inodes++
	}
	tr.names[to] = tr.names[from]
	delete(tr.names, from)
	tr.add(event{kind: evRename, name: from, to: to})
	err := tr.Folder.Rename(from, to)
	tr.add(event{kind: evDirSync})
	return err
}

func (tr *tracer) Remove(name string) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if _, known := tr.names[name]; known {
		tr.add(event{kind: evRemove, name: name})
		delete(tr.names, name)
	}
	return tr.Folder.Remove(name)
}

type tracedFile struct {
	disk.File
	tr    *tracer
	inode int
}

func (f *tracedFile) WriteAt(b []byte, off int64) (int, error) {
	f.tr.mu.Lock()
	defer f.tr.mu.Unlock()
	f.tr.add(event{kind: evWrite, inode: f.inode, off: off, data: bytes.Clone(b)})
	return f.File.WriteAt(b, off)
}

func (f *tracedFile) Sync() error {
	err := f.File.Sync()
	f.tr.mu.Lock()
	defer f.tr.mu.Unlock()
	f.tr.add(event{kind: evSync, inode: f.inode})
	return err
}

// watch is Options.watch.
func (tr *tracer) watch(name string, commit func() error) error {
	var within []event
	tr.mu.Lock()
	inode := tr.names[name]
	before := tr.shadow[name]
	tr.add(event{kind: evBegin, commit: &within})
	tr.mu.Unlock()
	err := commit()
	after, rerr := os.ReadFile(filepath.Join(tr.dir, name))
	if len(after) != len(before) {
		within = append(within, event{kind: evSize, inode: inode, off: int64(len(after))}, event{kind: evSync, inode: inode})
	}
	var metas []event
	for at := 0; at < len(after); at += pageSize {
		page := after[at:min(at+pageSize, len(after))]
		var was []byte
		if at < len(before) {
			was = before[at:min(at+pageSize, len(before))]
		}
		if bytes.Equal(page, was) || at >= len(before) && len(bytes.Trim(page, "\x00")) == 0 {
			continue
		}
		e := event{kind: evWrite, inode: inode, off: int64(at), data: page}
		if at < 2*pageSize {
			metas = append(metas, e)
		} else {
			within = append(within, e)
		}
	}
	within = append(within, event{kind: evSync, inode: inode})
	within = append(append(within, metas...), event{kind: evSync, inode: inode})
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if rerr != nil || err == nil && len(metas) != 1 {
		tr.err = rerr
	}
	tr.shadow[name] = after
	tr.add(event{kind: evEnd, commit: &within})
	return err
}

// ack notes that the first count groups of Changes were acknowledged.
func (tr *tracer) ack(count int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.add(event{kind: evAck, count: count})
}

// settled returns the trace, with what bbolt did spread over the time that its
// commits took.
func (tr *tracer) settled(t testing.TB, rng *rand.Rand) []event {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.err != nil {
		t.Fatal(tr.err)
	}
	begun := make(map[*[]event]int)
	at := make([][]event, len(tr.events)+1) // what comes before each event
	for i, e := range tr.events {
		switch e.kind {
		case evBegin:
			begun[e.commit] = i
		case evEnd:
			places := make([]int, len(*e.commit))
			for k := range places {
				places[k] = begun[e.commit] + 1 + rng.IntN(i-begun[e.commit])
			}
			slices.Sort(places)
			for k, place := range places {
				at[place] = append(at[place], (*e.commit)[k])
			}
		}
	}
	var out []event
	for i, e := range tr.events {
		out = append(out, at[i]...)
		if e.kind != evBegin && e.kind != evEnd {
			out = append(out, e)
		}
	}
	return out
}

// machine is what a disk holds, and what has not come to it yet.
type machine struct {
	files   []*inode
	names   map[string]int // on disk
	pending []event        // names that are not
	acked   int
}

type inode struct {
	content []byte // on disk
	pending []event
}

func newMachine() *machine { return &machine{names: make(map[string]int)} }

// machineOf begins with what lies in dir, all of it on disk.
func machineOf(t testing.TB, dir string) *machine {
	t.Helper()
	m := newMachine()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != lockName {
			m.names[e.Name()] = len(m.files)
			m.files = append(m.files, &inode{content: b})
		}
	}
	return m
}

func (m *machine) clone() *machine {
	c := &machine{names: maps.Clone(m.names), pending: slices.Clone(m.pending), acked: m.acked}
	for _, f := range m.files {
		c.files = append(c.files, &inode{bytes.Clone(f.content), slices.Clone(f.pending)})
	}
	return c
}

func (f *inode) write(e event) {
	end := e.off + int64(len(e.data))
	if e.kind == evSize {
		f.content = append(f.content[:min(int64(len(f.content)), end)], make([]byte, max(0, end-int64(len(f.content))))...)
		return
	}
	if n := end - int64(len(f.content)); n > 0 {
		f.content = append(f.content, make([]byte, n)...)
	}
	copy(f.content[e.off:], e.data)
}

// cached returns what a process reads.
func (f *inode) cached() []byte {
	c := inode{content: bytes.Clone(f.content)}
	for _, e := range f.pending {
		c.write(e)
	}
	return c.content
}

func applyName(names map[string]int, e event) {
	switch e.kind {
	case evCreate:
		names[e.name] = e.inode
	case evRename:
		if inode, ok := names[e.name]; ok {
			names[e.to] = inode
			delete(names, e.name)
		}
	case evRemove:
		delete(names, e.name)
	}
}

// seen returns the names as a process sees them.
func (m *machine) seen() map[string]int {
	names := maps.Clone(m.names)
	for _, e := range m.pending {
		applyName(names, e)
	}
	return names
}

// do carries out what the trace says.
func (m *machine) do(e event) {
	switch e.kind {
	case evCreate:
		m.files = append(m.files, &inode{})
		m.pending = append(m.pending, e)
	case evRename, evRemove:
		m.pending = append(m.pending, e)
	case evDirSync:
		m.names, m.pending = m.seen(), nil
	case evWrite, evSize:
		f := m.files[e.inode]
		f.pending = append(f.pending, e)
	case evSync:
		f := m.files[e.inode]
		for _, e := range f.pending {
			f.write(e)
		}
		f.pending = nil
	case evAck:
		m.acked = max(m.acked, e.count)
	}
}

// restless reports whether something has not come to the disk.
func (m *machine) restless() bool {
	return len(m.pending) > 0 || slices.ContainsFunc(m.files, func(f *inode) bool { return len(f.pending) > 0 })
}

// survival says what of the pending writes is on disk after a power cut.
type survival int

const (
	allDropped survival = iota
	allKept
	someWrites  // of each write all or nothing
	somePages   // of each write some parts of 4 KiB
	someSectors // of each write some parts of 512 bytes
	survivals
)

// cut writes into dir what a power cut leaves, or, with allKept, what the next
// process sees when only this one dies.
func (m *machine) cut(t testing.TB, dir string, rng *rand.Rand, how survival) {
	names := maps.Clone(m.names)
	for _, e := range m.pending {
		if how == allKept || how != allDropped && rng.IntN(2) == 0 {
			applyName(names, e)
		}
	}
	for name, i := range names {
		f := m.files[i]
		var kept []event
		for _, e := range f.pending {
			unit := len(e.data)
			switch how {
			case allDropped:
				continue
			case somePages:
				unit = 4096
			case someSectors:
				unit = 512
			}
			if how == allKept || len(e.data) == 0 {
				if how == allKept || rng.IntN(2) == 0 {
					kept = append(kept, e)
				}
				continue
			}
			for at := 0; at < len(e.data); at += unit {
				if rng.IntN(2) == 0 {
					kept = append(kept, event{kind: evWrite, off: e.off + int64(at), data: e.data[at:min(at+unit, len(e.data))]})
				}
			}
		}
		if err := writeSparse(filepath.Join(dir, name), f.content, kept); err != nil {
			t.Fatal(err)
		}
	}
}

var noBytes [4096]byte

// writeSparse makes a file without writing its zeros.
func writeSparse(path string, content []byte, then []event) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := 0; at < len(content); {
		zero := func(at int) bool {
			return bytes.Equal(content[at:min(at+4096, len(content))], noBytes[:min(4096, len(content)-at)])
		}
		if zero(at) {
			at += 4096
			continue
		}
		end := at + 4096
		for end < len(content) && !zero(end) {
			end += 4096
		}
		end = min(end, len(content))
		if _, err := f.WriteAt(content[at:end], int64(at)); err != nil {
			return err
		}
		at = end
	}
	size := int64(len(content))
	for _, e := range then {
		if e.kind == evSize {
			size = e.off
			continue
		}
		size = max(size, e.off+int64(len(e.data)))
		if _, err := f.WriteAt(e.data, e.off); err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

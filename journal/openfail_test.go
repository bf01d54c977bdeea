package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// stopping is a folder in which nothing succeeds any more from operation at on,
// and neither does a commit of a database. late says that the first that fails
// was carried out nevertheless.
type stopping struct {
	disk.Folder
	mu   sync.Mutex
	n    int
	at   int
	late bool
}

func (s *stopping) do(f func() error) error {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	if n > s.at || n == s.at && !s.late {
		return errCrash
	}
	if err := f(); err != nil {
		return err
	}
	if n == s.at {
		return errCrash
	}
	return nil
}

func (s *stopping) Open(name string, flag int) (f disk.File, err error) {
	open := func() error {
		f, err = s.Folder.Open(name, flag)
		return err
	}
	if flag == 0 { // nothing comes of it
		err = open()
	} else {
		err = s.do(open)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	return &stoppingFile{f, s}, nil
}

func (s *stopping) Rename(from, to string) error {
	return s.do(func() error { return s.Folder.Rename(from, to) })
}

func (s *stopping) Remove(name string) error {
	return s.do(func() error { return s.Folder.Remove(name) })
}

func (s *stopping) watch(_ string, commit func() error) error { return s.do(commit) }

type stoppingFile struct {
	disk.File
	s *stopping
}

func (f *stoppingFile) WriteAt(b []byte, off int64) (n int, err error) {
	err = f.s.do(func() error {
		n, err = f.File.WriteAt(b, off)
		return err
	})
	return n, err
}

func (f *stoppingFile) Sync() error { return f.s.do(f.File.Sync) }

// A process that ends at any operation, of opening, mending, carrying down or
// closing, loses nothing, and hides no loss.
func TestStopAtEachOperation(t *testing.T) {
	t.Parallel()
	died, closed := makeCasualties(t, 160)
	// Of this one only the last segment knows the last frames, and the history was
	// written before them.
	alone, _ := makeCasualties(t, 176)
	tail := func(files map[string][]byte, harm func(name string)) { // the segment with the last frame
		var l wal.Identity
		m, _ := parseMarker(string(files[markerName]))
		l = m.id
		newest, top := "", uint64(0)
		for i := range wal.Segments {
			dir := memoryDir(t)
			if err := os.WriteFile(filepath.Join(dir, wal.Name(i)), files[wal.Name(i)], 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := wal.Read(disk.At(dir), l)
			if err != nil {
				t.Fatal(err)
			}
			if n := topOf(found); n > top {
				newest, top = wal.Name(i), n
			}
		}
		harm(newest)
	}
	for _, kind := range []struct {
		name string
		from *casualty
		harm func(files map[string][]byte)
	}{
		{"died", died, nil},
		{"closed", closed, nil},
		{"newest meta", died, func(files map[string][]byte) { harms[15].do(nil, died, files) }},
		{"page of journal.db", died, func(files map[string][]byte) {
			b := files[liveName]
			clear(b[usedBytes(b)-pageSize : usedBytes(b)])
		}},
		{"many pages of journal.db", died, func(files map[string][]byte) {
			clear(files[liveName][2*pageSize : 30*pageSize])
		}},
		{"last segment alone removed", alone, func(files map[string][]byte) {
			tail(files, func(name string) { delete(files, name) })
		}},
		{"last segment alone cut off", alone, func(files map[string][]byte) {
			tail(files, func(name string) { files[name] = files[name][:wal.Page+100] })
		}},
		{"last segment removed", died, func(files map[string][]byte) {
			tail(files, func(name string) { delete(files, name) })
		}},
		{"last segment cut off", died, func(files map[string][]byte) {
			tail(files, func(name string) { files[name] = files[name][:wal.Page+100] })
		}},
		{"first frames of the last segment", died, func(files map[string][]byte) {
			tail(files, func(name string) { clear(files[name][wal.Page : 2*wal.Page]) })
		}},
		{"segments exchanged", died, func(files map[string][]byte) {
			files[wal.Name(0)], files[wal.Name(1)] = files[wal.Name(1)], files[wal.Name(0)]
		}},
		{"log removed after the close", closed, func(files map[string][]byte) {
			for i := range wal.Segments {
				delete(files, wal.Name(i))
			}
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			base, stops := memoryDir(t), 0
			for at, ended := 1, false; !ended; at += fewer {
				for _, late := range []bool{false, true} {
					files := make(map[string][]byte)
					for name, b := range kind.from.files {
						files[name] = bytes.Clone(b)
					}
					if kind.harm != nil {
						kind.harm(files)
					}
					dir := filepath.Join(base, strconv.Itoa(at)+strconv.FormatBool(late))
					if err := os.Mkdir(dir, 0o700); err != nil {
						t.Fatal(err)
					}
					for name, b := range files {
						if err := writeSparse(filepath.Join(dir, name), b, nil); err != nil {
							t.Fatal(err)
						}
					}
					a := kind.from.annals.copied()
					st := &stopping{Folder: disk.At(dir), at: at, late: late}
					o := Options{LogBytes: 1, MoveWithin: time.Millisecond, folder: st, watch: st.watch, BeforeAppend: func(_ uint64, c Change) error {
						a.take(c)
						return nil
					}}
					acked := len(a.worlds) - 1
					patient(t, "stopping at "+strconv.Itoa(at), func() {
						j, err := Open(dir, o)
						if err == nil && kind.harm == nil {
							s := &scribe{rng: rand.New(rand.NewPCG(uint64(at), 4)), writer: 9, newRun: j.NextRun}
							w := j.Writer()
							for range 40 {
								if err = w.Commit(s.group()...); err != nil {
									break
								}
								acked = len(a.worlds) - 1
							}
						}
						if err != nil && !errors.Is(err, errCrash) {
							t.Errorf("stopped at %d: %v", at, err)
						}
						if j != nil {
							if err := j.Close(); err != nil && !errors.Is(err, errCrash) {
								t.Errorf("stopped at %d: %v", at, err)
							}
						}
						if kind.harm == nil {
							if err := tryImage(a, dir, acked, false); err != nil {
								t.Errorf("stopped at %d (%v): %v", at, late, err)
							}
						} else if err := (&casualty{annals: a}).judge(dir, 0, new(tally)); err != nil {
							t.Errorf("stopped at %d (%v): %v", at, late, err)
						}
					})
					stops++
					ended = st.n < at || kind.harm == nil && at > 250
					for _, d := range []string{dir, dir + "-died"} {
						if err := os.RemoveAll(d); err != nil {
							t.Fatal(err)
						}
					}
					if t.Failed() {
						return
					}
				}
			}
			t.Logf("stopped %d times", stops)
		})
	}
}

// A journal that is being made is made anew when that was interrupted.
func TestStopWhileMade(t *testing.T) {
	t.Parallel()
	base := memoryDir(t)
	for at, ended := 1, false; !ended; at++ {
		dir := filepath.Join(base, strconv.Itoa(at))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		st := &stopping{Folder: disk.At(dir), at: at}
		j, err := Open(dir, Options{LogBytes: 1, folder: st, watch: st.watch})
		if err == nil {
			if err := j.Close(); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		} else if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		ended = st.n < at
		if err := tryImage(newAnnals(), dir, 0, false); err != nil {
			t.Fatalf("stopped at %d: %v", at, err)
		}
	}
}

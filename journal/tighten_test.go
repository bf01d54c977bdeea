package journal

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/journal/disk"
)

// longRunEnds makes a run whose record is long, ends it, and has it moved to the
// history, so that most of the live file is free.
func longRunEnds(t *testing.T, j *Journal) {
	t.Helper()
	run := j.NextRun()
	commit(t, j, begin(run, "long"))
	data := strings.Repeat("x", 400)
	w := j.Writer()
	for seq := range uint32(12000) {
		if err := w.Append(record(run, seq, data), Later); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.Sync(), j.logged.flush()); err != nil {
		t.Fatal(err)
	}
	commit(t, j, Change{Run: run, End: []byte("end")})
	moved(t, j)
}

// After a long run has ended the live file is made small again, while others
// read and write, and a lone commit costs a page of the log and nothing more.
func TestTighten(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Millisecond})
	lives := j.NextRun()
	commit(t, j, begin(lives, "lives"), record(lives, 0, "first"), Change{State: []Entry{{Table: "alarm", Key: "a", Value: []byte("b")}}})
	longRunEnds(t, j)
	large := fileSize(j.path(liveName))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if r, err := j.Load(lives); err != nil || len(r.Records) == 0 || string(r.Records[0].Data) != "first" {
					t.Errorf("read meanwhile: %d records, %v", len(r.Records), err)
					return
				}
			}
		})
	}
	for seq := uint32(1); fileSize(j.path(liveName)) >= large/4; seq++ {
		commit(t, j, record(lives, seq, "goes on"))
		if err := j.logged.flush(); err != nil {
			t.Fatal(err)
		}
		if seq == 100 {
			t.Fatalf("the live file stays at %d bytes", fileSize(j.path(liveName)))
		}
	}
	close(stop)
	wg.Wait()
	before := j.Stats()
	const n = 2000
	w := j.Writer()
	for seq := range uint32(n) {
		if err := w.Commit(record(lives, 1000+seq, "alone")); err != nil {
			t.Fatal(err)
		}
	}
	after := j.Stats()
	each := (after.Written() - before.Written()) / n
	t.Logf("live file: %d bytes, then %d; a lone commit writes %d bytes", large, fileSize(j.path(liveName)), each)
	if after.LiveWritten < before.LiveWritten {
		t.Error("bytes written to the file before are forgotten")
	}
	records := len(load(t, j, lives).Records)
	j = reopen(t, j, Options{})
	if r := j.Report(); !r.Clean || len(load(t, j, lives).Records) != records {
		t.Errorf("after it was opened again: %d records, want %d, %+v", len(load(t, j, lives).Records), records, r)
	}
	if l := listing(t, j.dir); strings.Contains(l, newSuffix) {
		t.Errorf("left: %s", l)
	}
}

// failing is a folder that fails at one of its operations on the new live file.
type failing struct {
	disk.Folder
	at    string
	armed *atomic.Bool
}

func (f failing) Remove(name string) error {
	if f.armed.Load() && f.at == "remove" && name == liveName+newSuffix {
		return errCrash
	}
	return f.Folder.Remove(name)
}

func (f failing) Rename(from, to string) error {
	if to != liveName || !f.armed.Load() {
		return f.Folder.Rename(from, to)
	}
	switch f.at {
	case "rename":
		return errCrash
	case "renamed":
		return errors.Join(f.Folder.Rename(from, to), errCrash)
	}
	return f.Folder.Rename(from, to)
}

// A copy of the live file that fails, at any commit of it or operation, costs
// nothing: the journal goes on with the larger file, or, where it is not known
// which of the two lies there, ends, and the next one has everything.
func TestTightenFails(t *testing.T) {
	t.Parallel()
	cases := 0
	for _, at := range []string{"remove", "rename", "renamed", "commit 1", "commit 2", "commit 3"} {
		dir := t.TempDir()
		var armed atomic.Bool
		var commits atomic.Int64
		j := openIn(t, dir, Options{MoveWithin: time.Millisecond, folder: failing{disk.At(dir), at, &armed}})
		j.logged.smaller = func(from *boltStore) (*boltStore, bool, error) {
			if n, ok := strings.CutPrefix(at, "commit "); ok && armed.Load() {
				plain := from.before
				defer func() { from.before = plain }()
				from.before = func([]op) error {
					if commits.Add(1) == int64(n[0]-'0') {
						return errCrash
					}
					return nil
				}
			}
			return j.smallerLive(from)
		}
		lives := j.NextRun()
		commit(t, j, begin(lives, "lives"), record(lives, 0, "first"))
		armed.Store(true)
		longRunEnds(t, j)
		tries := uint32(0)
		for fails := false; !fails && tries < 50; tries++ {
			err := j.Writer().Commit(record(lives, 1+tries, "goes on"))
			if err == nil {
				err = j.logged.flush()
			}
			j.logged.mu.Lock()
			fails = err != nil || !j.logged.noSmaller.IsZero()
			j.logged.mu.Unlock()
		}
		known := at != "rename" && at != "renamed"
		if (j.Err() == nil) != known {
			t.Errorf("%s: the journal says %v", at, j.Err())
		}
		cases++
		armed.Store(false)
		j = reopen(t, j, Options{})
		if n := len(load(t, j, lives).Records); n < int(tries) || !j.Report().Clean {
			t.Errorf("%s: %d records, want %d, report %+v", at, n, tries, j.Report())
		}
		if _, err := os.Stat(j.path(liveName + newSuffix)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: left: %v", at, err)
		}
	}
	t.Logf("%d cases", cases)
}

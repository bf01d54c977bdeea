package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/smallfs"
)

const smallDisk = 16 << 20

// awaitRoom waits until the journal has seen that there is room.
func awaitRoom(t *testing.T, j *Journal) {
	t.Helper()
	if n := j.Room(); n != nil {
		select {
		case <-n.Again:
		case <-time.After(time.Minute):
			t.Fatalf("no room after a minute: %v", n.Cause)
		}
	}
}

// commitAgain commits c as one who waits for room does: a checkpoint that began
// while there was none may still have it refused.
func commitAgain(t *testing.T, j *Journal, c Change) {
	t.Helper()
	w := j.Writer()
	for range 10 {
		awaitRoom(t, j)
		err := w.Commit(c)
		if err == nil {
			return
		}
		if !errors.Is(err, ErrNoRoom) {
			t.Fatal(err)
		}
	}
	t.Fatal("refused ten times, and there is room")
}

// tillRefused commits records of run 1 until there is no room, and returns how
// many were acknowledged.
func tillRefused(t *testing.T, j *Journal, seq uint32) uint32 {
	t.Helper()
	w := j.Writer()
	for end := seq + 10_000; seq < end; seq++ {
		err := w.Commit(record(1, seq, strings.Repeat("x", 3000)))
		if errors.Is(err, ErrNoRoom) {
			return seq
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("never refused")
	return 0
}

func word(n uint64) Change {
	return Change{Run: 3, Inbox: []Message{{Number: n, Time: epoch, Data: []byte("HOLD")}}, Essential: true}
}

// A file system of 16 MB that is filled to the last byte, whatever bbolt is about
// to write then: what an operator asks for is recorded, the journal can be closed
// and opened, and goes on when there is room.
func TestSmallDisk(t *testing.T) {
	t.Parallel()
	fs := smallfs.Mount(t, smallDisk)
	if fs == nil {
		return
	}
	dir := filepath.Join(fs.Dir, "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir, Options{MoveWithin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, j, begin(1, "a"), begin(3, "c"))
	var seq uint32
	var words uint64
	for _, free := range []int64{0, 1 << 12, 5 << 12, 40 << 12} {
		w := j.Writer()
		for range 300 {
			commit(t, j, record(1, seq, strings.Repeat("x", 3000)))
			seq++
		}
		fs.Fill(free)
		from := seq
		seq = tillRefused(t, j, seq)
		if n := j.Room(); n == nil || !errors.Is(n.Cause, syscall.ENOSPC) || n.Since.IsZero() {
			t.Fatalf("room: %+v", n)
		}
		for range 100 {
			words++
			if err := w.Commit(word(words)); err != nil {
				t.Fatalf("word %d: %v", words, err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatalf("close on a full disk: %v", err)
		}
		fs.Fill(0)
		if j, err = Open(dir, Options{MoveWithin: time.Millisecond}); err != nil {
			t.Fatalf("start on a full disk: %v", err)
		}
		if r := j.Report(); !r.Clean {
			t.Fatalf("%+v", r)
		}
		words++
		if err := j.Writer().Commit(word(words)); err != nil {
			t.Fatalf("word %d, after the start: %v", words, err)
		}
		all := load(t, j, 1)
		if len(all.Records) != int(seq) {
			t.Fatalf("%d records, %d were acknowledged", len(all.Records), seq)
		}
		t.Logf("%d KB free: %d records of 3 KB before it was refused", free>>10, seq-from)
		fs.Empty()
		commitAgain(t, j, Change{Run: 1, Drop: 1 << 30})
		seq = 0
		if n := len(load(t, j, 3).Inbox); n != int(words) {
			t.Fatalf("%d words, %d were acknowledged", n, words)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// The disk gets so many pages again, one more each time: every write of bbolt's
// is one that finds none.
func TestDiskFullAtEachPage(t *testing.T) {
	t.Parallel()
	fs := smallfs.Mount(t, 4<<20)
	if fs == nil {
		return
	}
	refusals := 0
	const pages = 24
	for free := range int64(pages) {
		dir := filepath.Join(fs.Dir, "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		j, err := Open(dir, Options{LogBytes: 1, Reserve: 64 << 10, MoveWithin: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, j, begin(1, "a"), begin(2, "b"), begin(3, "c"), record(2, 1, "b"))
		fs.Fill(free << 12)
		commit(t, j, Change{Run: 2, End: []byte("end"), Essential: true})
		var seq uint32
		for range 2 {
			seq = tillRefused(t, j, seq)
			refusals++
			commit(t, j, word(uint64(seq)))
			fs.Empty()
			commitAgain(t, j, record(1, seq, "there is room again"))
			seq++
			if seq > 200 {
				commit(t, j, Change{Run: 1, Drop: 1 << 30})
				seq = 0
			}
			fs.Fill(free << 12)
		}
		fs.Empty()
		awaitRoom(t, j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := Check(dir); err != nil || !r.Clean {
			t.Fatalf("%d pages: %+v, %v", free, r, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d refusals, with 0 to %d pages free", refusals, pages-1)
}

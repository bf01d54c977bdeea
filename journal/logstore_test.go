package journal

import (
	"errors"
	"testing"
)

// fill commits records of one run until so many segments of the log are begun,
// or the journal has failed.
func fill(t *testing.T, j *Journal, run uint64, seq *uint32, segments int) {
	t.Helper()
	w := j.Writer()
	room, begun := j.logged.room.Load(), 0
	for begun < segments {
		*seq++
		if err := w.Commit(record(run, *seq, string(make([]byte, 20_000)))); errors.Is(err, ErrFailed) {
			*seq--
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if now := j.logged.room.Load(); now > room {
			begun++
		}
		room = j.logged.room.Load()
	}
}

// Two crashes before a checkpoint is through leave all segments of the log with
// frames that the file has not. The journal goes on.
func TestTwoCrashesBeforeACheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var seq uint32
	for round := range 2 {
		j, err := Open(dir, Options{LogBytes: 1, beforeDown: func(ops []op) error {
			if len(ops) > 1 {
				return errCrash
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			commit(t, j, begin(1, "a"))
		}
		fill(t, j, 1, &seq, 1)
		if err := j.Close(); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	j := openIn(t, dir, Options{})
	patient(t, "the third journal", func() { fill(t, j, 1, &seq, 3) })
	if n := len(load(t, j, 1).Records); n != int(seq) {
		t.Errorf("%d records, want %d", n, seq)
	}
}

package journal

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// A journal whose checkpoints never end, because each life is cut off before,
// comes to hold frames in all three segments that the file does not have. The
// next life carries them down, and goes on.
func TestCheckpointsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cut := errors.New("cut off")
	seq := uint32(0)
	fill := func(j *Journal) (err error) {
		big := strings.Repeat("x", segmentLeast/8)
		for range 6 {
			if err = j.Writer().Commit(record(1, seq, big)); err != nil {
				return err
			}
			seq++
		}
		return nil
	}
	for life := range 3 {
		block := make(chan struct{})
		j, err := Open(dir, Options{LogBytes: 1, MoveWithin: time.Hour, Reserve: 1, beforeDown: func([]op) error {
			<-block // the life ends first
			return cut
		}})
		if err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			commit(t, j, begin(j.NextRun(), "lives"))
		}
		if err := fill(j); err != nil {
			t.Fatal(err)
		}
		copied := t.TempDir() + "/j"
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil { // as a kill leaves it
			t.Fatal(err)
		}
		close(block)
		if err := j.Close(); !errors.Is(err, cut) && err != nil {
			t.Fatal(err)
		}
		dir = copied
	}
	j := openIn(t, dir, Options{MoveWithin: time.Hour})
	if r := j.Report(); !r.Clean {
		t.Errorf("report %+v", r)
	}
	for range 8 {
		if err := fill(j); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(load(t, j, 1).Records); n != int(seq) {
		t.Errorf("%d records, want %d", n, seq)
	}
}

package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/journal/disk"
)

// A marker of which a bit flipped is damaged, not one of another version.
func TestFlippedVersionInMarker(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	damageFile(t, j.path(markerName), func(b []byte) []byte { return bytes.Replace(b, []byte("journal 2"), []byte("journal 3"), 1) })
	if j = reopen(t, j, Options{}); !j.Report().Clean {
		t.Errorf("report: %+v", j.Report())
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, markerName), []byte("holdfast journal 9\nwhatever\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrVersion) {
		t.Errorf("of version 9: %v", err)
	}
}

// What fails behind the log, before it is at work, is an error, not a hang.
func TestHistoryInUse(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := openBolt(j.path(historyName), false, 0)
	if err != nil {
		t.Fatal(err)
	}
	patient(t, "opening", func() {
		if _, err := Open(j.dir, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("got %v", err)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A live file that is sound, and does not say which frames it has, is mended: it
// may be an old one. It has all it should have here; the log tells.
func TestLiveFileWithoutItsEntries(t *testing.T) {
	t.Parallel()
	for _, key := range []string{keySequence, keyIdentity, keyFormat} {
		j := open(t, Options{})
		commit(t, j, begin(1, "a"), record(1, 1, "x"))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := openBolt(j.path(liveName), false, 0)
		if err == nil {
			err = errors.Join(s.Commit([]op{{opRemove, []byte(key), nil}}), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(j.dir, Options{})
		if err != nil {
			t.Fatalf("without %s: %v", key, err)
		}
		if r := again.Report(); r.Clean || len(r.Damaged) != 1 || r.Damaged[0].Run != 1 || len(load(t, again, 1).Records) != 1 {
			t.Errorf("without %s: report %+v", key, r)
		}
		commit(t, again, Change{Run: 1, LossNoted: true})
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// fullMarker has no room for a marker but the first.
type fullMarker struct {
	disk.Folder
	markers int
}

func (d *fullMarker) Open(name string, flag int) (disk.File, error) {
	if name == markerName+newSuffix {
		if d.markers++; d.markers > 1 {
			return nil, syscall.ENOSPC
		}
	}
	return d.Folder.Open(name, flag)
}

// A journal whose marker says that it is being made is made anew at the next
// open: it must not be gone on with.
func TestNoRoomForTheFirstMarker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(dir, Options{LogBytes: 1, folder: &fullMarker{Folder: disk.At(dir)}}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	commit(t, openIn(t, dir, Options{}), begin(1, "a"))
}

package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// dyingFolder is the folder of a process that dies at one of its operations:
// from then on none of them does anything.
type dyingFolder struct {
	disk.Folder
	state *dying
}

type dying struct {
	left int   // operations before it dies
	once error // it does not die, but fails so, once
	dead bool
}

func (d *dying) do(f func() error) error {
	if d.dead {
		return errCrash
	}
	if d.left--; d.left >= 0 || d.left < -1 && d.once != nil {
		return f()
	}
	if d.once != nil {
		return d.once
	}
	d.dead = true
	return errCrash
}

func (d dyingFolder) Open(name string, flag int) (f disk.File, err error) {
	if flag == 0 { // a look
		if d.state.dead {
			return nil, errCrash
		}
		f, err = d.Folder.Open(name, flag)
	} else {
		err = d.state.do(func() error { f, err = d.Folder.Open(name, flag); return err })
	}
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	return dyingFile{f, d.state}, nil
}

func (d dyingFolder) Rename(from, to string) error {
	return d.state.do(func() error { return d.Folder.Rename(from, to) })
}

func (d dyingFolder) Remove(name string) error {
	return d.state.do(func() error { return d.Folder.Remove(name) })
}

type dyingFile struct {
	disk.File
	state *dying
}

func (f dyingFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.state.do(func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f dyingFile) Sync() error { return f.state.do(f.File.Sync) }

// crashEverywhere calls act with a folder that dies before its first operation,
// before its second, and so on, until act gets through.
func crashEverywhere(t *testing.T, least int, act func(f dyingFolder) error) {
	t.Helper()
	for n := 0; ; n++ {
		f := dyingFolder{state: &dying{left: n}}
		err := act(f)
		switch {
		case t.Failed():
			t.Fatalf("crash before operation %d", n)
		case f.state.dead && err == nil:
			t.Fatalf("crash before operation %d: no error", n)
		case f.state.dead:
			continue
		case err != nil:
			t.Fatalf("nothing failed: %v", err)
		case n < least:
			t.Errorf("only %d crashes", n)
		}
		t.Logf("%d crashes", n)
		return
	}
}

// twoStates makes a closed journal, and a backup of another.
func twoStates(t *testing.T) (dir string, old map[uint64]Run, backup []byte, restored map[uint64]Run) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	changes := []Change{begin(1, "other1"), begin(2, "other2"), record(1, 1, "x"), {Run: 2, End: []byte("other")}}
	j := openIn(t, dir, Options{})
	commit(t, j, changes...)
	moved(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	src := open(t, Options{})
	commit(t, src, lives()...)
	moved(t, src)
	backup, _ = backupOf(t, src)
	return dir, model(changes), backup, model(lives())
}

// TestCrashWhileRestoring: wherever the process dies, the journal is the one from
// before or the restored one; and restore can be run again.
func TestCrashWhileRestoring(t *testing.T) {
	t.Parallel()
	origin, old, backup, restored := twoStates(t)
	was, became := 0, 0
	crashEverywhere(t, 40, func(f dyingFolder) error {
		dir := copyOf(t, origin)
		f.Folder = disk.At(dir)
		_, err := Restore(dir, bytes.NewReader(backup), Options{LogBytes: 1, folder: f})
		if !f.state.dead {
			return err
		}
		again := copyOf(t, dir)
		_, checkErr := HasLive(dir)
		j := openIn(t, dir, Options{})
		if checkErr != nil {
			t.Errorf("HasLive: %v", checkErr)
		}
		if _, err := j.Load(4); err == nil {
			became++
			same(t, j, restored)
			heldBy(t, j, restored, "restored from a backup of ")
		} else {
			was++
			same(t, j, old)
			if !j.Report().Clean {
				t.Errorf("report %+v", j.Report())
			}
		}
		if left := listing(t, dir); strings.Contains(left, stagedSuffix) || strings.Contains(left, exchangeName) {
			t.Errorf("left over: %s", left)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		j, r := restoreInto(t, again, backup)
		same(t, j, restored)
		heldBy(t, j, restored, "restored from a backup of ")
		if len(r.SetAside) != len(exchanged()) {
			t.Errorf("set aside: %v", r.SetAside)
		}
		return err
	})
	if was < 10 || became < 10 { // both were to be seen
		t.Errorf("%d times as before, %d times restored", was, became)
	}
}

// TestRestoreWithoutRoom: a restore that fails leaves the journal as it was, and
// nothing beside it; once the exchange has begun, it says that it goes on.
func TestRestoreWithoutRoom(t *testing.T) {
	t.Parallel()
	origin, old, backup, restored := twoStates(t)
	before := files(t, origin)
	untouched, begun := 0, 0
	for n := 0; ; n += 3 {
		dir := copyOf(t, origin)
		f := dyingFolder{disk.At(dir), &dying{left: n, once: syscall.ENOSPC}}
		_, err := Restore(dir, bytes.NewReader(backup), Options{LogBytes: 1, folder: f})
		if f.state.left >= 0 {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d: %v", n, err)
		}
		want := old
		if strings.Contains(err.Error(), "the exchange of the files has begun, and goes on") {
			want = restored
			begun++
		} else {
			untouched++
			if after := files(t, dir); !reflect.DeepEqual(after, before) {
				t.Fatalf("operation %d: the files were changed: %s", n, listing(t, dir))
			}
		}
		j := openIn(t, dir, Options{})
		if j.Report().Clean == (begun > 0) {
			t.Errorf("operation %d: report %+v", n, j.Report())
		}
		same(t, j, want)
		noted(t, j)
	}
	if untouched < 8 || begun < 3 {
		t.Errorf("%d times untouched, %d times begun", untouched, begun)
	}
}

// TestRestoreKeepsWhatWasThere: the state before is whole under its other names,
// also after a second restore.
func TestRestoreKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir, old, backup, restored := twoStates(t)
	var first Report
	for n := range 2 {
		j, r := restoreInto(t, dir, backup)
		if n == 0 {
			first = r
		}
		same(t, j, restored)
		noted(t, j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	back := t.TempDir()
	for _, name := range first.SetAside {
		own, _, _ := strings.Cut(name, ".before-restore-")
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(back, own), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	j := openIn(t, back, Options{})
	same(t, j, old)
	if !j.Report().Clean || j.Report().Interrupted {
		t.Errorf("report %+v", j.Report())
	}
}

// TestRestoredFilesAreOfAnotherJournal: no file of the state before is taken for
// one of the restored, though both were one journal once.
func TestRestoredFilesAreOfAnotherJournal(t *testing.T) {
	t.Parallel()
	for _, name := range exchanged() {
		if name == markerName {
			continue // it names the identity itself
		}
		j := open(t, Options{})
		commit(t, j, lives()...)
		b, _ := backupOf(t, j)
		dir := j.dir
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(into, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		r, err := Restore(into, bytes.NewReader(b), Options{LogBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, aside := range r.SetAside {
			if strings.HasPrefix(aside, name+".") {
				if err := os.Rename(filepath.Join(into, aside), filepath.Join(into, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := Open(into, Options{}); err == nil {
			t.Errorf("%s of the state before was taken", name)
		}
	}
}

// TestRestoreRefusedWhileOpen: a journal that a process has is not touched.
func TestRestoreRefusedWhileOpen(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	commit(t, j, begin(1, "one"))
	b, _ := backupOf(t, j)
	if _, err := Restore(j.dir, bytes.NewReader(b), Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	commit(t, j, record(1, 1, "goes on"))
}

// TestRestoreGoesOn: a restored journal is one like any other, for a long time.
func TestRestoreGoesOn(t *testing.T) {
	t.Parallel()
	src := open(t, Options{})
	commit(t, src, lives()...)
	b, _ := backupOf(t, src)
	j, _ := restoreInto(t, t.TempDir(), b)
	heldBy(t, j, model(lives()), "restored")
	for range 3 {
		for range 200 {
			run := j.NextRun()
			commit(t, j, begin(run, "new"+string(rune(run))), record(run, 1, strings.Repeat("x", 4000)), Change{Run: run, End: []byte("end")})
		}
		moved(t, j)
		j = reopen(t, j, Options{MoveWithin: time.Microsecond})
		if !j.Report().Clean {
			t.Fatalf("report %+v", j.Report())
		}
	}
}

// TestExchangeBegun: an exchange that has begun is told, and not taken for a
// journal in order; one whose file cannot be read is gone on with all the same.
func TestExchangeBegun(t *testing.T) {
	t.Parallel()
	for _, garbage := range []bool{false, true} {
		dir, old, _, restored := twoStates(t)
		src := open(t, Options{})
		commit(t, src, lives()...)
		b, _ := backupOf(t, src)
		f := dyingFolder{disk.At(dir), &dying{left: 1 << 30}}
		r := &restorer{Journal: unopened(dir, Options{LogBytes: 1, folder: f}), backup: bytes.NewReader(b)}
		var err error
		if r.info, err = ReadBackup(r.backup); err == nil {
			err = r.stage()
		}
		if err != nil {
			t.Fatal(err)
		}
		f.state.left = 5 // the file is there, and one of the old is aside
		if _, err := exchange(f, asideSuffix("restore", epoch)); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if garbage {
			damageFile(t, filepath.Join(dir, exchangeName), func(b []byte) []byte { clear(b); return b })
		}
		if live, err := HasLive(dir); err != nil || !live {
			t.Errorf("HasLive: %v, %v", live, err)
		}
		if r, err := Check(dir); err != nil || r.Clean || len(r.Sentences) != 1 || !strings.Contains(r.Sentences[0], "are being exchanged for others") {
			t.Errorf("check: %+v, %v", r, err)
		}
		j := openIn(t, dir, Options{})
		same(t, j, restored)
		saysOne(t, j.Report(), "that was gone on with. What was there before is kept as ")
		noted(t, j)
		if n := strings.Count(listing(t, dir), ".before-"); n != len(exchanged()) {
			t.Errorf("%d files are set aside, %d were there", n, len(old))
		}
	}
}

// TestFilesOfTheOwner: what root restores or salvages, the daemon's user can open.
func TestFilesOfTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of another user")
	}
	const uid, gid = 12345, 12346
	dir, _, backup, _ := twoStates(t)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for _, name := range append(exchanged(), lockName) {
			fi, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if st := fi.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid {
				t.Errorf("%s is of %d:%d", name, st.Uid, st.Gid)
			}
		}
	}
	if _, err := Restore(dir, bytes.NewReader(backup), Options{LogBytes: 1}); err != nil {
		t.Fatal(err)
	}
	check()
	for _, lose := range []string{"", liveName, wal.Name(0)} {
		if lose != "" {
			if err := os.Remove(filepath.Join(dir, lose)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Salvage(dir, Options{LogBytes: 1}); err != nil {
			t.Fatal(err)
		}
		check()
	}
}

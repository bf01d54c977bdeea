package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// backupOf returns a backup of j.
func backupOf(t testing.TB, j *Journal) ([]byte, BackupInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := j.Backup(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), info
}

// restoreInto restores a backup in dir and opens the journal.
func restoreInto(t testing.TB, dir string, backup []byte) (*Journal, Report) {
	t.Helper()
	r, err := Restore(dir, bytes.NewReader(backup), Options{LogBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if check, err := Check(dir); err != nil || len(check.Sentences) > len(r.Damaged) {
		t.Errorf("check after restore: %v %v", check.Sentences, err)
	}
	return openIn(t, dir, Options{}), r
}

// heldBy compares the runs that a journal names as damaged with the live ones of
// a model, and notes it on their record.
func heldBy(t testing.TB, j *Journal, want map[uint64]Run, words string) {
	t.Helper()
	damaged := map[uint64]Damage{}
	for _, d := range j.Report().Damaged {
		damaged[d.Run] = d
	}
	live := 0
	for run, w := range want {
		if w.End != nil {
			continue
		}
		live++
		if d := damaged[run]; d.ID != w.Header.ID || d.Ended || d.Lost || !strings.Contains(d.What, words) {
			t.Errorf("run %d is named as %+v", run, d)
		}
		commit(t, j, Change{Run: run, LossNoted: true})
	}
	if live != len(damaged) {
		t.Errorf("named: %+v, want %d", j.Report().Damaged, live)
	}
}

// TestBackupRoundTrip: what is restored is what was backed up, with the live runs
// held, wherever an ended run lay: in the log, in the live file, in the history.
func TestBackupRoundTrip(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, j *Journal) *Journal{
		"in the log":     func(t *testing.T, j *Journal) *Journal { return j },
		"in the file":    func(t *testing.T, j *Journal) *Journal { return reopen(t, j, Options{MoveWithin: time.Hour}) },
		"in the history": func(t *testing.T, j *Journal) *Journal { moved(t, j); return j },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := open(t, Options{MoveWithin: time.Hour})
			changes := lives()
			changes[0].Start.Script = "hash"
			for range 4 {
				j.NextRun()
			}
			changes = append(changes, Change{State: []Entry{{Table: "alarm", Key: "a", Value: []byte("one")}}})
			if err := j.PutScript("hash", []byte("source")); err != nil {
				t.Fatal(err)
			}
			commit(t, j, changes...)
			j = prepare(t, j)
			// What is only appended is in the backup, too.
			late := record(1, 77, "appended")
			if err := j.Writer().Append(late, Later); err != nil {
				t.Fatal(err)
			}
			want := model(append(changes[:len(changes)-1:len(changes)-1], late))
			b, info := backupOf(t, j)
			if info.Journal != identityText(j.id) || info.Runs != 2 || info.Bytes != int64(len(b)) || time.Since(info.Time) > time.Minute {
				t.Errorf("info %+v of %d bytes", info, len(b))
			}
			if read, err := ReadBackup(bytes.NewReader(b)); err != nil || !reflect.DeepEqual(read, info) {
				t.Errorf("read through: %+v, %v, want %+v", read, err, info)
			}
			back, r := restoreInto(t, t.TempDir(), b)
			if len(r.Damaged) != 2 || len(r.SetAside) != 0 || r.Clean {
				t.Errorf("report %+v", r)
			}
			same(t, back, want)
			heldBy(t, back, want, "restored from a backup of "+info.Time.Format(time.RFC3339)+": what the plant and the run did since then is not on record")
			if back.id == j.id {
				t.Error("it has the identity of the journal that was backed up")
			}
			if next := back.NextRun(); next <= 4+runSkip {
				t.Errorf("next run is %d", next)
			}
			if src, err := back.Script(t.Context(), "hash"); err != nil || string(src) != "source" {
				t.Errorf("script %q, %v", src, err)
			}
			var got string
			if err := back.State(t.Context(), "alarm", "", func(k string, v []byte) bool { got += k + "=" + string(v); return true }); err != nil || got != "a=one" {
				t.Errorf("table of the engine: %q, %v", got, err)
			}
			moved(t, back)
			same(t, back, want)
			back = reopen(t, back, Options{})
			if !back.Report().Clean {
				t.Errorf("after it was noted: %+v", back.Report())
			}
			same(t, back, want)
		})
	}
}

// TestBackupOfNothing: a new journal can be backed up and restored.
func TestBackupOfNothing(t *testing.T) {
	t.Parallel()
	b, info := backupOf(t, open(t, Options{}))
	if info.Runs != 0 {
		t.Errorf("info %+v", info)
	}
	j, _ := restoreInto(t, t.TempDir(), b)
	commit(t, j, begin(j.NextRun(), "first"))
}

// TestBackupWhileWriting backs up while 8 runs are written and end: of each run
// in the backup there are all records up to some one, and of runs that began and
// ended one after the other there is no later one without the one before.
func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Microsecond})
	const writers, records = 8, 5
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for n := range uint64(writers) {
		wg.Go(func() {
			w := j.Writer()
			for i := uint64(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				run := 1 + n + writers*i
				changes := []Change{begin(run, fmt.Sprint("run", run))}
				for seq := range uint32(records) {
					changes = append(changes, record(run, seq, "x"))
				}
				for _, c := range append(changes, Change{Run: run, End: []byte("end")}) {
					if err := w.Commit(c); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var backups [][]byte
	for len(backups) < 5 || j.Stats().Moved < 200 {
		b, _ := backupOf(t, j)
		if backups = append(backups, b); len(backups) > 5 {
			backups = backups[1:]
		}
		if t.Failed() {
			break
		}
	}
	close(stop)
	wg.Wait()
	for _, b := range backups {
		back, report := restoreInto(t, t.TempDir(), b)
		live, ended := map[uint64]bool{}, map[uint64]bool{}
		err := back.Live(func(r Run) error {
			live[r.Header.Run] = true
			for i, rec := range r.Records {
				if rec.Seq != uint32(i) {
					t.Errorf("run %d: record %d is %d", r.Header.Run, i, rec.Seq)
				}
			}
			return nil
		})
		err = errors.Join(err, back.Ended(t.Context(), 0, func(e EndedRun) bool {
			ended[e.Header.Run] = true
			if r := load(t, back, e.Header.Run); len(r.Records) != records || string(e.Summary) != "end" || live[e.Header.Run] {
				t.Errorf("ended run %d has %d records, summary %q, lives: %v", e.Header.Run, len(r.Records), e.Summary, live[e.Header.Run])
			}
			return true
		}))
		if err != nil {
			t.Error(err)
		}
		if len(report.Damaged) != len(live) || len(live) > writers {
			t.Errorf("%d live runs, %d are named", len(live), len(report.Damaged))
		}
		for run := range live {
			for before := run; before > writers; {
				if before -= writers; !ended[before] {
					t.Errorf("run %d lives, and run %d before it has not ended", run, before)
				}
			}
		}
		if len(ended) == 0 {
			t.Error("no run has ended")
		}
		noted(t, back)
	}
}

// TestRunEndsDuringBackup: a run that lives when the live file is read, and is in
// the history when that is, is restored once, as ended.
func TestRunEndsDuringBackup(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Microsecond})
	commit(t, j, begin(1, "ends"), begin(2, "lives"), record(1, 1, "x"))
	var b bytes.Buffer
	w := newBackupWriter(&b)
	w.head(j.id, epoch)
	goes := func() error { return nil }
	if err := w.section(backupLive, j.live.Scan, goes); err != nil {
		t.Fatal(err)
	}
	commit(t, j, Change{Run: 1, End: []byte("end")})
	moved(t, j)
	if err := errors.Join(w.section(backupHistory, j.history.Scan, goes), w.tail()); err != nil {
		t.Fatal(err)
	}
	back, r := restoreInto(t, t.TempDir(), b.Bytes())
	if len(r.Damaged) != 1 || r.Damaged[0].ID != "lives" || !strings.Contains(r.Sentences[0], ": 1 live run, which ") {
		t.Errorf("report %+v", r)
	}
	if got := load(t, back, 1); string(got.End) != "end" || len(got.Records) != 1 {
		t.Errorf("run 1 is %+v", got)
	}
	if refs, err := back.Find(t.Context(), "ends", 0); err != nil || len(refs) != 1 || !refs[0].Ended {
		t.Errorf("found %+v, %v", refs, err)
	}
	noted(t, back)
}

// noted puts on record what j says of live runs.
func noted(t testing.TB, j *Journal) {
	t.Helper()
	for _, d := range j.Report().Damaged {
		if !d.Lost && !d.Ended {
			commit(t, j, Change{Run: d.Run, LossNoted: true})
		}
	}
}

// failingWriter takes so many bytes.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errCrash
	}
	return len(p), nil
}

// TestBackupFails: an error of the reader, and a context that ends, end the
// backup and not the journal.
func TestBackupFails(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	commit(t, j, begin(1, "one"))
	for seq := range uint32(300) {
		commit(t, j, record(1, seq, strings.Repeat("x", 1000)))
	}
	for _, left := range []int{0, 100_000} {
		if _, err := j.Backup(t.Context(), &failingWriter{left}); !errors.Is(err, errCrash) {
			t.Errorf("a writer that takes %d bytes: %v", left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Backup(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	commit(t, j, record(1, 999, "goes on"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Backup(t.Context(), &bytes.Buffer{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a journal that is closed: %v", err)
	}
}

// TestBackupRefusesDamage: an entry that is damaged is not backed up as if it
// were whole, and not left out.
func TestBackupRefusesDamage(t *testing.T) {
	t.Parallel()
	for _, file := range []string{liveName, historyName} {
		key := runKey(tableEnded, 5)
		value := append(make([]byte, sealLen), "damaged"...)
		j, err := Open(t.TempDir(), Options{LogBytes: 1, wrap: func(name string, s store) store {
			if name == file {
				return oneMore{s, key, value}
			}
			return s
		}})
		if err == nil && file == historyName {
			err = j.history.file.Commit([]op{{opPut, key, value}})
		}
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := j.Backup(t.Context(), &b); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := ReadBackup(&b); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: what was written: %v", file, err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// oneMore is a store with one entry more, where all of it is read.
type oneMore struct {
	store
	key, value []byte
}

func (s oneMore) Scan(from, to []byte, f func(key, value []byte) bool) error {
	if from == nil && len(s.value) > 0 {
		if k, _, _ := unseal(s.key, s.value); k == nil && !f(s.key, s.value) {
			return nil
		}
	}
	return s.store.Scan(from, to, f)
}

// TestDamagedBackupRefused: a backup that has been cut anywhere, or of which any
// byte is another one, is refused, and nothing is touched.
func TestDamagedBackupRefused(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	commit(t, j, lives()...)
	moved(t, j)
	b, _ := backupOf(t, j)
	for n := range b {
		if _, err := ReadBackup(bytes.NewReader(b[:n])); !errors.Is(err, ErrBackup) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
		flipped := bytes.Clone(b)
		flipped[n] ^= 0x10
		if _, err := ReadBackup(bytes.NewReader(flipped)); !errors.Is(err, ErrBackup) && !errors.Is(err, ErrVersion) {
			t.Fatalf("byte %d is another one: %v", n, err)
		}
	}
	dir := closedJournal(t)
	before := files(t, dir)
	for name, bad := range map[string][]byte{
		"nothing":         nil,
		"something else":  []byte(strings.Repeat("holdfast journal 2\n", 10)),
		"cut":             b[:len(b)-1],
		"longer":          append(bytes.Clone(b), 0),
		"flipped":         flippedAt(b, len(b)/2),
		"of a later kind": flippedAt(b, len(backupMagic)+3),
	} {
		r, err := Restore(dir, bytes.NewReader(bad), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "cannot restore the journal in "+dir+": the backup cannot be used: it ") || len(r.Sentences) > 0 {
			t.Errorf("%s: %v, %v", name, err, r.Sentences)
		}
		if after := files(t, dir); !reflect.DeepEqual(after, before) {
			t.Errorf("%s: the files were changed", name)
		}
	}
}

func flippedAt(b []byte, n int) []byte {
	b = bytes.Clone(b)
	b[n] ^= 1
	return b
}

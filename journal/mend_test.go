package journal

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// flip changes the one place in a file where content stands in a page in use.
func flip(t *testing.T, path, content string) {
	t.Helper()
	in, err := inspectFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	damageFile(t, path, func(b []byte) []byte {
		for id := range in.met {
			if in.met[id] {
				page := b[id*pageSize : (id+1)*pageSize]
				if at := bytes.Index(page, []byte(content)); at >= 0 {
					page[at] ^= 1
					found++
				}
			}
		}
		return b
	})
	if found != 1 {
		t.Fatalf("%q stands in %d pages", content, found)
	}
}

// forgetLog empties the log of a closed journal, so that it cannot make good
// what is damaged in the live file.
func forgetLog(t testing.TB, dir string) {
	t.Helper()
	m, _, err := readMarker(disk.At(dir))
	if err == nil {
		err = wal.Create(disk.At(dir), m.id, segmentLeast)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// threeRuns makes a closed journal: runs 1 to 3 live, with a page and more each.
func threeRuns(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, err := Open(dir, Options{LogBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for run := uint64(1); run <= 3; run++ {
		c := begin(run, "id"+string(rune('0'+run)))
		for seq := range uint32(60) {
			c.Records = append(c.Records, Record{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: []byte(strings.Repeat("x", 100))})
		}
		c.Records[30].Data = []byte("the middle of run " + string(rune('0'+run)))
		commit(t, j, c)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	forgetLog(t, dir)
	return dir
}

// A damaged record costs its run only. The run is named at each open until
// that is on its record.
func TestDamagedRecordHoldsItsRun(t *testing.T) {
	t.Parallel()
	dir := threeRuns(t)
	flip(t, dir+"/"+liveName, "the middle of run 2")
	var aside string
	for round := range 2 {
		j, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := j.Report()
		if len(r.Damaged) != 1 || r.Damaged[0].Run != 2 || r.Damaged[0].ID != "id2" || r.Damaged[0].Lost || r.Damaged[0].Ended || r.Clean {
			t.Errorf("round %d: report %+v", round, r)
		}
		if round == 0 {
			if len(r.SetAside) != 1 {
				t.Fatalf("set aside: %v", r.SetAside)
			}
			aside = r.SetAside[0]
		}
		for run, n := range []int{60, 59, 60} {
			if got := len(load(t, j, uint64(run+1)).Records); got != n {
				t.Errorf("round %d: run %d has %d records, want %d", round, run+1, got, n)
			}
		}
		if next := j.NextRun(); next != 4+runSkip {
			t.Errorf("round %d: next run is %d", round, next)
		}
		// A message that arrives does not say that anybody has looked.
		commit(t, j, Change{Run: 2, Inbox: []Message{{Number: uint64(round), Time: epoch}}})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(dir + "/" + aside + ".txt")
	if err != nil || !strings.Contains(string(text), "record 30/1 of run 2) is damaged") || !strings.Contains(string(text), "run 2 (id2): it may have lost records") {
		t.Errorf("beside the file that was set aside: %q, %v", text, err)
	}
	if in, err := inspectFile(dir+"/"+aside, nil); err != nil || len(in.faults) != 1 {
		t.Errorf("the file that was set aside: %+v, %v", in, err)
	}
	j := openIn(t, dir, Options{})
	commit(t, j, record(2, 61, "nobody has looked"))
	j = reopen(t, j, Options{})
	if r := j.Report(); r.Clean || len(r.Damaged) != 1 {
		t.Errorf("after a record: report %+v", r)
	}
	noted := record(2, 62, "on hold")
	noted.LossNoted = true
	commit(t, j, noted)
	j = reopen(t, j, Options{})
	if r := j.Report(); !r.Clean || len(r.Damaged) != 0 {
		t.Errorf("after it was noted: report %+v", r)
	}
}

// Two files of one name can be set aside within one second.
func TestSetAsideTwice(t *testing.T) {
	t.Parallel()
	dir := threeRuns(t)
	for _, content := range []string{"the middle of run 1", "the middle of run 3"} {
		flip(t, dir+"/"+liveName, content)
		j, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(listing(t, dir), ".damaged-"); n != 4 {
		t.Errorf("%d files, want two and their texts", n)
	}
	r, err := Check(dir)
	if err != nil || len(r.Damaged) != 2 {
		t.Errorf("check: %+v, %v", r, err)
	}
}

// A list of free pages that is damaged costs nothing.
func TestDamagedFreelist(t *testing.T) {
	t.Parallel()
	dir := threeRuns(t)
	in, err := inspectFile(dir+"/"+liveName, nil)
	if err != nil {
		t.Fatal(err)
	}
	damageFile(t, dir+"/"+liveName, func(b []byte) []byte {
		b[in.meta.freelist*pageSize+pageHeaderLen] ^= 4
		return b
	})
	j := openIn(t, dir, Options{})
	if r := j.Report(); r.Clean || len(r.Damaged) != 0 || len(r.SetAside) != 1 {
		t.Errorf("report %+v", r)
	}
	if next := j.NextRun(); next != 4 {
		t.Errorf("next run is %d", next)
	}
}

// A file that is damaged while it is open gives errors, not the end of the process.
func TestDamageWhileOpen(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(f *os.File, size int64) error{
		"zeros": func(f *os.File, size int64) error {
			_, err := f.WriteAt(make([]byte, size-2*pageSize), 2*pageSize)
			return err
		},
		"cut off": func(f *os.File, _ int64) error { return f.Truncate(2 * pageSize) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := Open(threeRuns(t), Options{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(j.path(liveName), os.O_RDWR, 0)
			if err == nil {
				err = errors.Join(damage(f, fileSize(j.path(liveName))), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Load(1); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("Load: got %v", err)
			}
			// The log takes it; that the file below is gone shows at the checkpoint.
			if err := j.Writer().Commit(record(1, 100, "x")); err != nil {
				t.Errorf("Commit: got %v", err)
			}
			if err := j.logged.flush(); err == nil {
				t.Error("the file below is gone, and takes a checkpoint")
			}
			if err := j.Writer().Commit(record(1, 101, "x")); !errors.Is(err, ErrFailed) {
				t.Errorf("Commit after that: got %v", err)
			}
			if err := j.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("Close: got %v", err)
			}
		})
	}
}

// A branch that leads to an old page of the same keys makes a tree that is sound
// in itself. The list of free pages has that page: the newer one is taken, and
// the runs on it are named.
func TestBranchToAnOldPage(t *testing.T) {
	t.Parallel()
	dir := threeRuns(t)
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, j, record(2, 60, "the newest of run 2"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	forgetLog(t, dir)
	live := dir + "/" + liveName
	in, err := inspectFile(live, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for id := range in.met {
		page := whole[id*pageSize : (id+1)*pageSize]
		if !in.met[id] || pageFlags(page) != flagBranch {
			continue
		}
		below, err := parseBranch(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range below {
			keys := span{from: c.key}
			if i+1 < len(below) {
				keys.to = below[i+1].key
			}
			for old := range in.free {
				leaf, err := parseLeaf(whole[old*pageSize : (old+1)*pageSize])
				if !in.free[old] || err != nil || !keys.has(leaf[0].key) || !keys.has(leaf[len(leaf)-1].key) {
					continue
				}
				tried++
				damaged := bytes.Clone(whole)
				le.PutUint64(damaged[id*pageSize+pageHeaderLen+i*elementLen+8:], uint64(old))
				reachesOldPage(t, dir, damaged)
				// And when the list of free pages cannot tell.
				damaged[in.meta.freelist*pageSize+8] ^= 0xff
				reachesOldPage(t, dir, damaged)
			}
		}
	}
	if tried == 0 {
		t.Error("no old page is left in the file")
	}
}

// reachesOldPage opens a copy of a journal that was led astray.
func reachesOldPage(t *testing.T, from string, damaged []byte) {
	t.Helper()
	dir := t.TempDir() + "/copy"
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	damageFile(t, dir+"/"+liveName, func([]byte) []byte { return damaged })
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if r := j.Report(); len(r.Damaged) == 0 {
		t.Errorf("no run is named: %q", r.Sentences)
	}
	for run, n := range []int{60, 61, 60} {
		if got := len(load(t, j, uint64(run+1)).Records); got != n {
			t.Errorf("run %d has %d records, want %d", run+1, got, n)
		}
	}
}

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// specimen is a closed journal to be damaged, and what is in it.
type specimen struct {
	files    map[string][]byte
	older    map[string][][]byte // what they were before
	truth    map[uint64]Run
	versions map[string]bool // each record, message and summary that ever was
	top      uint64
}

func version(run uint64, v any) string { return fmt.Sprintf("%d %+v", run, v) }

func makeSpecimen(t *testing.T) *specimen {
	t.Helper()
	sp := &specimen{files: make(map[string][]byte), older: make(map[string][][]byte), versions: make(map[string]bool), top: 64}
	j := open(t, Options{MoveWithin: time.Hour})
	var changes []Change
	rng := rand.New(rand.NewPCG(7, 7))
	random := func() []byte {
		b := make([]byte, 20+rng.IntN(150))
		for i := range b {
			b[i] = byte(rng.IntN(64))
		}
		return b
	}
	for run := uint64(1); run <= sp.top; run++ {
		changes = append(changes, begin(run, fmt.Sprintf("id-%04d", run*7919%1000)))
	}
	for seq := range uint32(20) {
		for run := uint64(1); run <= sp.top; run++ {
			c := Change{Run: run, Records: []Record{
				{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: random()},
				{Seq: seq / 10 * 10, Kind: 2, Count: seq%10 + 1, Time: epoch, Data: random()}, // replaces
			}}
			if seq%5 == 0 {
				c.Inbox = []Message{{Number: uint64(seq), Time: epoch, Data: random()}}
			}
			if seq%5 == 1 && run%3 > 0 {
				c.Taken = []uint64{uint64(seq - 1)}
			}
			if seq == 15 && run == 40 || seq == 15 && run == 41 {
				c.Records[0].Data = bytes.Repeat(random(), 200) // over several pages
			}
			changes = append(changes, c)
		}
	}
	for run := uint64(1); run <= sp.top; run++ {
		if run%2 == 0 {
			changes = append(changes, Change{Run: run, End: random()})
		}
		if run%16 == 0 {
			changes = append(changes, Change{Run: run, Amend: random()})
		}
	}
	keep := func() {
		if err := j.logged.flush(); err != nil {
			t.Fatal(err)
		}
		quiet(t, j)
		for _, name := range []string{liveName, historyName} {
			b, err := os.ReadFile(j.path(name))
			if err != nil {
				t.Fatal(err)
			}
			sp.older[name] = append(sp.older[name], b)
		}
	}
	w := j.Writer()
	for i, c := range changes {
		for _, r := range c.Records {
			sp.versions[version(c.Run, r)] = true
		}
		for _, m := range c.Inbox {
			sp.versions[version(c.Run, m)] = true
		}
		sp.versions[version(c.Run, c.End)] = true
		sp.versions[version(c.Run, c.Amend)] = true
		if err := w.Append(c, Later); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
			moved(t, j)
			keep()
		}
	}
	sp.truth = modelOf(changes)
	moved(t, j)
	keep()
	commit(t, j, Change{Run: 2, Amend: []byte("amended after the move")})
	sp.versions[version(2, []byte("amended after the move"))] = true
	r := sp.truth[2]
	r.End = []byte("amended after the move")
	sp.truth[2] = r
	moved(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{liveName, historyName, markerName} {
		b, err := os.ReadFile(j.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if name != markerName {
			b = b[:used(t, b)]
		}
		sp.files[name] = b
	}
	return sp
}

// modelOf is model, with records in the order of their keys.
func modelOf(changes []Change) map[uint64]Run {
	runs := model(changes)
	for _, r := range runs {
		sortRun(&r)
	}
	return runs
}

// used returns how many bytes of a file are in use.
func used(t testing.TB, b []byte) int {
	t.Helper()
	in := &inspection{pageReader: newPageReader(bytes.NewReader(b), int64(len(b)))}
	in.metas()
	if in.rootless {
		t.Fatal("the specimen has no meta")
	}
	return int(in.meta.pages) * pageSize
}

// TestDamage damages files in many ways. Whatever is hurt, opening does not
// panic, hang or fail, what is given as whole is the truth, and the rest is named.
func TestDamage(t *testing.T) {
	t.Parallel()
	sp := makeSpecimen(t)
	var total sync.Map // file → number of cases
	t.Cleanup(func() {
		total.Range(func(where, n any) bool { t.Logf("%s: %d cases", where, n.(*atomic.Int64).Load()); return true })
	})
	for _, kind := range []struct {
		name  string
		cases int
		do    func(rng *rand.Rand, b []byte, used int) []byte
		stale bool // a page of an earlier time takes the place of one
	}{
		{"bit", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			b[rng.IntN(used)] ^= 1 << rng.IntN(8)
			return b
		}, false},
		{"bit in a page header", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			b[rng.IntN(used/pageSize)*pageSize+rng.IntN(pageHeaderLen)] ^= 1 << rng.IntN(8)
			return b
		}, false},
		{"bit in a table of elements", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			b[rng.IntN(used/pageSize)*pageSize+pageHeaderLen+rng.IntN(496)] ^= 1 << rng.IntN(8)
			return b
		}, false},
		{"page of zeros", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			at := rng.IntN(used/pageSize) * pageSize
			clear(b[at : at+pageSize])
			return b
		}, false},
		{"page of noise", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			at := rng.IntN(used/pageSize) * pageSize
			for i := range pageSize {
				b[at+i] = byte(rng.Uint32())
			}
			return b
		}, false},
		{"page in another's place", 200, func(rng *rand.Rand, b []byte, used int) []byte {
			from, to := rng.IntN(used/pageSize)*pageSize, rng.IntN(used/pageSize)*pageSize
			copy(b[to:to+pageSize], b[from:from+pageSize])
			return b
		}, false},
		{"cut off", 200, func(rng *rand.Rand, b []byte, used int) []byte { return b[:1+rng.IntN(used)] }, false},
		{"tail of zeros", 100, func(rng *rand.Rand, b []byte, used int) []byte {
			clear(b[rng.IntN(used):])
			return b
		}, false},
		{"one meta", 20, func(rng *rand.Rand, b []byte, _ int) []byte {
			b[rng.IntN(2)*pageSize+pageHeaderLen+rng.IntN(metaLen)] ^= 1 << rng.IntN(8)
			return b
		}, false},
		{"both metas", 20, func(rng *rand.Rand, b []byte, _ int) []byte {
			for i := range 2 {
				b[i*pageSize+pageHeaderLen+rng.IntN(metaLen)] ^= 1 << rng.IntN(8)
			}
			return b
		}, false},
		{"many bits", 50, func(rng *rand.Rand, b []byte, used int) []byte {
			for range 50 {
				b[rng.IntN(used)] ^= 1 << rng.IntN(8)
			}
			return b
		}, false},
		{"all noise", 5, func(rng *rand.Rand, b []byte, _ int) []byte {
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		}, false},
		{"page of an earlier time", 200, nil, true},
	} {
		for _, where := range []string{liveName, historyName, "large " + historyName} {
			t.Run(where+" "+kind.name, func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(11, uint64(len(kind.name)+len(where))))
				// One that is large is looked at quickly, and read through in the background.
				file, large := strings.CutPrefix(where, "large ")
				var seen tally
				in := len(sp.files[file])
				n, _ := total.LoadOrStore(where, new(atomic.Int64))
				want := cases(kind.cases)
				if s := os.Getenv(damageVariable); s != "" {
					var err error
					if want, err = strconv.Atoi(s); err != nil {
						t.Fatal(err)
					}
				}
				n.(*atomic.Int64).Add(int64(want))
				dir := memoryDir(t)
				for i := range want {
					dir := filepath.Join(dir, fmt.Sprint(i))
					damaged := bytes.Clone(sp.files[file])
					if kind.stale {
						old := sp.older[file][rng.IntN(len(sp.older[file]))]
						at := rng.IntN(min(in, len(old))/pageSize) * pageSize
						copy(damaged[at:at+pageSize], old[at:])
					} else {
						damaged = kind.do(rng, damaged, in)
					}
					sp.try(t, dir, file, damaged, large, i, &seen)
					if t.Failed() {
						t.Fatalf("case %d", i)
					}
				}
				t.Logf("%d cases: %d without effect, %d mended with nothing lost; runs: %d hurt, %d lost, worst case %d",
					want, seen.harmless, seen.mended, seen.hurt, seen.lost, seen.worst)
			})
		}
	}
}

// longVariable makes the tests of damage and of crashes take many more cases.
const longVariable = "JOURNAL_TEST_LONG"

func cases(n int) int {
	if os.Getenv(longVariable) == "" {
		n /= 3
	}
	return max(n/fewer, 5)
}

// memoryDir returns a folder in memory where there is one: syncing thousands of
// damaged files to a disk proves nothing more.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

type tally struct{ harmless, mended, hurt, lost, worst int }

// try opens a journal of which one file is as given.
func (sp *specimen) try(t *testing.T, dir, file string, damaged []byte, large bool, i int, seen *tally) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range sp.files {
		if name == file {
			b = damaged
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := i%4 == 0 // to look once more at what was mended
	o := Options{MoveWithin: time.Hour}
	if large {
		o.tests.large = 1
	}
	o.LogBytes = 1
	j, err := Open(dir, o)
	if err != nil {
		t.Errorf("cannot open: %v", err)
		return
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if again {
			sp.again(t, dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	early := make(map[uint64]bool) // read otherwise than it should be, while nobody knew
	if large {
		for run, want := range sp.truth {
			if got, err := j.Load(run); i%8 == 0 && err == nil && !reflect.DeepEqual(got, want) {
				early[run] = true
			}
		}
		for !j.history.read.Load() || j.history.doubted.Load() {
			<-time.After(50 * time.Microsecond)
		}
	}
	report := j.Report()
	named := make(map[uint64]Damage)
	for _, d := range report.Damaged {
		named[d.Run] = d
	}
	said := strings.Join(report.Sentences, "\n")
	traceless := strings.Contains(said, "without trace") || strings.Contains(said, "are lost from it")
	hurt, lost := 0, 0
	for run, want := range sp.truth {
		d, isNamed := named[run]
		if early[run] && !isNamed {
			t.Errorf("run %d was read, otherwise than it was, and is not named", run)
		}
		if file == liveName && want.End != nil && i%8 > 0 {
			continue // the history is as it was
		}
		got, err := j.Load(run)
		if file == historyName && want.End == nil && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("run %d lives, and is hurt by damage in the history: %v", run, err)
		}
		switch {
		case err == nil && reflect.DeepEqual(got, want):
			continue
		case errors.Is(err, ErrNotFound) && (isNamed && d.Lost || traceless):
			lost++
		case err != nil && !errors.Is(err, ErrNotFound) && isNamed && d.Ended:
			hurt++
		case err == nil && isNamed && !d.Lost:
			hurt++
			sp.genuine(t, got)
		default:
			t.Errorf("run %d: damage %+v, %v; %d records, want %d; report %q", run, d, err, len(got.Records), len(want.Records), report.Sentences)
		}
	}
	if report.Clean != (len(report.Sentences) == 0) || report.Clean && hurt+lost > 0 {
		t.Errorf("report: %+v", report)
	}
	switch {
	case report.Clean:
		seen.harmless++
	case hurt+lost == 0:
		seen.mended++
	}
	seen.hurt, seen.lost, seen.worst = seen.hurt+hurt, seen.lost+lost, max(seen.worst, hurt+lost)
	live := 0
	if err := j.Live(func(r Run) error {
		live++
		if sp.truth[r.Header.Run].End != nil {
			if _, isNamed := named[r.Header.Run]; !isNamed {
				t.Errorf("run %d has ended, and lives again", r.Header.Run)
			}
		}
		return nil
	}); err != nil {
		t.Errorf("walking live runs: %v", err)
	}
	if _, err := j.Find(t.Context(), "", 0); err != nil {
		t.Error(err)
	}
	run := j.NextRun()
	if run <= sp.top && !(live == 0 && traceless) {
		t.Errorf("number %d is given again", run)
	}
	w := j.Writer()
	for _, c := range []Change{begin(run, "new"), record(run, 1, "x"), {Run: run, End: []byte("end")}} {
		if err := w.Commit(c); err != nil {
			t.Errorf("cannot go on: %v", err)
		}
	}
}

// genuine checks that all of a hurt run was written once, if not last.
func (sp *specimen) genuine(t *testing.T, r Run) {
	t.Helper()
	run := r.Header.Run
	if !reflect.DeepEqual(r.Header, sp.truth[run].Header) {
		t.Errorf("run %d: header %+v", run, r.Header)
	}
	for _, rec := range r.Records {
		if !sp.versions[version(run, rec)] {
			t.Errorf("run %d: record that never was: %+v", run, rec)
		}
	}
	for _, m := range r.Inbox {
		if !sp.versions[version(run, m)] {
			t.Errorf("run %d: message that never was: %+v", run, m)
		}
	}
	if r.End != nil && !sp.versions[version(run, r.End)] {
		t.Errorf("run %d: summary that never was: %q", run, r.End)
	}
}

// again opens what was mended, and expects nothing more to mend.
func (sp *specimen) again(t *testing.T, dir string) {
	t.Helper()
	r, err := Check(dir)
	if err != nil {
		t.Error(err)
	}
	for _, s := range r.Sentences {
		if !strings.HasPrefix(s, "run ") && !strings.HasPrefix(s, "ended run ") {
			t.Errorf("after mending: %s", s)
		}
	}
	j, err := Open(dir, Options{LogBytes: 1, MoveWithin: time.Hour})
	if err != nil {
		t.Error(err)
		return
	}
	if again := j.Report(); len(again.SetAside) > 0 {
		t.Errorf("mended again: %q", again.Sentences)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

package journal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/journal/wal"
)

// damageVariable says how many files of each kind TestDamage and TestLogDamage damage.
const damageVariable = "JOURNAL_TEST_DAMAGE"

// casualty is a journal whose process has died, or that was closed, with what its
// files were at times before.
type casualty struct {
	files  map[string][]byte
	older  []map[string][]byte
	annals *annals
}

var casualFiles = []string{liveName, historyName, markerName, wal.Name(0), wal.Name(1), wal.Name(2)}

func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, name := range casualFiles {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	return files
}

// makeCasualties has one writer work, one group a frame, so that only the last
// group is in the last frame, and returns the files before and after the close.
func makeCasualties(t *testing.T, rounds int) (died, closed *casualty) {
	t.Helper()
	dir := memoryDir(t)
	j := openIn(t, dir, Options{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	shortLog(t, dir, 16)
	a := newAnnals()
	j = openIn(t, dir, Options{MoveWithin: time.Hour, BeforeAppend: func(_ uint64, c Change) error {
		a.take(c)
		return nil
	}})
	s := &scribe{rng: rand.New(rand.NewPCG(8, 8)), newRun: j.NextRun}
	others := &scribe{rng: rand.New(rand.NewPCG(8, 9)), writer: 1, newRun: j.NextRun}
	w := j.Writer()
	died = &casualty{annals: a}
	for i := range rounds {
		by := s
		if i%2 == 1 {
			by = others
		}
		if err := w.Commit(by.group()...); err != nil {
			t.Fatal(err)
		}
		if i%20 == 10 {
			moved(t, j)
			if i%40 == 10 {
				if err := j.logged.flush(); err != nil {
					t.Fatal(err)
				}
			}
			quiet(t, j)
			died.older = append(died.older, snapshot(t, dir))
		}
	}
	quiet(t, j)
	died.files = snapshot(t, dir)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return died, &casualty{files: snapshot(t, dir), older: append(slices.Clone(died.older), died.files), annals: a}
}

// quiet waits until nothing is carried down.
func quiet(t *testing.T, j *Journal) {
	t.Helper()
	j.logged.mu.Lock()
	defer j.logged.mu.Unlock()
	for j.logged.err == nil && (j.logged.sealed != nil || j.logged.nextTop > j.logged.metas[1]) {
		j.logged.settled.Wait()
	}
}

// harm is a way to damage a journal. tail says how many of the last groups it
// can take without a trace: what damage makes of the last frame looks like one
// that was not written whole, and an older copy of the last segment like a log
// that ends there.
type harm struct {
	name string
	tail int
	do   func(rng *rand.Rand, c *casualty, files map[string][]byte)
}

func anyPage(rng *rand.Rand, b []byte) []byte {
	at := rng.IntN(len(b)/wal.Page) * wal.Page
	return b[at : at+wal.Page]
}

var harms = []harm{
	{"bit of the log", 1, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		anyPage(rng, files[wal.Name(rng.IntN(3))])[rng.IntN(600)] ^= 1 << rng.IntN(8)
	}},
	{"page of the log zero", 1, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		clear(anyPage(rng, files[wal.Name(rng.IntN(3))]))
	}},
	{"page of the log noise", 1, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		b := anyPage(rng, files[wal.Name(rng.IntN(3))])
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}},
	{"page of the log in another's place", 1, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		copy(anyPage(rng, files[wal.Name(rng.IntN(3))]), anyPage(rng, files[wal.Name(rng.IntN(3))]))
	}},
	{"page of the log stale", 1, func(rng *rand.Rand, c *casualty, files map[string][]byte) {
		name := wal.Name(rng.IntN(3))
		old := c.older[rng.IntN(len(c.older))][name]
		at := rng.IntN(len(old)/wal.Page) * wal.Page
		copy(files[name][at:at+wal.Page], old[at:])
	}},
	{"segment cut off", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		name := wal.Name(rng.IntN(3))
		files[name] = files[name][:rng.IntN(len(files[name]))]
	}},
	{"segments exchanged", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		a, b := wal.Name(rng.IntN(3)), wal.Name(rng.IntN(3))
		files[a], files[b] = files[b], files[a]
	}},
	{"segment in another's place", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		files[wal.Name(rng.IntN(3))] = bytes.Clone(files[wal.Name(rng.IntN(3))])
	}},
	{"older segment", 1 << 20, func(rng *rand.Rand, c *casualty, files map[string][]byte) {
		name := wal.Name(rng.IntN(3))
		files[name] = bytes.Clone(c.older[rng.IntN(len(c.older))][name])
	}},
	{"segments removed", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		for range 1 + rng.IntN(3) {
			delete(files, wal.Name(rng.IntN(3)))
		}
	}},
	{"older journal.db", 0, func(rng *rand.Rand, c *casualty, files map[string][]byte) {
		files[liveName] = bytes.Clone(c.older[rng.IntN(len(c.older))][liveName])
	}},
	{"marker", 0, func(rng *rand.Rand, c *casualty, files map[string][]byte) {
		b := files[markerName]
		switch rng.IntN(4) {
		case 0:
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		case 1:
			files[markerName] = b[:rng.IntN(len(b))]
		case 2:
			delete(files, markerName)
		case 3:
			files[markerName] = bytes.Clone(c.older[rng.IntN(len(c.older))][markerName])
		}
	}},
	{"bit of journal.db", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		b := files[liveName]
		b[rng.IntN(usedBytes(b))] ^= 1 << rng.IntN(8)
	}},
	{"page of journal.db zero", 0, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		b := files[liveName]
		clear(anyPage(rng, b[:usedBytes(b)]))
	}},
	{"page of journal.db stale", 0, func(rng *rand.Rand, c *casualty, files map[string][]byte) {
		b, old := files[liveName], c.older[rng.IntN(len(c.older))][liveName]
		at := rng.IntN(usedBytes(old)/pageSize) * pageSize
		copy(b[at:at+pageSize], old[at:])
	}},
	{"newest meta of journal.db", 0, func(_ *rand.Rand, _ *casualty, files map[string][]byte) {
		b := files[liveName]
		newest := 0
		if le.Uint64(b[pageSize+pageHeaderLen+48:]) > le.Uint64(b[pageHeaderLen+48:]) {
			newest = pageSize
		}
		clear(b[newest : newest+pageSize])
	}},
	{"bit of the log, and of journal.db", 1, func(rng *rand.Rand, _ *casualty, files map[string][]byte) {
		anyPage(rng, files[wal.Name(rng.IntN(3))])[rng.IntN(600)] ^= 1 << rng.IntN(8)
		b := files[liveName]
		b[rng.IntN(usedBytes(b))] ^= 1 << rng.IntN(8)
	}},
}

// usedBytes returns how many bytes of a database are in use, or once were.
func usedBytes(b []byte) int {
	for at := len(b) - pageSize; at > 0; at -= pageSize {
		if !bytes.Equal(b[at:at+pageSize], noBytes[:]) {
			return at + pageSize
		}
	}
	return pageSize
}

// judge opens a damaged journal: it opens, and what it gives as whole is the
// truth; or says what to do.
func (c *casualty) judge(dir string, tail int, seen *tally) error {
	o := Options{LogBytes: 1, MoveWithin: time.Hour}
	j, err := Open(dir, o)
	if err != nil {
		if text := err.Error(); !strings.Contains(text, "restore") && !strings.Contains(text, "put the right file") {
			return fmt.Errorf("it does not say what to do: %w", err)
		}
		seen.lost++
		return nil
	}
	defer j.Close()
	r := j.Report()
	named := make(map[uint64]bool)
	for _, d := range r.Damaged {
		named[d.Run] = true
	}
	text := strings.Join(r.Sentences, "\n")
	lossy := strings.Contains(text, "lost: ") || strings.Contains(text, "without trace") || strings.Contains(text, "are lost from it")
	last := len(c.annals.worlds) - 1
	truth := c.annals.worlds[last]
	if n, err := c.annals.found(j); err == nil && n < last && n >= last-tail {
		truth = c.annals.worlds[n] // a log that ends before
	}
	for run, want := range truth.runs {
		got, err := j.Load(run)
		switch {
		case err == nil && reflect.DeepEqual(got, *want):
		case named[run]:
			seen.hurt++
		case lossy && (err != nil || got.End != nil):
			seen.hurt++
		default:
			return fmt.Errorf("run %d is not named: %v\ngot  %s\nwant %s\nreport %q", run, err, short(got), short(*want), r.Sentences)
		}
	}
	err = j.Live(func(r Run) error {
		if want := truth.runs[r.Header.Run]; want == nil || want.End != nil && !named[r.Header.Run] {
			return fmt.Errorf("run %d lives", r.Header.Run)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if state, err := stateOf(j); err != nil || r.Clean && !maps.Equal(state, truth.state) {
		return fmt.Errorf("state %v, %v", state, err)
	}
	if r.Clean {
		seen.harmless++
	}
	// It goes on, through all segments.
	run := j.NextRun()
	if truth.runs[run] != nil {
		return fmt.Errorf("number %d is given again", run)
	}
	w := j.Writer()
	if err := w.Commit(begin(run, "new")); err != nil {
		return err
	}
	for i := range 50 {
		if err := w.Commit(record(run, uint32(i), "x")); err != nil {
			return err
		}
	}
	// The process dies; what was said is said again, and nothing is added to it.
	died := dir + "-died"
	if err := os.Mkdir(died, 0o700); err != nil {
		return err
	}
	j.logged.commit.Lock()
	j.logged.mu.Lock()
	for j.logged.err == nil && (j.logged.sealed != nil || j.logged.nextTop > j.logged.metas[1]) {
		j.logged.settled.Wait()
	}
	j.logged.mu.Unlock()
	for _, name := range casualFiles {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = writeSparse(filepath.Join(died, name), b, nil)
		}
		if err != nil {
			j.logged.commit.Unlock()
			return err
		}
	}
	j.logged.commit.Unlock()
	again, err := Open(died, o)
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	for _, d := range again.Report().Damaged {
		if !named[d.Run] {
			err = fmt.Errorf("again: run %d is named, and was not: %+v; before %q", d.Run, again.Report().Sentences, r.Sentences)
		}
	}
	if got, lerr := again.Load(run); lerr != nil || len(got.Records) != 50 {
		err = fmt.Errorf("again: run %d has %d records, %v", run, len(got.Records), lerr)
	}
	if err != nil {
		again.Close()
		return err
	}
	return again.Close()
}

// Whatever is damaged of the log, of the marker, and of the live file beside a
// log that is needed: opening ends, and what is given as whole is the truth.
func TestLogDamage(t *testing.T) {
	t.Parallel()
	died, closed := makeCasualties(t, 160)
	cases := max(50/fewer, 5)
	if s := os.Getenv(damageVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		cases = n
	}
	for name, c := range map[string]*casualty{"died": died, "closed": closed} {
		for _, h := range harms {
			t.Run(name+" "+h.name, func(t *testing.T) {
				t.Parallel()
				var seen tally
				base := memoryDir(t)
				for i := range cases {
					rng := rand.New(rand.NewPCG(uint64(i), 12))
					files := make(map[string][]byte)
					for name, b := range c.files {
						files[name] = bytes.Clone(b)
					}
					h.do(rng, c, files)
					dir := filepath.Join(base, strconv.Itoa(i))
					if err := os.Mkdir(dir, 0o700); err != nil {
						t.Fatal(err)
					}
					for name, b := range files {
						if err := writeSparse(filepath.Join(dir, name), b, nil); err != nil {
							t.Fatal(err)
						}
					}
					patient(t, fmt.Sprintf("case %d", i), func() {
						if err := c.judge(dir, h.tail, &seen); err != nil {
							t.Errorf("case %d: %v", i, err)
						}
					})
					if t.Failed() {
						return
					}
					for _, d := range []string{dir, dir + "-died"} {
						if err := os.RemoveAll(d); err != nil {
							t.Fatal(err)
						}
					}
				}
				t.Logf("%d cases: %d without effect, %d refused; %d runs hurt", cases, seen.harmless, seen.lost, seen.hurt)
			})
		}
	}
}

// A page that a disk did not write, and left as it was, has sound entries only:
// of a closed journal nothing but the sum tells.
func TestStalePage(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	j := openIn(t, dir, Options{MoveWithin: time.Hour})
	commit(t, j, begin(1, "a"), begin(2, "b"))
	for i := range 40 {
		commit(t, j, Change{State: []Entry{{Table: "alarm", Key: "tank", Value: []byte(strconv.Itoa(i))}}})
		if err := j.logged.flush(); err != nil {
			t.Fatal(err)
		}
		quiet(t, j)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, liveName)
	s, err := openBolt(path, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := s.sum
	value, err := s.Get(appendStateKey(nil, "alarm", "tank"))
	if err == nil {
		older := append(make([]byte, sealLen), "38"...)
		seal(appendStateKey(nil, "alarm", "tank"), older, readUint64(value[4:])-1)
		err = s.Commit([]op{{opPut, appendStateKey(nil, "alarm", "tank"), older}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return putSum(tx.Bucket([]byte(bucketName)), now) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(dir, Options{MoveWithin: time.Hour}); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if r := j.Report(); r.Clean || len(r.Damaged) != 2 || !strings.Contains(strings.Join(r.Sentences, "\n"), "earlier time") {
		t.Errorf("%+v", r)
	}
	commit(t, j, Change{Run: 1, LossNoted: true}, Change{Run: 2, LossNoted: true})
}

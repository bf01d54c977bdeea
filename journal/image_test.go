package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/journal/wal"
)

// ideal is what a journal should hold: runs, and what they are found by.
type ideal map[uint64]idealRun

type idealRun struct {
	Run
	terms []string
}

func (m ideal) clone() ideal { return maps.Clone(m) }

// holds compares all that j gives out with what it may hold: for each run, any
// of the states given.
func (m ideal) holds(t testing.TB, j *Journal, or ideal) {
	t.Helper()
	ended := make(map[uint64]idealRun)
	for _, run := range slices.Sorted(maps.Keys(union(m, or))) {
		got, err := j.Load(run)
		ok := false
		for _, may := range []ideal{m, or} {
			w, there := may[run]
			if there && err == nil && reflect.DeepEqual(got, w.Run) || !there && errors.Is(err, ErrNotFound) {
				ok = true
				if there && w.End != nil {
					ended[run] = w
				}
			}
		}
		if !ok {
			t.Errorf("run %d: %v; got %.200v, want %.200v or %.200v", run, err, got, m[run], or[run])
		}
		id := fmt.Sprintf("run-%06d", run)
		refs, ferr := j.Find(t.Context(), id, 0)
		if ferr != nil || (len(refs) == 1) != (err == nil) || len(refs) == 1 && (refs[0].Run != run || refs[0].Ended != (got.End != nil)) {
			t.Errorf("run %d, loaded with %v, is found as %v, %v", run, err, refs, ferr)
		}
	}
	terms := map[string]bool{"": true}
	for _, w := range ended {
		for _, term := range w.terms {
			terms[term] = true
		}
	}
	for term := range terms {
		var want []listed
		for _, run := range slices.Backward(slices.Sorted(maps.Keys(ended))) {
			if w := ended[run]; term == "" || slices.Contains(w.terms, term) {
				want = append(want, listed{run, string(w.End)})
			}
		}
		if got := list(t, j, term, 0); !slices.Equal(got, want) {
			t.Errorf("list %q: got  %v\nwant %v", term, got, want)
		}
	}
}

func union(a, b ideal) ideal {
	out := a.clone()
	maps.Copy(out, b)
	return out
}

// camera takes an image of a journal's folder, as a kill would leave it, before
// and after each commit and each operation on files.
type camera struct {
	mu     sync.Mutex
	dir    string
	to     string
	images int
	before []ideal // of each image: what was acknowledged before
	after  []ideal // and what was under way
	at     []string
	now    [2]ideal
}

func (c *camera) options(o Options) Options {
	o.wrap = func(name string, s store) store { return &filmed{s, name, c} }
	o.tests.step = func(what string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.take(what)
	}
	return o
}

func (c *camera) doing(before, after ideal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = [2]ideal{before, after}
}

func (c *camera) take(what string) error {
	to := filepath.Join(c.to, fmt.Sprint(c.images))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{wal.Name(0), wal.Name(1), wal.Name(2), liveName, historyName, historyName + newSuffix, markerName} {
		b, err := os.ReadFile(filepath.Join(c.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	c.images++
	c.before, c.after, c.at = append(c.before, c.now[0]), append(c.after, c.now[1]), append(c.at, what)
	return nil
}

type filmed struct {
	store
	name string
	c    *camera
}

func (f *filmed) Commit(ops []op) error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if f.name == historyName {
		if err := f.c.take("before a commit of " + f.name); err != nil {
			return err
		}
	}
	err := f.store.Commit(ops)
	return errors.Join(err, f.c.take("after a commit of "+f.name))
}

// A crash at any commit or operation on files, of moves, deletions, retention
// and compaction, leaves each run whole or gone, and all lists agree.
func TestCrashImages(t *testing.T) {
	t.Parallel()
	c := &camera{dir: memoryDir(t), to: memoryDir(t)}
	o := Options{MoveWithin: time.Hour}
	o.tests.compactAt = 1
	rng := rand.New(rand.NewPCG(9, 9))
	now := ideal{}
	c.doing(now, now)
	j, err := Open(c.dir, c.options(o))
	if err != nil {
		t.Fatal(err)
	}
	// do carries out one thing that changes what the journal should hold.
	do := func(change func(m ideal), f func()) {
		next := now.clone()
		change(next)
		c.doing(now, next)
		f()
		now = next
		c.doing(now, now)
	}
	end := func(from, to uint64) {
		for run := from; run <= to; run++ {
			ch := ten(rng, run, fmt.Sprint("mod=", run%3), "all")
			if run == 9 {
				ch.Records[0].Data = noise(rng, 1<<20+1<<19)
			}
			do(func(m ideal) { m[run] = idealRun{asRun(ch), ch.Terms} }, func() { commit(t, j, ch) })
		}
		moved(t, j)
	}
	amend := func(run uint64) {
		do(func(m ideal) { r := m[run]; r.End = []byte("amended"); m[run] = r }, func() { commit(t, j, Change{Run: run, Amend: []byte("amended")}) })
	}
	remove := func(runs ...uint64) {
		do(func(m ideal) {
			for _, run := range runs {
				delete(m, run)
			}
		}, func() {
			if n, err := j.Delete(t.Context(), runs...); n != len(runs) || err != nil {
				t.Fatalf("deleted %d of %v: %v", n, runs, err)
			}
		})
		moved(t, j)
	}
	end(1, 12)
	amend(3)
	amend(4)
	moved(t, j)
	remove(2, 3, 9)
	end(13, 60)
	commitWaiting := ten(rng, 61, "all")
	do(func(m ideal) { m[61] = idealRun{asRun(commitWaiting), commitWaiting.Terms} }, func() { commit(t, j, commitWaiting) })
	remove(1, 4, 20, 61) // the last waits for its move
	remove(30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	// Retention at the next start.
	o.Retention = Retention{Runs: 10}
	do(func(m ideal) {
		for run := range m {
			if run < 51 {
				delete(m, run)
			}
		}
	}, func() {
		if j, err = Open(c.dir, c.options(o)); err != nil {
			t.Fatal(err)
		}
		for j.history.runs.Load() != 10 || j.Stats().Deleted == 0 {
			<-time.After(time.Millisecond)
		}
	})
	now.holds(t, j, now)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]int)
	for i := range c.images {
		dir := filepath.Join(c.to, fmt.Sprint(i))
		kinds[c.at[i]]++
		j, err := Open(dir, Options{MoveWithin: time.Hour})
		if err != nil {
			t.Fatalf("image %d, %s: %v", i, c.at[i], err)
		}
		if r := j.Report(); !r.Clean {
			t.Errorf("report: %q", r.Sentences)
		}
		c.before[i].holds(t, j, c.after[i])
		if i%7 == 0 { // what was under way goes on
			moved(t, j)
			c.before[i].holds(t, j, c.after[i])
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if r, err := Check(dir); err != nil || !r.Clean {
			t.Errorf("check: %q, %v", r.Sentences, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("image %d of %d, %s", i, c.images, c.at[i])
		}
	}
	t.Logf("%d images: %v", c.images, kinds)
	if kinds["rename a compaction"] < 3 || kinds["sync the folder"] < 3 {
		t.Error("too few compactions")
	}
}

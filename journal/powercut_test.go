package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// imagesVariable says how many images TestPowerCut opens, if not its own number.
const imagesVariable = "JOURNAL_TEST_IMAGES"

// shortLog gives a closed journal a log of segments of so many pages.
func shortLog(t testing.TB, dir string, pages int64) {
	t.Helper()
	m, _, err := readMarker(disk.At(dir))
	if err == nil {
		err = wal.Create(disk.At(dir), m.id, pages*wal.Page)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// story is what a process did with a journal, and what became of the files.
type story struct {
	annals *annals
	from   *machine // before
	trace  []event
	before int // groups that were acknowledged before
}

// patient runs f, and fails the test when it does not come to an end.
func patient(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<16)
		t.Errorf("%s hangs:\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// lived has writers work with the journal in dir, of which from knows what is on
// disk, and writes down what comes of it. A journal that is not closed is left
// as if its process had died, but what it held is given back.
func lived(t testing.TB, dir string, from *machine, a *annals, seed uint64, writers, groups int) *story {
	t.Helper()
	tr := newTracer(dir, from)
	var mu sync.Mutex
	o := Options{LogBytes: 1, MoveWithin: time.Millisecond, folder: tr, watch: tr.watch, BeforeAppend: func(_ uint64, c Change) error {
		mu.Lock()
		defer mu.Unlock()
		a.take(c)
		return nil
	}}
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	n, err := a.found(j)
	if err != nil {
		t.Fatal(err)
	}
	a.forget(n) // what had not been acknowledged and is missing never was
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			s := &scribe{rng: rand.New(rand.NewPCG(seed, uint64(i))), writer: 100*int(seed) + i, newRun: j.NextRun, largest: 90_000}
			w := j.Writer()
			for n := range groups {
				cs := s.group()
				if len(cs) == 1 && s.rng.IntN(3) == 0 && n < groups-1 {
					if err := w.Append(cs[0], Urgency(s.rng.IntN(2))); err != nil {
						t.Error(err)
					}
					continue
				}
				if err := w.Commit(cs...); err != nil {
					t.Error(err)
					return
				}
				name, _ := tagOf(cs[len(cs)-1])
				mu.Lock()
				n := a.at[name]
				mu.Unlock()
				tr.ack(n)
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	tr.ack(len(a.worlds) - 1)
	return &story{annals: a, from: from, trace: tr.settled(t, rand.New(rand.NewPCG(seed, 99)))}
}

// copied lets two stories go on from one.
func (a *annals) copied() *annals {
	return &annals{slices.Clone(a.worlds), slices.Clone(a.groups), maps.Clone(a.at), nil}
}

// forget takes back what came after the first n groups.
func (a *annals) forget(n int) {
	a.worlds, a.groups = a.worlds[:n+1], a.groups[:n]
	for name, at := range a.at {
		if at > n {
			delete(a.at, name)
		}
	}
}

// tryImage opens what lies in dir, and goes on with it. At least acked groups
// must be there.
func tryImage(a *annals, dir string, acked int, twice bool) error {
	o := Options{LogBytes: 1, MoveWithin: time.Hour}
	n := -1
	for round := 0; ; round++ {
		if twice && round == 0 {
			// The power goes again, before anything is carried down.
			o.beforeDown = func([]op) error { return errCrash }
		}
		j, err := Open(dir, o)
		if err != nil {
			return err
		}
		m, err := a.found(j)
		if r := j.Report(); err == nil && (!r.Clean || len(r.Damaged) > 0 || n >= 0 && m != n || m < acked) {
			err = fmt.Errorf("round %d: %d groups, were %d; %d were acknowledged; report: %+v", round, m, n, acked, r)
		}
		n = m
		if err == nil && (!twice || round > 0) {
			return a.goOn(j, n, twice)
		}
		if cerr := j.Close(); err != nil || cerr != nil && !errors.Is(cerr, errCrash) {
			return fmt.Errorf("%w, %w", orNil(err), orNil(cerr))
		}
		o.beforeDown = nil
	}
}

// goOn goes on with a journal that was found to have n groups.
func (a *annals) goOn(j *Journal, n int, all bool) (err error) {
	o := Options{LogBytes: 1, MoveWithin: time.Hour}
	run := j.NextRun()
	w := a.worlds[n]
	for _, c := range []Change{begin(run, "new"), record(run, 1, "x")} {
		if err := j.Writer().Commit(c); err != nil {
			return err
		}
		w = w.after(c)
	}
	if err := j.Close(); err != nil {
		return err
	}
	if j, err = Open(j.dir, o); err != nil {
		return err
	}
	if !all { // all of it has been looked at already, but in another file
		w = &world{map[uint64]*Run{run: w.runs[run]}, w.state}
		var got Run
		state, serr := stateOf(j)
		if got, err = j.Load(run); err == nil && !reflect.DeepEqual(got, *w.runs[run]) || serr != nil || !maps.Equal(state, w.state) {
			err = fmt.Errorf("gone on from %d groups: %v, %v, %w, %w", n, got, state, orNil(err), orNil(serr))
		}
	} else if diff := w.differs(j); diff != "" {
		err = fmt.Errorf("gone on from %d groups: %s", n, diff)
	}
	if r := j.Report(); err == nil && (!r.Clean || r.Interrupted) {
		err = fmt.Errorf("gone on: report %+v", r)
	}
	if cerr := j.Close(); err == nil {
		err = cerr
	}
	return err
}

func orNil(err error) error {
	if err == nil {
		return fmt.Errorf("closed")
	}
	return err
}

// images cuts the power at each place of the trace, in several ways, until it
// has made limit images, and tries each.
func (s *story) images(t testing.TB, seed uint64, limit int) int {
	t.Helper()
	workers := min(runtime.GOMAXPROCS(0), 8)
	perPlace := max(1, limit/max(1, len(s.trace)))
	var made atomic.Int64
	var wg sync.WaitGroup
	dir := memoryDir(t)
	for worker := range workers {
		wg.Go(func() {
			m := s.from.clone()
			m.acked = s.before
			here := filepath.Join(dir, strconv.Itoa(worker))
			for at := 0; at <= len(s.trace) && !t.Failed(); at++ {
				if at > 0 {
					m.do(s.trace[at-1])
				}
				if at > 0 && s.trace[at-1].kind == evAck && !m.restless() {
					continue // nothing has changed on disk
				}
				if at%workers != worker {
					continue
				}
				rng := rand.New(rand.NewPCG(seed, uint64(at)))
				ways := perPlace
				if !m.restless() {
					ways = 1 // there is one image only
				} else if limit > len(s.trace) {
					ways *= 2
				}
				for k := range ways {
					how := survival(k)
					if how >= survivals {
						how = someWrites + survival(rng.IntN(3))
					}
					if err := os.Mkdir(here, 0o700); err != nil {
						t.Error(err)
						return
					}
					m.cut(t, here, rng, how)
					patient(t, fmt.Sprintf("seed %d, place %d, image %d", seed, at, k), func() {
						if err := tryImage(s.annals, here, m.acked, rng.IntN(6) == 0); err != nil {
							t.Errorf("seed %d, place %d of %d, image %d (%d): %v", seed, at, len(s.trace), k, how, err)
						}
					})
					if t.Failed() {
						return
					}
					if err := os.RemoveAll(here); err != nil {
						t.Error(err)
						return
					}
					made.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(made.Load())
}

// A process that dies leaves in memory what has not come to the disk yet; the
// next one reads it, and goes on from it. A power cut then takes it away.
func TestPowerCutAfterDeath(t *testing.T) {
	t.Parallel()
	made, deaths := 0, 0
	for seed := uint64(1); seed <= uint64(max(1, 2/fewer)); seed++ {
		dir := memoryDir(t)
		j := openIn(t, dir, Options{})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		shortLog(t, dir, 8)
		first := lived(t, dir, machineOf(t, dir), newAnnals(), 2*seed, 3, 20)
		m := first.from.clone()
		rng := rand.New(rand.NewPCG(seed, 3))
		for at, e := range first.trace {
			m.do(e)
			if !m.restless() || rng.IntN(50*fewer) > 0 {
				continue
			}
			here := filepath.Join(memoryDir(t), "journal")
			if err := os.Mkdir(here, 0o700); err != nil {
				t.Fatal(err)
			}
			m.cut(t, here, rng, allKept)
			from := m.clone()
			second := lived(t, here, from, first.annals.copied(), 2*seed+1, 2, 5)
			acked := m.acked
			second.before = acked
			made += second.images(t, seed, 200)
			deaths++
			if t.Failed() {
				t.Fatalf("seed %d: it died at %d of %d", seed, at, len(first.trace))
			}
		}
	}
	t.Logf("%d deaths, %d images", deaths, made)
}

// A power cut at any time loses nothing that was acknowledged, and leaves no
// Change half there.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	want := 20_000 / fewer
	if s := os.Getenv(imagesVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		want = n
	}
	made, begun := 0, time.Now()
	for seed := uint64(1); made < want && !t.Failed(); seed++ {
		dir := memoryDir(t)
		j := openIn(t, dir, Options{})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		shortLog(t, dir, 16)
		s := lived(t, dir, machineOf(t, dir), newAnnals(), seed, 4, 60)
		n := s.images(t, seed, min(want-made, 10_000))
		t.Logf("seed %d: %d groups, %d operations, %d images", seed, len(s.annals.groups), len(s.trace), n)
		made += n
	}
	t.Logf("%d images in %v", made, time.Since(begun).Round(time.Second))
}

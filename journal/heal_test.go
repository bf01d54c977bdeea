package journal

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"
)

// damagedPages returns the pages of a file that are in use and of the given kind.
func pagesOf(t testing.TB, path string, flags uint16) (ids []uint64) {
	t.Helper()
	in, err := inspectFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for id := uint64(2); id < uint64(len(in.met)); id++ {
		if in.met[id] && pageFlags(b[id*pageSize:]) == flags && le.Uint64(b[id*pageSize:]) == id {
			ids = append(ids, id)
		}
	}
	return ids
}

// A history that is damaged while it is open costs what was hit. It is mended
// while others go on, the damage is told, and moves go on after it.
func TestHistoryDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	tried, hurt, lost := 0, 0, 0
	for name, damage := range map[string]func(rng *rand.Rand, f *os.File, pages []uint64) error{
		"bit": func(rng *rand.Rand, f *os.File, pages []uint64) error {
			var b [1]byte
			at := int64(pages[rng.IntN(len(pages))]*pageSize) + int64(rng.IntN(pageSize))
			if _, err := f.ReadAt(b[:], at); err != nil {
				return err
			}
			b[0] ^= 1 << rng.IntN(8)
			_, err := f.WriteAt(b[:], at)
			return err
		},
		"zeros": func(rng *rand.Rand, f *os.File, pages []uint64) error {
			_, err := f.WriteAt(make([]byte, pageSize), int64(pages[rng.IntN(len(pages))]*pageSize))
			return err
		},
		"all zeros": func(_ *rand.Rand, f *os.File, pages []uint64) error {
			for _, id := range pages {
				if _, err := f.WriteAt(make([]byte, pageSize), int64(id*pageSize)); err != nil {
					return err
				}
			}
			return nil
		},
		"cut off": func(_ *rand.Rand, f *os.File, _ []uint64) error { return f.Truncate(4 * pageSize) },
	} {
		for n := range cases(12) {
			rng := rand.New(rand.NewPCG(8, uint64(n)))
			told := make(chan Report, 16)
			dir := memoryDir(t)
			j, err := Open(dir, Options{MoveWithin: time.Hour, OnDamage: func(r Report) { told <- r }})
			if err != nil {
				t.Fatal(err)
			}
			var want []Run
			for run := uint64(1); run <= 200; run++ {
				c := ten(rng, run, "all")
				want = append(want, asRun(c))
				appendAll(t, j, c)
			}
			moved(t, j)
			commit(t, j, begin(1000, "lives"))
			f, err := os.OpenFile(j.path(historyName), os.O_RDWR, 0)
			if err == nil {
				err = damage(rng, f, append(pagesOf(t, j.path(historyName), flagLeaf), pagesOf(t, j.path(historyName), flagBranch)...))
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			seen := 0 // what is noticed
			for i, w := range want {
				got, err := j.Load(uint64(i + 1))
				switch {
				case errors.Is(err, ErrNotFound): // bbolt was led astray; only reading all pages shows that
				case err != nil:
					seen++
				case !reflect.DeepEqual(got, w):
					t.Fatalf("%s: run %d is given otherwise than it was", name, i+1)
				}
			}
			_ = j.Ended(t.Context(), 0, func(e EndedRun) bool { // an error ends it where bbolt cannot go on
				if e.Err != nil {
					seen++
				}
				return true
			})
			commit(t, j, ten(rng, 1001, "all"))
			moved(t, j)
			var r Report
			if seen > 0 {
				r = <-told
			} else {
				r = j.Report()
			}
			named := make(map[uint64]bool)
			for _, d := range r.Damaged {
				named[d.Run] = true
				if d.Lost {
					lost++
				} else {
					hurt++
				}
			}
			for i, w := range want {
				got, err := j.Load(uint64(i + 1))
				if err == nil && reflect.DeepEqual(got, w) || named[uint64(i+1)] || r.without() || seen == 0 && errors.Is(err, ErrNotFound) {
					continue
				}
				t.Errorf("%s %d: run %d: %v, and is not named; %d noticed; %q", name, n, i+1, err, seen, r.Sentences)
			}
			if j.Err() != nil || load(t, j, 1000).Header.ID != "lives" || len(load(t, j, 1001).Records) != 20 {
				t.Errorf("%s: the others do not go on: %v", name, j.Err())
			}
			if err := j.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if j, err = Open(dir, Options{MoveWithin: time.Hour}); err != nil {
				t.Fatal(err)
			}
			if r := j.Report(); seen > 0 && !r.Clean {
				t.Errorf("%s: after it was mended: %q", name, r.Sentences)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			tried++
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d histories damaged while open: %d runs hurt, %d lost", tried, hurt, lost)
}

// without reports whether runs may be lost that nothing is known of.
func (r *Report) without() bool {
	for _, s := range r.Sentences {
		if s == "ended runs may be lost without trace" {
			return true
		}
	}
	return false
}

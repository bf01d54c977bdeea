package journal

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// A journal is a map. Random groups of Changes, appended and committed, reads of
// all kinds between them, checkpoints at any time, crashes at any Change and at
// any commit of the live file: it holds what the map holds, up to what was
// acknowledged at least.
func TestJournalIsAMap(t *testing.T) {
	t.Parallel()
	sequences, groups, crashes := 1000/fewer, 0, 0
	base := memoryDir(t)
	for seed := range sequences {
		rng := rand.New(rand.NewPCG(uint64(seed), 21))
		dir := filepath.Join(base, strconv.Itoa(seed))
		n, c := mapped(t, dir, rng, uint64(seed))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		groups, crashes = groups+n, crashes+c
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d sequences, %d groups, %d crashes", sequences, groups, crashes)
}

// mapped makes a journal in a new folder, and opens it a few times.
func mapped(t *testing.T, dir string, rng *rand.Rand, seed uint64) (groups, crashes int) {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	fatal(os.Mkdir(dir, 0o700))
	j, err := Open(dir, Options{LogBytes: 1})
	fatal(err)
	fatal(j.Close())
	shortLog(t, dir, int64(4+rng.IntN(20)))
	a := newAnnals()
	acked, number := 0, 0
	for range 2 + rng.IntN(4) {
		var crash atomic.Bool // at the next commit of the file
		at := uint64(1 << 60) // the Change at which it crashes
		if rng.IntN(3) == 0 {
			at = uint64(1 + rng.IntN(40))
		}
		j, err := Open(dir, Options{LogBytes: 1, MoveWithin: time.Duration(1+rng.IntN(3)*1000) * time.Millisecond,
			BeforeAppend: func(n uint64, c Change) error {
				if n >= at {
					return errCrash
				}
				a.take(c)
				return nil
			}, beforeDown: func([]op) error {
				if crash.Load() {
					return errCrash
				}
				return nil
			}})
		fatal(err)
		n, err := a.found(j)
		fatal(err)
		if r := j.Report(); n < acked || !r.Clean {
			t.Fatalf("seed %d: %d groups, %d were acknowledged, report %+v", seed, n, acked, r)
		}
		a.forget(n)
		a.gather = nil
		s := &scribe{rng: rng, writer: number, newRun: j.NextRun, largest: 120_000}
		number++
		w := j.Writer()
		for range 10 + rng.IntN(40) {
			if rng.IntN(60) == 0 {
				crash.Store(true)
			}
			cs := s.group()
			if len(cs) == 1 && rng.IntN(3) == 0 {
				err = w.Append(cs[0], Urgency(rng.IntN(2)))
			} else if err = w.Commit(cs...); err == nil {
				acked = len(a.worlds) - 1
			}
			groups++
			if err != nil {
				if !errors.Is(err, errCrash) {
					t.Fatalf("seed %d: %v", seed, err)
				}
				crashes++
				break
			}
			if rng.IntN(4) > 0 || crash.Load() {
				continue
			}
			fatal(a.look(j, rng))
		}
		if err := j.Close(); err != nil && !errors.Is(err, errCrash) {
			t.Fatalf("seed %d: %v", seed, err)
		} else if err == nil {
			acked = len(a.worlds) - 1
		}
	}
	return groups, crashes
}

// look reads something, and compares it.
func (a *annals) look(j *Journal, rng *rand.Rand) error {
	w := a.worlds[len(a.worlds)-1]
	if rng.IntN(3) == 0 {
		if diff := w.compare(j, false); diff != "" {
			return errors.New(diff)
		}
		return nil
	}
	for run, want := range w.runs {
		first := uint32(rng.IntN(8))
		got, err := j.LoadFrom(run, first)
		r := *want
		r.Records = slices.DeleteFunc(slices.Clone(r.Records), func(rec Record) bool { return rec.Seq < first })
		if len(r.Records) == 0 {
			r.Records, got.Records = nil, slices.Clip(append([]Record(nil), got.Records...))
		}
		if err != nil || !reflect.DeepEqual(got, r) {
			return errors.Join(err, errors.New("from "+strconv.Itoa(int(first))+": "+short(got)+", want "+short(r)))
		}
		refs, err := j.Find(context.Background(), want.Header.ID, 1)
		if err != nil || len(refs) != 1 || refs[0].Run != run || refs[0].Ended != (want.End != nil) {
			return errors.Join(err, errors.New("not found by its id: "+want.Header.ID))
		}
		break
	}
	return nil
}

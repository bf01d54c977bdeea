package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// ten is a run of ten steps, with an end.
func ten(rng *rand.Rand, run uint64, terms ...string) Change {
	c := begin(run, fmt.Sprintf("run-%06d", run))
	c.Start.Script = fmt.Sprintf("script %d", run/100)
	for seq := range uint32(10) {
		c.Records = append(c.Records,
			Record{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: append([]byte("tags.write tank1.valve value "), noise(rng, 6)...)},
			Record{Seq: seq, Kind: 2, Count: 1, Time: epoch, Data: append([]byte("done "), noise(rng, 4)...)})
	}
	c.End, c.Terms = fmt.Appendf(nil, "summary of run %d", run), terms
	return c
}

// append appends changes, and waits until they are on disk.
func appendAll(t testing.TB, j *Journal, changes ...Change) {
	t.Helper()
	w := j.Writer()
	for _, c := range changes {
		if err := w.Append(c, Later); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
}

// asRun is what Load gives of a Change with all of a run in it.
func asRun(c Change) Run {
	r := Run{Header: *c.Start, Records: slices.Clone(c.Records), Inbox: c.Inbox, End: c.End}
	sortRun(&r)
	return r
}

func batches(t testing.TB, j *Journal) (n int) {
	t.Helper()
	if err := j.history.Scan([]byte{tableHeads}, []byte{tableHeads + 1}, func(_, _ []byte) bool { n++; return true }); err != nil {
		t.Fatal(err)
	}
	return n
}

// Runs share batches, whether they end together or one by one; a long one has
// its own. All come back as they were.
func TestBatches(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(1, 1))
		j := open(t, Options{MoveWithin: time.Hour})
		var want []Run
		for run := uint64(1); run <= 150; run++ {
			c := ten(rng, run)
			c.Inbox = []Message{{Number: run, Time: epoch, Data: []byte("m")}, {Number: 1 << 63, Time: epoch}}
			if run == 50 {
				c.Records[3].Data = noise(rng, 3<<20)
			}
			want = append(want, asRun(c))
			appendAll(t, j, c)
			if !together {
				moved(t, j)
			}
		}
		moved(t, j)
		if n := batches(t, j); n < 4 || n > 12 {
			t.Errorf("together %v: 150 runs lie in %d batches", together, n)
		}
		for i, w := range want {
			if got := load(t, j, uint64(i+1)); !reflect.DeepEqual(got, w) {
				t.Fatalf("together %v: run %d:\ngot  %.300v\nwant %.300v", together, i+1, got, w)
			}
			got, err := j.LoadFrom(uint64(i+1), 7)
			if w.Records = w.Records[14:]; err != nil || !reflect.DeepEqual(got, w) {
				t.Fatalf("together %v: run %d from 7: %v\ngot  %.300v\nwant %.300v", together, i+1, err, got, w)
			}
		}
	}
}

type listed struct {
	run  uint64
	text string
}

func list(t testing.TB, j *Journal, term string, before uint64) (out []listed) {
	t.Helper()
	yield := func(e EndedRun) bool {
		l := listed{e.Header.Run, string(e.Summary)}
		if e.Err != nil {
			l.text = "unreadable"
		} else if e.Ended.IsZero() || e.Header.ID == "" {
			t.Errorf("run %d: %+v", e.Header.Run, e)
		}
		out = append(out, l)
		return true
	}
	var err error
	if term == "" {
		err = j.Ended(t.Context(), before, yield)
	} else {
		err = j.EndedBy(t.Context(), term, before, yield)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEndedBy(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	j := open(t, Options{MoveWithin: time.Hour})
	const n = 700
	for run := uint64(1); run <= n; run++ {
		appendAll(t, j, ten(rng, run, fmt.Sprint("mod3=", run%3), fmt.Sprint("mod3=", run%3, "0"), fmt.Sprint("all")))
		if run == 500 {
			moved(t, j) // the rest stays in the live file
		}
	}
	commit(t, j, Change{Run: 4, Amend: []byte("amended")}, Change{Run: 5, Amend: []byte("amended")}, Change{Run: 601, Amend: []byte("amended")})
	for range 2 {
		for _, before := range []uint64{0, n, 501, 500, 2, 1} {
			for _, c := range []struct {
				term string
				has  func(run uint64) bool
			}{
				{"", func(uint64) bool { return true }},
				{"all", func(uint64) bool { return true }},
				{"mod3=1", func(run uint64) bool { return run%3 == 1 }},
				{"mod3=10", func(run uint64) bool { return run%3 == 1 }},
				{"mod3", func(uint64) bool { return false }},
			} {
				var want []listed
				for run := uint64(n); run > 0; run-- {
					if before != 0 && run >= before || !c.has(run) {
						continue
					}
					text := fmt.Sprint("summary of run ", run)
					if run == 4 || run == 5 || run == 601 {
						text = "amended"
					}
					want = append(want, listed{run, text})
				}
				if got := list(t, j, c.term, before); !slices.Equal(got, want) {
					t.Fatalf("term %q before %d: got %d\n%v\nwant %d\n%v", c.term, before, len(got), got, len(want), want)
				}
			}
		}
		moved(t, j)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := j.EndedBy(ctx, "all", 0, func(EndedRun) bool { calls++; cancel(); return true })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("cancelled: %d calls, %v", calls, err)
	}
	if err := j.EndedBy(t.Context(), "", 0, nil); err == nil {
		t.Error("an empty term was accepted")
	}
}

// A page of the list unfolds each batch once.
func TestListUnfoldsEachBatchOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 3))
	j := open(t, Options{MoveWithin: time.Hour})
	const n = 640
	for _, run := range rng.Perm(n) { // neighbours lie in different batches
		appendAll(t, j, ten(rng, uint64(run+1)))
	}
	moved(t, j)
	before := j.history.unfolded.Load()
	if got := len(list(t, j, "", 0)); got != n {
		t.Fatalf("%d runs", got)
	}
	most := int64(n / pageRuns * batches(t, j))
	if got := j.history.unfolded.Load() - before; got == 0 || got > most {
		t.Errorf("%d batches were unfolded for %d pages of %d batches", got, n/pageRuns, batches(t, j))
	}
}

func TestInvalidTermsAreRefused(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	w := j.Writer()
	for _, c := range []Change{
		{Run: 1, Terms: []string{"a"}},
		{Run: 1, End: []byte{}, Terms: []string{""}},
		{Run: 1, End: []byte{}, Terms: []string{"a\x00b"}},
		{Run: 1, End: []byte{}, Terms: []string{string(make([]byte, maxTerm+1))}},
		{Run: 1, End: []byte{}, Terms: make([]string, maxTerms+1)},
		{Run: 1, Start: &Header{Run: 1, ID: "x", Script: string(make([]byte, maxID+1))}},
	} {
		if err := w.Append(c, Soon); err == nil || errors.Is(err, ErrFailed) {
			t.Errorf("%q: got %v", c.Terms, err)
		}
	}
}

// One entry that cannot be read costs its run, not the list.
func TestListWithDamage(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 4))
	j, err := Open(t.TempDir(), Options{MoveWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for run := uint64(1); run <= 100; run++ {
		appendAll(t, j, ten(rng, run, "all"))
	}
	moved(t, j)
	// An entry whose CRC does not hold, and one that leads nowhere.
	j.history.write.Lock()
	h := j.history
	err = h.over.Commit([]op{{opPut, endedKey(40), make([]byte, sealLen+1)}})
	var e encoder
	e.putRaw(endedKey(41), appendEndedEntry(nil, 1000, nil))
	err = errors.Join(err, h.Commit(&e))
	h.doubted.Store(true) // nobody mends
	h.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range []string{"", "all"} {
		got := list(t, j, term, 0)
		if len(got) != 100 {
			t.Fatalf("term %q: %d runs", term, len(got))
		}
		for _, l := range got {
			if (l.text == "unreadable") != (l.run == 40 || l.run == 41) {
				t.Errorf("term %q: run %d is %q", term, l.run, l.text)
			}
		}
	}
}

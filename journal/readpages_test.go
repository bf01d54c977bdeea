package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// spy is a store that counts what is read of it, and lets entries rot.
type spy struct {
	store
	read atomic.Int64 // bytes of values
	bad  atomic.Pointer[func(key []byte) bool]
}

func (s *spy) see(key, value []byte) []byte {
	s.read.Add(int64(len(value)))
	if bad := s.bad.Load(); bad != nil && value != nil && (*bad)(key) {
		value = bytes.Clone(value)
		value[len(value)-1] ^= 1
	}
	return value
}

func (s *spy) Get(key []byte) ([]byte, error) {
	value, err := s.store.Get(key)
	return s.see(key, value), err
}

func (s *spy) Scan(from, to []byte, f func(key, value []byte) bool) error {
	return s.store.Scan(from, to, func(key, value []byte) bool { return f(key, s.see(key, value)) })
}

func (s *spy) rot(keys ...[]byte) {
	bad := func(key []byte) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	s.bad.Store(&bad)
}

// spied opens a journal whose live file is spied on.
func spied(t *testing.T, o Options) (*Journal, *spy) {
	s := new(spy)
	o.wrap = func(name string, over store) store {
		if name != liveName {
			return over
		}
		s.store = over
		return s
	}
	return open(t, o), s
}

// long is a run with a record of many sizes, so that pages end everywhere.
func long(rng *rand.Rand, run uint64, places int) Change {
	c := begin(run, fmt.Sprint("long ", run))
	seq := uint32(rng.IntN(3))
	for range places {
		for kind := range 1 + rng.IntN(3) {
			size := rng.IntN(40)
			switch rng.IntN(200) {
			case 0:
				size = readAhead + rng.IntN(readAhead)
			case 1, 2, 3, 4:
				size = rng.IntN(20_000)
			}
			c.Records = append(c.Records, Record{Seq: seq, Kind: Kind(kind), Count: 1, Time: epoch, Data: noise(rng, size)})
		}
		seq += 1 + uint32(rng.IntN(3))
	}
	c.Records = append(c.Records, Record{Seq: 1 << 30, Kind: 7, Count: 1, Time: epoch}, Record{Seq: 1<<32 - 1, Kind: 63, Count: 3, Time: epoch})
	for n := range 1 + uint64(rng.IntN(2000)) {
		c.Inbox = append(c.Inbox, Message{Number: 2*n + 1, Time: epoch, Data: noise(rng, rng.IntN(300))})
	}
	c.Inbox = append(c.Inbox, Message{Number: 1<<64 - 1, Time: epoch})
	// What was of no bytes is nothing when it comes back.
	for i := range c.Records {
		c.Records[i].Data = clone(c.Records[i].Data)
	}
	for i := range c.Inbox {
		c.Inbox[i].Data = clone(c.Inbox[i].Data)
	}
	return c
}

// Pages put together are the whole, from any place on, of live runs, of ended
// ones, and of those that end between two pages.
func TestPagesAreTheWhole(t *testing.T) {
	t.Parallel()
	pages := 0
	for n := range cases(12) {
		rng := rand.New(rand.NewPCG(31, uint64(n)))
		o := Options{MoveWithin: time.Hour}
		o.tests.page = n % 4 / 2 * (1 + rng.IntN(10))
		j := open(t, o)
		want := long(rng, 1, 200+rng.IntN(3000))
		appendAll(t, j, begin(2, "its neighbour"))
		if n%2 == 0 {
			appendAll(t, j, want)
		} else { // in rows
			w := j.WriterOf(1)
			if err := w.Commit(Change{Run: 1, Start: want.Start, Inbox: want.Inbox}); err != nil {
				t.Fatal(err)
			}
			for i := range want.Records {
				if err := w.Append(Change{Run: 1, Records: want.Records[i : i+1]}, Later); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, end bool) {
			t.Helper()
			// Cut anywhere, and gone on with at that place.
			var got []Record
			for first, most := uint32(0), 0; ; pages++ {
				most = 1 + rng.IntN(700)
				n := 0
				err := j.Records(t.Context(), 1, first, func(r Record) bool {
					if n >= most && r.Seq != got[len(got)-1].Seq {
						first = r.Seq
						return false
					}
					got = append(got, r)
					n++
					if end && len(got) == len(want.Records)/2 {
						appendAll(t, j, Change{Run: 1, End: []byte("end")})
						moved(t, j)
					}
					return true
				})
				if err != nil {
					t.Fatalf("sequence %d, %s: %v", n, when, err)
				}
				if n < most || len(got) == len(want.Records) {
					break
				}
			}
			if !reflect.DeepEqual(got, want.Records) {
				t.Fatalf("sequence %d, %s: %d records, want %d", n, when, len(got), len(want.Records))
			}
			var inbox []Message
			from := uint64(rng.IntN(3000))
			if err := j.Messages(t.Context(), 1, from, func(m Message) bool { inbox = append(inbox, m); return true }); err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(want.Inbox, func(m Message) bool { return m.Number >= from }); !reflect.DeepEqual(inbox, want.Inbox[i:]) {
				t.Fatalf("sequence %d, %s: %d messages from %d on, want %d", n, when, len(inbox), from, len(want.Inbox[i:]))
			}
		}
		check("live", false)
		check("while it ends", true)
		check("ended", false)
	}
	t.Logf("%d walks", pages)
}

// Headers are read without records, and one that cannot be read costs its run.
func TestLiveHeaders(t *testing.T) {
	t.Parallel()
	j, s := spied(t, Options{MoveWithin: time.Hour})
	var want []uint64
	for run := uint64(1); run <= 300; run++ {
		if run%50 == 7 {
			continue // never begun
		}
		c := begin(run, fmt.Sprint("id", run))
		c.Records = []Record{{Seq: 1, Time: epoch, Data: make([]byte, 4000)}}
		c.Inbox = []Message{{Number: 1, Time: epoch, Data: make([]byte, 4000)}}
		if run%10 < 3 {
			c.End = []byte("end")
		} else {
			want = append(want, run)
		}
		appendAll(t, j, c)
		if run == 200 {
			moved(t, j)
		}
	}
	appendAll(t, j, Change{Run: 1 << 62, Start: &Header{Run: 1 << 62, ID: "far", Created: epoch}})
	want = append(want, 1<<62)
	before := s.read.Load()
	for _, after := range []uint64{0, 2, 8, 250, 300, 1 << 62, 1<<64 - 1} {
		var got []uint64
		from := slices.IndexFunc(want, func(n uint64) bool { return n > after })
		rest := want[len(want):]
		if from >= 0 {
			rest = want[from:]
		}
		for { // five at a time
			n := 0
			if err := j.LiveHeaders(t.Context(), after, func(l LiveRun) bool {
				if l.Err != nil || l.Header.ID == "" || l.Header.Run <= after {
					t.Errorf("got %+v", l)
				}
				got = append(got, l.Header.Run)
				after = l.Header.Run
				n++
				return n < 5
			}); err != nil {
				t.Fatal(err)
			}
			if n < 5 {
				break
			}
		}
		if !slices.Equal(got, rest) {
			t.Errorf("got %v, want %v", got, rest)
		}
	}
	if n := s.read.Load() - before; n > 3_000_000 {
		t.Errorf("%d bytes were read", n)
	}
	s.rot(appendPart(nil, 5, partHeader), appendPart(nil, 44, partHeader), appendRecordKey(nil, 6, 1, aloneBit), appendPart(nil, 252, partEnd))
	var got, bad []uint64
	err := j.LiveHeaders(t.Context(), 0, func(l LiveRun) bool {
		if got = append(got, l.Header.Run); l.Err != nil {
			bad = append(bad, l.Header.Run)
		}
		return true
	})
	if err != nil || !slices.Equal(got, want) || !slices.Equal(bad, []uint64{5, 44}) {
		t.Errorf("%d runs, bad are %v, %v", len(got), bad, err)
	}
	// The list of ended ones has that whose end cannot be read.
	bad = nil
	n := 0
	if err := j.Ended(t.Context(), 0, func(e EndedRun) bool {
		if n++; e.Err != nil {
			bad = append(bad, e.Header.Run)
		}
		return true
	}); err != nil || n != 300-6-(len(want)-1) || !slices.Equal(bad, []uint64{252}) {
		t.Errorf("%d ended runs, bad are %v, %v", n, bad, err)
	}
	s.bad.Store(nil)
}

// A bad entry ends its run's pages, with what is before it, and no other's.
func TestPagesWithABadEntry(t *testing.T) {
	t.Parallel()
	j, s := spied(t, Options{})
	for run := uint64(1); run <= 2; run++ {
		c := begin(run, fmt.Sprint("id", run))
		for seq := range uint32(5000) {
			c.Records = append(c.Records, Record{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: make([]byte, 100)})
		}
		c.Inbox = []Message{{Number: 3, Time: epoch}, {Number: 4, Time: epoch}}
		appendAll(t, j, c)
	}
	s.rot(appendRecordKey(nil, 1, 4321, 1|aloneBit), appendNumbered(nil, 2, partMessage, 4))
	n := 0
	err := j.Records(t.Context(), 1, 0, func(Record) bool { n++; return true })
	if n != 4321 || !errors.Is(err, errDamaged) || err.Error() != "cannot read run 1: record 4321/1 of run 1: record is damaged" {
		t.Errorf("%d records, %v", n, err)
	}
	n = 0
	if err := j.Records(t.Context(), 1, 4322, func(Record) bool { n++; return true }); n != 0 || !errors.Is(err, errDamaged) {
		// The entry before it could be a row.
		t.Errorf("behind it: %d records, %v", n, err)
	}
	n = 0
	if err := j.Records(t.Context(), 1, 4321+rowPlaces, func(Record) bool { n++; return true }); n != 5000-4321-rowPlaces || err != nil {
		t.Errorf("behind that: %d records, %v", n, err)
	}
	n = 0
	if err := j.Records(t.Context(), 2, 0, func(Record) bool { n++; return true }); n != 5000 || err != nil {
		t.Errorf("the other: %d records, %v", n, err)
	}
	n = 0
	if err := j.Messages(t.Context(), 2, 0, func(Message) bool { n++; return true }); n != 1 || !errors.Is(err, errDamaged) {
		t.Errorf("%d messages, %v", n, err)
	}
	for _, run := range []uint64{1, 2} {
		if h, err := j.Head(t.Context(), run); err != nil || h.Summary != nil || h.Header.Run != run {
			t.Errorf("head is %+v, %v", h, err)
		}
	}
	s.bad.Store(nil)
	if err := j.Records(t.Context(), 9, 0, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("no run: %v", err)
	}
	if _, err := j.Head(t.Context(), 9); !errors.Is(err, ErrNotFound) {
		t.Errorf("no run: %v", err)
	}
}

// asked is a context that is done when it has been asked n times.
type asked struct {
	context.Context
	left int
}

func (c *asked) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whatever reads ends soon after its context, also in the middle of much.
func TestReadsHeedTheirContext(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Hour})
	rng := rand.New(rand.NewPCG(31, 99))
	for run := uint64(1); run <= 2; run++ {
		c := begin(run, fmt.Sprint("id", run))
		for seq := range uint32(20_000) {
			c.Records = append(c.Records, Record{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: noise(rng, 50)})
		}
		for n := range uint64(5_000) {
			c.Inbox = append(c.Inbox, Message{Number: n + 1, Time: epoch, Data: noise(rng, 50)})
		}
		if run == 2 {
			c.End, c.Terms = []byte("end"), []string{"term"}
		}
		appendAll(t, j, c)
	}
	moved(t, j)
	for run := uint64(3); run < 400; run++ {
		c := begin(run, fmt.Sprint("id", run))
		if run%2 == 0 {
			c.End, c.Terms = []byte("end"), []string{"term"}
		}
		appendAll(t, j, c)
	}
	for name, c := range map[string]struct {
		least int // how often it looks at its context
		read  func(ctx context.Context, n *int) error
	}{
		"records, live": {10, func(ctx context.Context, n *int) error {
			return j.Records(ctx, 1, 0, func(Record) bool { *n++; return true })
		}},
		"records, ended": {10, func(ctx context.Context, n *int) error {
			return j.Records(ctx, 2, 0, func(Record) bool { *n++; return true })
		}},
		"the last record, ended": {10, func(ctx context.Context, n *int) error {
			return j.Records(ctx, 2, 19_999, func(Record) bool { *n++; return true })
		}},
		"messages, live": {3, func(ctx context.Context, n *int) error {
			return j.Messages(ctx, 1, 0, func(Message) bool { *n++; return true })
		}},
		"messages, ended": {10, func(ctx context.Context, n *int) error {
			return j.Messages(ctx, 2, 0, func(Message) bool { *n++; return true })
		}},
		"headers": {100, func(ctx context.Context, n *int) error {
			return j.LiveHeaders(ctx, 0, func(LiveRun) bool { *n++; return true })
		}},
		"ended": {5, func(ctx context.Context, n *int) error {
			return j.Ended(ctx, 0, func(EndedRun) bool { *n++; return true })
		}},
		"ended by term": {5, func(ctx context.Context, n *int) error {
			return j.EndedBy(ctx, "term", 0, func(EndedRun) bool { *n++; return true })
		}},
		"none by a term": {100, func(ctx context.Context, n *int) error {
			return j.EndedBy(ctx, "none", 0, func(EndedRun) bool { *n++; return true })
		}},
		"head":   {1, func(ctx context.Context, n *int) error { *n++; _, err := j.Head(ctx, 2); return err }},
		"find":   {1, func(ctx context.Context, n *int) error { *n++; _, err := j.Find(ctx, "id", 0); return err }},
		"script": {1, func(ctx context.Context, n *int) error { *n++; _, err := j.Script(ctx, "x"); return err }},
		"state":  {1, func(ctx context.Context, n *int) error { *n++; return j.State(ctx, "x", "", nil) }},
	} {
		whole, before := 0, -1
		full := &asked{t.Context(), 1 << 30}
		if err := c.read(full, &whole); err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		looks := 1<<30 - full.left
		if looks < c.least {
			t.Errorf("%s: it looks at its context %d times", name, looks)
		}
		for left := 0; left < looks; left += 1 + looks/20 {
			n := 0
			if err := c.read(&asked{t.Context(), left}, &n); !errors.Is(err, context.Canceled) || n > whole || n < before {
				t.Errorf("%s, done after %d of %d looks: %d of %d, after %d before, %v", name, left, looks, n, whole, before, err)
			}
			before = n
		}
		// A cancel in yield is the last of it.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n := 0
		if err := c.read(ctx, &n); !errors.Is(err, context.Canceled) || n > 1 {
			t.Errorf("%s, cancelled before: %d, %v", name, n, err)
		}
	}
	for run := uint64(1); run <= 2; run++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err := j.Records(ctx, run, 0, func(Record) bool {
			if n++; n == 12_345 {
				cancel()
			}
			return true
		})
		if n != 12_345 || !errors.Is(err, context.Canceled) {
			t.Errorf("run %d, cancelled at a record: %d, %v", run, n, err)
		}
	}
}

// Who waits for the disk with a context waits no longer, and what was appended
// becomes durable all the same.
func TestSyncContext(t *testing.T) {
	t.Parallel()
	var hang atomic.Pointer[chan struct{}]
	at := make(chan struct{}, 100)
	j := open(t, Options{BeforeSync: func() {
		if c := hang.Load(); c != nil {
			at <- struct{}{}
			<-*c
		}
	}})
	free := make(chan struct{})
	hang.Store(&free)
	if err := j.Writer().Append(begin(1, "one"), Later); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-at; cancel() }()
	if err := j.SyncContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a disk that hangs: %v", err)
	}
	if _, err := j.Find(ctx, "one", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with a disk that hangs: %v", err)
	}
	hang.Store(nil)
	close(free)
	if err := j.SyncContext(t.Context()); err != nil {
		t.Error(err)
	}
	if refs, err := j.Find(t.Context(), "one", 1); err != nil || len(refs) != 1 {
		t.Errorf("got %v, %v", refs, err)
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A large run is read, moved and opened again without being in memory as a
// whole: live, ended, and on its way from the one to the other.
func TestLargeRunsByPages(t *testing.T) { // alone: it measures memory
	const records, size, bound = 24, 1 << 20, 12 << 20
	rng := rand.New(rand.NewPCG(31, 100))
	data := noise(rng, size)
	most, base := int64(0), int64(0)
	look := func() { most = max(most, heap()-base) }
	o := Options{MoveWithin: time.Hour}
	o.wrap = func(_ string, s store) store { return looking{s, look} }
	j := open(t, o)
	appendAll(t, j, begin(1, "large"), begin(2, "large too"))
	w := j.Writer()
	for seq := range uint32(records) {
		for run := uint64(1); run <= 2; run++ {
			if err := w.Commit(Change{Run: run, Records: []Record{{Seq: seq, Time: epoch, Data: data}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	base = heap()
	walk := func(run uint64) {
		t.Helper()
		n := 0
		if err := j.Records(t.Context(), run, 0, func(r Record) bool {
			if !bytes.Equal(r.Data, data) {
				t.Fatalf("record %d is not as it was", r.Seq)
			}
			look()
			n++
			return true
		}); err != nil || n != records {
			t.Fatalf("%d records, %v", n, err)
		}
	}
	bounded := func(what string) {
		t.Helper()
		if t.Logf("%s: %d KiB of %d", what, most>>10, 2*records*size>>10); most > bound {
			t.Errorf("%s took %d KiB of memory", what, most>>10)
		}
		most = 0
	}
	walk(1)
	bounded("reading a live run")
	appendAll(t, j, Change{Run: 1, End: []byte("end")})
	moved(t, j)
	bounded("moving it")
	walk(1)
	bounded("reading an ended run")
	// Many that are not small are no more than one.
	for run := uint64(10); run < 10+records; run++ {
		c := begin(run, fmt.Sprint("one of many ", run))
		c.Records = []Record{{Seq: 1, Time: epoch, Data: data}}
		c.End = data[:size/4]
		if err := w.Commit(c); err != nil {
			t.Fatal(err)
		}
	}
	moved(t, j)
	bounded("moving many")
	j = reopen(t, j, o)
	look()
	walk(2)
	bounded("opening, and reading a live run")
}

// looking looks at each commit.
type looking struct {
	store
	look func()
}

func (s looking) Commit(ops []op) error {
	s.look()
	return s.store.Commit(ops)
}

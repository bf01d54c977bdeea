package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// chronicle is what a run's own Writer was given, Change by Change.
type chronicle struct {
	w     *Writer
	run   uint64
	next  uint32 // place of the next record of the first lane
	notes uint32 // and of the second
	past  []Run  // what the run was after each Change
	acked int    // how many of these are on disk for sure
	ended bool
}

func (l *chronicle) now() Run { return l.past[len(l.past)-1] }

// change makes a Change as a run may make it, and what the run is after it.
func (l *chronicle) change(rng *rand.Rand) (c Change, lazy bool) {
	r := l.now()
	r.Records, r.Inbox = slices.Clone(r.Records), slices.Clone(r.Inbox)
	c = Change{Run: l.run}
	lazy = rng.IntN(3) > 0
	at := epoch.Add(time.Duration(rng.IntN(100_000)-50_000) * time.Millisecond)
	data := func() []byte {
		n := rng.IntN(30)
		switch rng.IntN(40) {
		case 0:
			n = rng.IntN(3000)
		case 1:
			return nil
		}
		return noise(rng, 1+n)
	}
	put := func(rec Record) {
		c.Records = append(c.Records, rec)
		i, found := findRecord(r.Records, rec.Seq, rec.Kind)
		if rec.Count = max(rec.Count, 1); found {
			r.Records[i] = rec
		} else {
			r.Records = slices.Insert(r.Records, i, rec)
		}
	}
	switch k := rng.IntN(100); {
	case k < 60:
		for range 1 + rng.IntN(5)/4 {
			put(Record{Seq: l.next, Kind: Kind(1 + rng.IntN(2)), Count: uint32(rng.IntN(3)), Time: at, Data: data()})
			l.next++
		}
	case k < 70:
		put(Record{Seq: l.next, Kind: 1, Time: at, Data: data()})
		put(Record{Seq: l.next, Kind: 2, Time: at, Data: data()})
		l.next++
	case k < 76:
		put(Record{Seq: 1<<30 + l.notes, Kind: 8, Time: at, Data: data()})
		l.notes++
	case k < 84 && len(r.Records) > 0:
		c.Again = true
		old := r.Records[len(r.Records)-1-rng.IntN(min(len(r.Records), 300))]
		put(Record{Seq: old.Seq, Kind: old.Kind, Time: at, Data: data()})
	case k < 92 && len(r.Records) > 0:
		rec := &r.Records[len(r.Records)-1-rng.IntN(min(len(r.Records), 5))]
		rec.Count += uint32(1 + rng.IntN(1000))
		c.Counts = []Count{{Seq: rec.Seq, Kind: rec.Kind, Count: rec.Count}}
	case k < 94:
		c.Drop = uint32(rng.IntN(int(l.next) + 2))
		r.Records = slices.DeleteFunc(r.Records, func(rec Record) bool { return rec.Seq < c.Drop })
		l.next = max(l.next, c.Drop)
		put(Record{Seq: l.next, Kind: 1, Time: at, Data: data()})
		l.next++
	default:
		m := Message{Number: uint64(len(l.past)), Time: at, Data: data()}
		c.Inbox, r.Inbox = []Message{m}, append(r.Inbox, m)
	}
	for i := range c.Records {
		c.Records[i].Time = c.Records[i].Time.Add(time.Duration(rng.IntN(1000)) * time.Microsecond)
	}
	l.past = append(l.past, r)
	return c, lazy
}

// sameRun reports whether two runs are the same, whatever stands for none.
func sameRun(a, b Run) bool {
	for _, r := range []*Run{&a, &b} {
		if len(r.Records) == 0 {
			r.Records = nil
		}
		if len(r.Inbox) == 0 {
			r.Inbox = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// The record of a run that its own Writer makes is what was appended to it, in
// every order of new records, old ones, counts and drops: while it gathers, after
// the process has died, in the history. What was committed is there, with all
// that was appended before it.
func TestRowsModel(t *testing.T) {
	t.Parallel()
	sequences, changes, deaths := 150/fewer, 0, 0
	base := memoryDir(t)
	for seed := range sequences {
		rng := rand.New(rand.NewPCG(uint64(seed), 77))
		dir := filepath.Join(base, strconv.Itoa(seed))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		n, err := rowsModel(t, dir, rng)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		changes, deaths = changes+n, deaths+3
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d sequences of %d Changes, %d deaths", sequences, changes, deaths)
}

func rowsModel(t *testing.T, dir string, rng *rand.Rand) (changes int, err error) {
	o := Options{LogBytes: 1, MoveWithin: time.Hour}
	o.tests.page = rng.IntN(5) // of 0: as it is
	j, err := Open(dir, o)
	if err != nil {
		return 0, err
	}
	var chronicles []*chronicle
	for i := range 3 {
		run := j.NextRun()
		c := begin(run, fmt.Sprint("run", i))
		l := &chronicle{w: j.WriterOf(run), run: run, past: []Run{{Header: *c.Start}}}
		if err := l.w.Commit(c); err != nil {
			return 0, err
		}
		chronicles = append(chronicles, l)
	}
	for life := range 4 {
		for range 10 + rng.IntN(100) {
			l := chronicles[rng.IntN(len(chronicles))]
			c, lazy := l.change(rng)
			changes++
			if lazy {
				err = l.w.Append(c, Urgency(rng.IntN(2)))
			} else if err = l.w.Commit(c); err == nil {
				l.acked = len(l.past) - 1
			}
			if err != nil {
				return 0, err
			}
			if rng.IntN(30) == 0 {
				if err := l.look(j, rng); err != nil {
					return 0, err
				}
			}
			if rng.IntN(60) == 0 {
				if err := j.logged.flush(); err != nil {
					return 0, err
				}
			}
		}
		if life == 3 {
			break
		}
		quiet(t, j)
		files := snapshot(t, dir)
		if err := j.Close(); err != nil {
			return 0, err
		}
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				return 0, err
			}
		}
		if j, err = Open(dir, o); err != nil {
			return 0, err
		}
		if r := j.Report(); !r.Clean {
			return 0, r.Err()
		}
		for _, l := range chronicles {
			if err := l.found(j); err != nil {
				return 0, err
			}
		}
	}
	for _, l := range chronicles {
		if err := l.w.Commit(Change{Run: l.run, End: []byte("end")}); err != nil {
			return 0, err
		}
	}
	moved(t, j)
	for _, l := range chronicles {
		want := l.now()
		want.End = []byte("end")
		if got, err := j.Load(l.run); err != nil || !sameRun(got, want) {
			return 0, fmt.Errorf("in the history: %w\ngot  %s\nwant %s", err, short(got), short(want))
		}
	}
	return changes, j.Close()
}

// look compares what is read from a place on.
func (l *chronicle) look(j *Journal, rng *rand.Rand) error {
	first := uint32(rng.IntN(int(l.next) + 2))
	got, err := j.LoadFrom(l.run, first)
	want := l.now()
	want.Records = slices.DeleteFunc(slices.Clone(want.Records), func(r Record) bool { return r.Seq < first })
	if err != nil || !sameRun(got, want) {
		return fmt.Errorf("from %d: %w\ngot  %s\nwant %s", first, err, short(got), short(want))
	}
	l.acked = len(l.past) - 1 // it was made durable to be shown
	return nil
}

// found compares what is there after the process has died.
func (l *chronicle) found(j *Journal) error {
	got, err := j.Load(l.run)
	if err != nil {
		return err
	}
	for n := len(l.past) - 1; n >= l.acked; n-- {
		if sameRun(got, l.past[n]) {
			l.past, l.acked, l.w = l.past[:n+1], n, j.WriterOf(l.run)
			l.next, l.notes = 0, 0
			for _, r := range got.Records {
				if r.Seq < 1<<30 {
					l.next = max(l.next, r.Seq+1)
				} else {
					l.notes = max(l.notes, r.Seq-1<<30+1)
				}
			}
			return nil
		}
	}
	return fmt.Errorf("run %d is none of what it was since its last commit: %s", l.run, differ(got, l.past[l.acked]))
}

// What a run appends waits in its Writer: another run's commit does not take it
// along, its own does, and so does its time.
func TestRowsWaitForTheirOwn(t *testing.T) {
	t.Parallel()
	j := openIn(t, t.TempDir(), Options{LaterWithin: time.Hour, SoonWithin: time.Hour})
	a, b := j.WriterOf(1), j.WriterOf(2)
	for run, w := range map[uint64]*Writer{1: a, 2: b} {
		if err := w.Commit(begin(run, fmt.Sprint(run))); err != nil {
			t.Fatal(err)
		}
	}
	before := j.Stats()
	for seq := range uint32(20) {
		if err := a.Append(record(1, seq, "x"), Urgency(seq%2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(record(2, 0, "y")); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Records != before.Records+1 || s.Commits != before.Commits+1 {
		t.Errorf("another run's commit had %d entries in %d commits", s.Records-before.Records, s.Commits-before.Commits)
	}
	if err := a.Commit(record(1, 20, "x")); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Records != before.Records+2 || s.Commits != before.Commits+2 {
		t.Errorf("all of it were %d entries in %d commits", s.Records-before.Records, s.Commits-before.Commits)
	}
	if n := len(load(t, j, 1).Records); n != 21 {
		t.Errorf("%d records", n)
	}
}

// What waits goes to disk when its time has come, and that of others with it.
func TestRowsTimeComes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openIn(t, dir, Options{LaterWithin: 40 * time.Millisecond, SoonWithin: time.Millisecond})
	const runs = 50
	for run := uint64(1); run <= runs; run++ {
		w := j.WriterOf(run)
		if err := w.Commit(begin(run, fmt.Sprint(run))); err != nil {
			t.Fatal(err)
		}
		for seq := range uint32(3) {
			if err := w.Append(record(run, seq, "x"), Urgency(run%2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for j.Stats().Records < 2*runs+runs { // header, id, row
		<-time.After(time.Millisecond)
	}
	j.gathering.mu.Lock()
	defer j.gathering.mu.Unlock()
	for run, of := range j.gathering.runs {
		for _, w := range of {
			w.mu.Lock()
			if w.row.n > 0 {
				t.Errorf("run %d still has %d records", run, w.row.n)
			}
			w.mu.Unlock()
		}
	}
}

// Where there is no room, what gathers is kept until there is, or is given up at
// the close; nothing of the Change that was refused is recorded.
func TestRowsWithoutRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var full atomic.Bool
	j := openIn(t, dir, Options{LogBytes: 1, MoveWithin: time.Hour, beforeDown: func([]op) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	w := j.WriterOf(1)
	if err := w.Commit(begin(1, "a")); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	defer full.Store(false)
	var seq uint32
	for {
		err := w.Append(record(1, seq, "lazy"), Later)
		if err == nil {
			err = w.Commit(record(1, seq+1, string(make([]byte, 3000))))
		}
		if errors.Is(err, ErrNoRoom) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seq += 2
	}
	if err := w.Commit(Change{Run: 1, Inbox: []Message{{Number: 1, Time: epoch}}, Essential: true}); err != nil {
		t.Fatal(err)
	}
	got := load(t, j, 1)
	if n := len(got.Records); n != int(seq)+1 || string(got.Records[n-1].Data) != "lazy" {
		t.Fatalf("%d records, %d were acknowledged, and one waited", n, seq)
	}
}

func differ(a, b Run) string {
	for i := range max(len(a.Records), len(b.Records)) {
		if i >= len(a.Records) || i >= len(b.Records) {
			return fmt.Sprintf("%d and %d records", len(a.Records), len(b.Records))
		}
		if !reflect.DeepEqual(a.Records[i], b.Records[i]) {
			return fmt.Sprintf("record %d: %+v and %+v", i, a.Records[i], b.Records[i])
		}
	}
	return fmt.Sprintf("%d and %d messages; %+v %+v", len(a.Inbox), len(b.Inbox), a.Header, b.Header)
}

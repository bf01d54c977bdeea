package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/journal/wal"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

// open opens a journal in a folder of the test's own and, when the test ends,
// closes and checks it.
func open(t testing.TB, o Options) *Journal {
	t.Helper()
	if t, ok := t.(*testing.T); ok {
		return openIn(t, memoryDir(t), o)
	}
	return openIn(t, t.TempDir(), o) // a benchmark is of the disk
}

func openIn(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	if o.LogBytes == 0 {
		o.LogBytes = 1 // the least
	}
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, ErrFailed) {
			t.Error(err)
		}
		if r, err := Check(dir); err != nil && !errors.Is(err, ErrLocked) || err == nil && !r.Clean {
			t.Errorf("check: %v %v", r.Sentences, err)
		}
	})
	return j
}

func reopen(t testing.TB, j *Journal, o Options) *Journal {
	t.Helper()
	if err := j.Close(); err != nil && !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	return openIn(t, j.dir, o)
}

func begin(run uint64, id string) Change {
	return Change{Run: run, Start: &Header{Run: run, ID: id, Created: epoch, Data: []byte("header of " + id)}}
}

func record(run uint64, seq uint32, data string) Change {
	return Change{Run: run, Records: []Record{{Seq: seq, Kind: 1, Count: 1, Time: epoch, Data: []byte(data)}}}
}

// commit commits each change, and fails the test if one fails.
func commit(t testing.TB, j *Journal, changes ...Change) {
	t.Helper()
	w := j.Writer()
	for _, c := range changes {
		if err := w.Commit(c); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t testing.TB, j *Journal, run uint64) Run {
	t.Helper()
	r, err := j.Load(run)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// moved waits until the ended runs of j have left the live file.
func moved(t testing.TB, j *Journal) {
	t.Helper()
	for {
		if n, err := j.mover.state(); err != nil && j.Err() != nil { // else it is tried again
			t.Fatal(err)
		} else if n == 0 {
			break
		}
		j.mover.kick()
		<-time.After(time.Millisecond)
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	commit(t, j,
		begin(1, "one"),
		Change{Run: 1, Records: []Record{
			{Seq: 2, Kind: 3, Time: epoch.Add(time.Hour), Data: []byte("b")},
			{Seq: 2, Kind: 1, Count: 7, Time: epoch},
			{Seq: 1, Kind: 63, Time: epoch.Add(time.Microsecond), Data: make([]byte, 10_000)},
		}, Inbox: []Message{{Number: 1 << 40, Time: epoch, Data: []byte("m")}, {Number: 2, Time: epoch}}},
		Change{Run: 1, Records: []Record{{Seq: 2, Kind: 1, Count: 8, Time: epoch, Data: []byte("again")}}, Taken: []uint64{2}},
	)
	want := Run{
		Header: Header{Run: 1, ID: "one", Created: epoch, Data: []byte("header of one")},
		Records: []Record{
			{Seq: 1, Kind: 63, Count: 1, Time: epoch, Data: make([]byte, 10_000)},
			{Seq: 2, Kind: 1, Count: 8, Time: epoch, Data: []byte("again")},
			{Seq: 2, Kind: 3, Count: 1, Time: epoch.Add(time.Hour), Data: []byte("b")},
		},
		Inbox: []Message{{Number: 1 << 40, Time: epoch, Data: []byte("m")}},
	}
	if got := load(t, j, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("live:\ngot  %+v\nwant %+v", got, want)
	}
	commit(t, j, Change{Run: 1, End: []byte{}})
	want.End = []byte{}
	if got := load(t, j, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("ended:\ngot  %+v\nwant %+v", got, want)
	}
	moved(t, j)
	if got := load(t, j, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("moved:\ngot  %+v\nwant %+v", got, want)
	}
	j = reopen(t, j, Options{})
	if got := load(t, j, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("opened again:\ngot  %+v\nwant %+v", got, want)
	}
	if r := j.Report(); !r.Clean || r.Interrupted {
		t.Errorf("report: %+v", r)
	}
	if n := j.NextRun(); n != 2 {
		t.Errorf("next run is %d, want 2", n)
	}
}

func TestInvalidChangesAreRefused(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	w := j.Writer()
	for _, c := range []Change{
		{},
		{Run: 1, Start: &Header{Run: 2, ID: "x"}},
		{Run: 1, Start: &Header{Run: 1}},
		{Run: 1, Start: &Header{Run: 1, ID: string(make([]byte, maxID+1))}},
		{Run: 1, Records: []Record{{Data: make([]byte, maxData+1)}}},
		{Run: 1, Inbox: []Message{{Data: make([]byte, maxData+1)}}},
		{Run: 1, End: make([]byte, maxData+1)},
	} {
		if err := w.Append(c, Soon); err == nil || errors.Is(err, ErrFailed) {
			t.Errorf("run %d: got %v", c.Run, err)
		}
	}
	if err := j.Err(); err != nil {
		t.Errorf("the journal has failed: %v", err)
	}
	commit(t, j, begin(1, "fine"))
}

func TestLive(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Hour})
	const n = 300
	for run := uint64(1); run <= n; run++ {
		w := j.Writer()
		c := begin(run, fmt.Sprintf("id-%03d", run))
		c.Records = []Record{{Seq: 1, Time: epoch, Data: make([]byte, 4000)}} // so that it takes several reads
		if run%10 == 0 {
			c.End = []byte("end")
		}
		if err := w.Append(c, Later); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	w := j.Writer()
	err := j.Live(func(r Run) error {
		got = append(got, r.Header.Run)
		if len(r.Records) != 1 || len(r.Records[0].Data) != 4000 {
			t.Errorf("run %d has %d records", r.Header.Run, len(r.Records))
		}
		return w.Commit(record(r.Header.Run, 2, "written while walking"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n-n/10 || !slices.IsSorted(got) {
		t.Errorf("got %d runs, want %d in order", len(got), n-n/10)
	}
	stop := errors.New("stop")
	if err := j.Live(func(Run) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of yield", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Hour})
	commit(t, j, begin(1, "ab"), begin(2, "abc"), begin(3, "abd"), begin(4, "b"), begin(5, "a\xff\xff"))
	commit(t, j, Change{Run: 3, End: []byte("x")})
	moved(t, j)
	commit(t, j, Change{Run: 2, End: []byte("x")}) // ended, and still in the live file
	for _, c := range []struct {
		prefix string
		limit  int
		want   []Ref
	}{
		{"ab", 0, []Ref{{"ab", 1, false}}},
		{"abd", 5, []Ref{{"abd", 3, true}}},
		{"a", 0, []Ref{{"ab", 1, false}, {"abc", 2, true}, {"abd", 3, true}, {"a\xff\xff", 5, false}}},
		{"a", 2, []Ref{{"ab", 1, false}, {"abc", 2, true}}},
		{"a\xff", 0, []Ref{{"a\xff\xff", 5, false}}},
		{"c", 0, []Ref{}},
		{"", 1, []Ref{{"ab", 1, false}}},
	} {
		got, err := j.Find(t.Context(), c.prefix, c.limit)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Find(%q, %d) = %v, %v; want %v", c.prefix, c.limit, got, err, c.want)
		}
	}
}

func TestEndedNewestFirst(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Hour})
	const n = 200
	for run := uint64(1); run <= n; run++ {
		c := begin(run, fmt.Sprint("id", run))
		if run%2 == 0 {
			c.End = fmt.Append(nil, "end", run)
		}
		if err := j.Writer().Append(c, Later); err != nil {
			t.Fatal(err)
		}
		if run == n/2 {
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
			moved(t, j) // the rest stays in the live file
		}
	}
	commit(t, j, Change{Run: 2, Amend: []byte("amended 2")}, Change{Run: n, Amend: []byte("amended n")})
	for _, before := range []uint64{0, 151, 150, 3, 1} {
		var want []uint64
		for run := uint64(n); run > 0; run -= 2 {
			if before == 0 || run < before {
				want = append(want, run)
			}
		}
		var got []uint64
		err := j.Ended(t.Context(), before, func(e EndedRun) bool {
			h, summary := e.Header, e.Summary
			got = append(got, h.Run)
			text := fmt.Sprint("end", h.Run)
			switch h.Run {
			case 2:
				text = "amended 2"
			case n:
				text = "amended n"
			}
			if string(summary) != text || h.ID != fmt.Sprint("id", h.Run) {
				t.Errorf("run %d: id %q, summary %q", h.Run, h.ID, summary)
			}
			return true
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("before %d: got %v, %v; want %v", before, got, err, want)
		}
	}
	calls := 0
	if err := j.Ended(t.Context(), 0, func(EndedRun) bool { calls++; return calls < 3 }); err != nil || calls != 3 {
		t.Errorf("stopped after %d calls, %v", calls, err)
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	for _, source := range []string{"print(1)", "another, ignored"} {
		if err := j.PutScript("hash", []byte(source)); err != nil {
			t.Fatal(err)
		}
	}
	c := begin(1, "needs it")
	c.Start.Script = "hash"
	commit(t, j, c)
	for range 2 {
		if got, err := j.Script(t.Context(), "hash"); err != nil || string(got) != "print(1)" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := j.Script(t.Context(), "other"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		j = reopen(t, j, Options{})
		if err := j.PutScript("hash", []byte("ignored")); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.PutScript("", nil); err == nil {
		t.Error("an empty hash was accepted")
	}
}

func TestLoadUnknown(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	if _, err := j.Load(9); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	w := j.Writer()
	commit(t, j, begin(1, "a"))
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Commit": w.Commit(begin(2, "b")), "Append": w.Append(begin(2, "b"), Soon), "Sync": j.Sync(), "Err": j.Err(),
		"PutScript": j.PutScript("h", nil),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	if _, err := j.Load(1); !errors.Is(err, ErrClosed) {
		t.Errorf("Load: got %v, want ErrClosed", err)
	}
}

func TestManyWriters(t *testing.T) {
	t.Parallel()
	// While one commit is under way, the others gather.
	j := open(t, Options{MoveWithin: time.Millisecond, BeforeSync: func() { <-time.After(time.Millisecond) }})
	const writers, steps = 32, 40
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			w := j.Writer()
			run := j.NextRun()
			if err := w.Commit(begin(run, fmt.Sprint("run", run))); err != nil {
				t.Error(err)
			}
			for s := range uint32(steps) {
				if err := errors.Join(w.Commit(record(run, 2*s, "intent")), w.Append(record(run, 2*s+1, "outcome"), Soon)); err != nil {
					t.Error(err)
				}
			}
			if run%2 == 0 {
				if err := w.Commit(Change{Run: run, End: []byte("end")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if s := j.Stats(); s.Commits >= writers*steps {
		t.Errorf("%d commits for %d barriers: they do not share", s.Commits, writers*steps)
	}
	j = reopen(t, j, Options{})
	for run := uint64(1); run <= writers; run++ {
		r := load(t, j, run)
		if len(r.Records) != 2*steps || (r.End != nil) != (run%2 == 0) {
			t.Errorf("run %d has %d records, end %q", run, len(r.Records), r.End)
		}
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MoveWithin: time.Hour})
	commit(t, j, begin(1, "a"), record(1, 1, "x"), Change{Run: 1, End: []byte("e")})
	s := j.Stats()
	if s.Commits != 3 || s.Records != 4 || s.ToMove != 1 || s.Moved != 0 || s.Queued != 0 {
		t.Errorf("got %+v", s)
	}
	if s.LogWritten != 3*wal.Page || s.Checkpoints != 0 || s.LiveBytes < 4*pageSize || s.HistoryBytes < 4*pageSize || s.ValueBytes < 100 {
		t.Errorf("got %+v", s)
	}
	moved(t, j)
	if s := j.Stats(); s.ToMove != 0 || s.Moved != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestOpenNeedsAFolder(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{}); err == nil {
		t.Error("opened in a folder that does not exist")
	}
}

// LoadFrom leaves out what lies before a place, of a live run and of one that has ended.
func TestLoadFrom(t *testing.T) {
	t.Parallel()
	j, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w, run := j.Writer(), j.NextRun()
	c := Change{Run: run, Start: &Header{Run: run, ID: "r"}, Inbox: []Message{{Number: 1}}}
	for seq := range uint32(5) {
		c.Records = append(c.Records, Record{Seq: seq, Kind: 1}, Record{Seq: seq, Kind: 2})
	}
	if err := w.Commit(c); err != nil {
		t.Fatal(err)
	}
	for _, ended := range []bool{false, true} {
		if ended {
			if err := w.Commit(Change{Run: run, End: []byte("over")}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := j.LoadFrom(run, 3)
		if err != nil || got.Header.ID != "r" || len(got.Records) != 4 || got.Records[0].Seq != 3 || (got.End != nil) != ended {
			t.Errorf("ended %v: %+v, %v", ended, got, err)
		}
	}
}

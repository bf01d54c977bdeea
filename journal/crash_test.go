package journal

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var errCrash = errors.New("crash")

// lives returns the changes of a few runs, all kinds of them, interleaved.
func lives() []Change {
	var out []Change
	for run := uint64(1); run <= 4; run++ {
		out = append(out, begin(run, fmt.Sprint("run", run)))
	}
	for seq := range uint32(6) {
		for run := uint64(1); run <= 4; run++ {
			c := record(run, seq/2, fmt.Sprint("record ", seq)) // each second one replaces
			c.Records[0].Count = seq + 1
			c.Inbox = []Message{{Number: uint64(seq), Time: epoch, Data: []byte("m")}}
			if seq > 2 {
				c.Taken = []uint64{uint64(seq - 1)}
			}
			out = append(out, c)
		}
	}
	return append(out,
		Change{Run: 2, End: []byte("two")}, Change{Run: 3, End: []byte("three")},
		Change{Run: 2, Amend: []byte("two, again")}, Change{Run: 2, Amend: []byte("two, a third time")})
}

// model applies changes in memory, in the plainest way.
func model(changes []Change) map[uint64]Run {
	runs := make(map[uint64]Run)
	for _, c := range changes {
		r := runs[c.Run]
		if c.Start != nil {
			r.Header = *c.Start
		}
		for _, rec := range c.Records {
			found := false
			for i := range r.Records {
				if r.Records[i].Seq == rec.Seq && r.Records[i].Kind == rec.Kind {
					r.Records[i], found = rec, true
				}
			}
			if !found {
				r.Records = append(r.Records, rec)
			}
		}
		r.Inbox = append(r.Inbox, c.Inbox...)
		for _, n := range c.Taken {
			kept := []Message(nil)
			for _, m := range r.Inbox {
				if m.Number != n {
					kept = append(kept, m)
				}
			}
			r.Inbox = kept
		}
		if c.End != nil {
			r.End = c.End
		}
		if c.Amend != nil {
			r.End = c.Amend
		}
		runs[c.Run] = r
	}
	return runs
}

// noise is what no compressor makes shorter.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// sortRun puts records and messages in the order of their keys.
func sortRun(r *Run) {
	slices.SortFunc(r.Records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortFunc(r.Inbox, func(a, b Message) int { return cmp.Compare(a.Number, b.Number) })
}

// same compares everything that j holds with what it should.
func same(t *testing.T, j *Journal, want map[uint64]Run) {
	t.Helper()
	for run := uint64(1); run <= 4; run++ {
		got, err := j.Load(run)
		w, ok := want[run]
		if !ok {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("run %d: got %v, want ErrNotFound", run, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("run %d: %v\ngot  %+v\nwant %+v", run, err, got, w)
		}
	}
	live, ended, found := 0, 0, 0
	err := j.Live(func(r Run) error {
		live++
		if want[r.Header.Run].End != nil {
			t.Errorf("run %d has ended and is listed as live", r.Header.Run)
		}
		return nil
	})
	err = errors.Join(err, j.Ended(t.Context(), 0, func(e EndedRun) bool {
		ended++
		if e.Err != nil || string(want[e.Header.Run].End) != string(e.Summary) {
			t.Errorf("run %d has summary %q, want %q, %v", e.Header.Run, e.Summary, want[e.Header.Run].End, e.Err)
		}
		return true
	}))
	refs, ferr := j.Find(t.Context(), "", 0)
	if err = errors.Join(err, ferr); err != nil {
		t.Error(err)
	}
	for _, ref := range refs {
		found++
		if want[ref.Run].Header.ID != ref.ID || ref.Ended != (want[ref.Run].End != nil) {
			t.Errorf("found %+v", ref)
		}
	}
	if live+ended != len(want) || found != len(want) {
		t.Errorf("%d live, %d ended, %d found; want %d in all", live, ended, found, len(want))
	}
}

// After a crash at any Change, exactly those before it are there.
func TestCrashAtEachChange(t *testing.T) {
	t.Parallel()
	changes := lives()
	for k := 0; k <= len(changes); k++ {
		for _, barrier := range []bool{false, true} {
			j := open(t, Options{MoveWithin: time.Microsecond, BeforeAppend: func(n uint64, _ Change) error {
				if n > uint64(k) {
					return errCrash
				}
				return nil
			}})
			w := j.Writer()
			for i, c := range changes {
				var err error
				if barrier {
					err = w.Commit(c)
				} else {
					err = w.Append(c, Later)
				}
				if i < k && err != nil || i >= k && (!errors.Is(err, errCrash) || !errors.Is(err, ErrFailed)) {
					t.Fatalf("crash after %d: change %d: %v", k, i, err)
				}
			}
			if err := j.Err(); k < len(changes) && !errors.Is(err, errCrash) {
				t.Fatalf("crash after %d: Err is %v", k, err)
			}
			j = reopen(t, j, Options{})
			same(t, j, model(changes[:k]))
			if want := k < len(changes); j.Report().Interrupted != want || !j.Report().Clean {
				t.Errorf("crash after %d: report %+v", k, j.Report())
			}
			if t.Failed() {
				t.Fatalf("crash after %d changes", k)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d crashes", 2*(len(changes)+1))
}

// left describes an entry of a run that has ended, if the live file has one.
func left(t *testing.T, j *Journal) (what string) {
	t.Helper()
	if err := j.live.Scan([]byte{tableRun}, []byte{tableRun + 1}, func(key, _ []byte) bool {
		if run, _, _ := splitRunKey(key); run != 1 {
			what = describe(key)
		}
		return what == ""
	}); err != nil {
		t.Fatal(err)
	}
	return what
}

// A crash at any commit of the move, of either file, done or not, leaves every
// run whole, and the next journal ends the move.
func TestCrashWhileMoving(t *testing.T) {
	t.Parallel()
	changes := lives()
	// A run so long that it has a batch of its own, and several chunks.
	rng := rand.New(rand.NewPCG(5, 6))
	long := begin(4, "run4")
	for seq := range uint32(1200) {
		long.Records = append(long.Records, Record{Seq: 100 + seq, Count: 1, Time: epoch, Data: noise(rng, 2000)})
	}
	changes = append(changes, long, Change{Run: 4, End: []byte("four")})
	want := model(changes)
	crashes := 0
	for _, file := range []string{historyName, liveName} {
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				dir := memoryDir(t)
				j := openIn(t, dir, Options{MoveWithin: time.Hour})
				commit(t, j, changes...)
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				f := &faulty{after: after, fail: func(n int) error {
					if n >= at {
						return errCrash
					}
					return nil
				}}
				o := f.on(file)
				o.MoveWithin = time.Microsecond
				j = openIn(t, dir, o)
				for crashed := false; !crashed; {
					n, merr := j.mover.state()
					crashed = n == 0 || merr != nil || j.Err() != nil
					<-time.After(100 * time.Microsecond)
				}
				serr := j.Sync()
				failed := f.count() >= at
				if !failed && serr != nil {
					t.Fatal(serr)
				}
				same(t, j, want) // while it has failed, too
				j = reopen(t, j, Options{MoveWithin: time.Hour})
				same(t, j, want)
				moved(t, j)
				same(t, j, want)
				for end := time.Now().Add(time.Minute); left(t, j) != ""; moved(t, j) { // the removals are queued behind the move
					if time.Now().After(end) {
						t.Fatalf("left in the live file: %s", left(t, j))
					}
				}
				if n := j.NextRun(); n != 5 {
					t.Errorf("next run is %d", n)
				}
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				if t.Failed() {
					t.Fatalf("crash at commit %d of %s, done %v", at, file, after)
				}
				if !failed {
					break
				}
				crashes++
			}
		}
	}
	t.Logf("%d crashes", crashes)
}

// The variable that makes the test binary a process that writes until killed.
const loadVariable = "JOURNAL_TEST_LOAD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(loadVariable); dir != "" {
		fmt.Fprintln(os.Stderr, underLoad(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// underLoad commits as fast as it can, and says on standard output what was
// acknowledged: for each run, the number of its last record.
func underLoad(dir string) error {
	j, err := Open(dir, Options{MoveWithin: time.Millisecond})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	say := func(run, seq uint64) error {
		mu.Lock()
		defer mu.Unlock()
		b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, run), seq)
		if _, err := out.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	errs := make(chan error)
	for range 8 {
		go func() {
			w := j.Writer()
			for {
				run := j.NextRun()
				err := w.Commit(begin(run, fmt.Sprint("run", run)))
				for seq := uint64(1); seq <= 50 && err == nil; seq++ {
					if err = w.Append(record(run, uint32(2*seq), "lazy"), Later); err == nil {
						err = w.Commit(record(run, uint32(2*seq+1), "barrier"))
					}
					if err == nil {
						err = say(run, seq)
					}
				}
				if err == nil {
					err = w.Commit(Change{Run: run, End: []byte("end")})
				}
				if err == nil {
					err = say(run, 1000)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

// A process that is killed loses nothing that it was told is on disk.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	acknowledged := make(map[uint64]uint64)
	total := 0
	for range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), loadVariable+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killAt := 200 + rng.IntN(2000) // acknowledgements
		var b [16]byte
		for n := 0; ; n++ {
			if _, err := io.ReadFull(stdout, b[:]); err != nil {
				break
			}
			run, seq := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
			acknowledged[run] = max(acknowledged[run], seq)
			total++
			if n == killAt {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
			t.Fatalf("the process ended by itself: %v %s", err, stderr.String())
		}
		j := openIn(t, dir, Options{})
		if r := j.Report(); !r.Clean || !r.Interrupted {
			t.Errorf("report: %+v", r)
		}
		for run, seq := range acknowledged {
			r := load(t, j, run)
			if seq == 1000 && r.End == nil {
				t.Errorf("run %d had ended", run)
			}
			if n := uint64(len(r.Records)); seq < 1000 && n < 2*seq || seq == 1000 && n != 100 {
				t.Errorf("run %d has %d records, %d steps were acknowledged", run, n, seq)
			}
			for i, rec := range r.Records {
				if rec.Seq != uint32(i+2) {
					t.Errorf("run %d: record %d has number %d", run, i, rec.Seq)
				}
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledgements, 8 kills", total)
}

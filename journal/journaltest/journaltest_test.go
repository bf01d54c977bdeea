package journaltest_test

import (
	"errors"
	"testing"
	"time"

	"holdfast/journal"
	"holdfast/journal/journaltest"
)

func start(run uint64, id string) journal.Change {
	return journal.Change{Run: run, Start: &journal.Header{Run: run, ID: id, Created: epoch, Data: []byte("demo.small")}}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func TestDump(t *testing.T) {
	t.Parallel()
	j := journaltest.Open(t)
	w := j.Writer()
	changes := []journal.Change{
		start(1, "a"),
		{Run: 1, Records: []journal.Record{
			{Seq: 2, Kind: 1, Time: epoch.Add(1500 * time.Millisecond), Count: 3, Data: []byte{0xa1, 0x00}},
			{Seq: 1, Kind: 9, Time: epoch, Data: []byte("first")},
		}},
		{Run: 1, Inbox: []journal.Message{{Number: 7, Time: epoch.Add(time.Minute), Data: []byte("HOLD")}}},
	}
	for _, c := range changes {
		if err := w.Append(c, journal.Later); err != nil {
			t.Fatal(err)
		}
	}
	want := `run 1 "a" "demo.small"
1/9 +0s "first"
2/1 ×3 +1.5s a100
inbox 7 +1m0s "HOLD"
`
	if got := journaltest.Dump(j, 1); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := w.Commit(journal.Change{Run: 1, End: []byte("done")}); err != nil {
		t.Fatal(err)
	}
	j = journaltest.Reopen(t, j)
	if got := journaltest.Dump(j, 1); got != want+"end \"done\"\n" {
		t.Errorf("after the end, got\n%s", got)
	}
	if got := journaltest.Dump(j, 2); got != "run 2: run 2: not in the journal\n" {
		t.Errorf("no such run: got %q", got)
	}
}

func TestCrashAfter(t *testing.T) {
	t.Parallel()
	j := journaltest.Open(t, journaltest.CrashAfter(2))
	w := j.Writer()
	if err := w.Append(start(1, "a"), journal.Later); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(start(2, "b"), journal.Later); err != nil {
		t.Fatal(err)
	}
	err := w.Commit(start(3, "c"))
	if !errors.Is(err, journaltest.ErrCrash) || !errors.Is(err, journal.ErrFailed) {
		t.Fatalf("the third change: got %v, want a crash", err)
	}
	if err := w.Append(start(4, "d"), journal.Soon); !errors.Is(err, journal.ErrFailed) {
		t.Fatalf("after the crash: got %v, want a failed journal", err)
	}
	j = journaltest.Reopen(t, j)
	if !j.Report().Interrupted {
		t.Error("a crash was taken for an orderly close")
	}
	refs, err := j.Find(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(refs) != 2 || refs[0].ID != "a" || refs[1].ID != "b" {
		t.Errorf("after the crash: got %v, want a and b", refs)
	}
}

// Package journaltest opens journals for tests, checks them when the test ends,
// stops them at a chosen Change as a crash would, and shows a run as text.
package journaltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/journal"
)

// ErrCrash is what a journal fails with that CrashAfter has stopped. It is
// wrapped in journal.ErrFailed.
var ErrCrash = errors.New("crash injected by a test")

// Open opens a new journal in a folder of the test's own. When the test ends it
// is closed, and both its files are checked.
func Open(t testing.TB, opts ...journal.Options) *journal.Journal {
	t.Helper()
	return OpenIn(t, t.TempDir(), opts...)
}

// OpenIn is Open in a folder that may hold a journal already.
func OpenIn(t testing.TB, dir string, opts ...journal.Options) *journal.Journal {
	t.Helper()
	var o journal.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.LogBytes == 0 {
		o.LogBytes = 1 // the least: a log of full size takes long to make
	}
	j, err := journal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, ErrCrash) {
			t.Errorf("closing the journal: %v", err)
		}
		// A later journal in the same folder is checked by its own cleanup.
		report, err := journal.Check(dir)
		if errors.Is(err, journal.ErrLocked) {
			return
		}
		if err != nil {
			t.Error(err)
		}
		if !report.Clean {
			t.Errorf("the journal is not in order: %s", strings.Join(report.Sentences, "; "))
		}
	})
	return j
}

// Reopen closes j and opens its folder again.
func Reopen(t testing.TB, j *journal.Journal, opts ...journal.Options) *journal.Journal {
	t.Helper()
	if err := j.Close(); err != nil && !errors.Is(err, ErrCrash) {
		t.Fatalf("closing the journal: %v", err)
	}
	return OpenIn(t, j.Dir(), opts...)
}

// CrashAfter returns options with which exactly the first k Changes become
// durable. Every later call that would change the journal fails, with an error
// that wraps journal.ErrFailed and ErrCrash.
func CrashAfter(k uint64) journal.Options {
	return journal.Options{BeforeAppend: func(n uint64, _ journal.Change) error {
		if n > k {
			return ErrCrash
		}
		return nil
	}}
}

// Load returns a run, live or ended, with everything appended before the call.
// It must be small enough to be in memory as a whole.
func Load(j *journal.Journal, run uint64) (journal.Run, error) {
	ctx := context.Background()
	if err := j.Sync(); err != nil && !errors.Is(err, journal.ErrFailed) {
		return journal.Run{}, err
	}
	head, err := j.Head(ctx, run)
	if err != nil {
		return journal.Run{}, err
	}
	r := journal.Run{Header: head.Header, End: head.Summary}
	err = j.Records(ctx, run, 0, func(rec journal.Record) bool { r.Records = append(r.Records, rec); return true })
	if err == nil {
		err = j.Messages(ctx, run, 0, func(m journal.Message) bool { r.Inbox = append(r.Inbox, m); return true })
	}
	return r, err
}

// Dump returns a run as text, one line for each thing that the journal holds of
// it, for comparison with a golden file. Times are given as what has passed
// since the run was created.
func Dump(j *journal.Journal, run uint64) string {
	r, err := Load(j, run)
	if err != nil {
		return fmt.Sprintf("run %d: %v\n", run, err)
	}
	var b strings.Builder
	since := func(t time.Time) time.Duration { return t.Sub(r.Header.Created) }
	fmt.Fprintf(&b, "run %d %q %s\n", r.Header.Run, r.Header.ID, text(r.Header.Data))
	for _, rec := range r.Records {
		times := ""
		if rec.Count > 1 {
			times = fmt.Sprintf(" ×%d", rec.Count)
		}
		fmt.Fprintf(&b, "%d/%d%s +%v %s\n", rec.Seq, rec.Kind, times, since(rec.Time), text(rec.Data))
	}
	for _, m := range r.Inbox {
		fmt.Fprintf(&b, "inbox %d +%v %s\n", m.Number, since(m.Time), text(m.Data))
	}
	if r.End != nil {
		fmt.Fprintf(&b, "end %s\n", text(r.End))
	}
	return b.String()
}

// text shows printable data as a quoted string, other data in hexadecimal.
func text(data []byte) string {
	s := string(data)
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%x", data)
}

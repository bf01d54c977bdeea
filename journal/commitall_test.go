package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// letters is one message for each of n runs.
func letters(n int) (cs []Change) {
	for run := range n {
		cs = append(cs, Change{Run: uint64(run) + 1, Inbox: []Message{{Number: 1, Time: epoch, Data: []byte("stop")}}})
	}
	return cs
}

// inboxes counts the runs that have a message.
func inboxes(t *testing.T, j *Journal) (with, without int) {
	t.Helper()
	err := j.Live(func(r Run) error {
		if len(r.Inbox) > 0 {
			with++
		} else {
			without++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return with, without
}

// Changes committed as one are one commit, however many, and there after a restart.
func TestCommitAllIsOneCommit(t *testing.T) {
	t.Parallel()
	const runs = 6000 // more than a transaction otherwise takes
	f := new(faulty)
	j := open(t, f.on(liveName))
	w := j.Writer()
	for run := range uint64(runs) {
		if err := w.Append(begin(run+1, fmt.Sprint("r", run)), Later); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	before := f.count()
	if err := w.Commit(letters(runs)...); err != nil {
		t.Fatal(err)
	}
	if n := f.count() - before; n != 1 || f.ops[len(f.ops)-1] != runs {
		t.Errorf("%d commits, the last of %d entries; want one of %d", n, f.ops[len(f.ops)-1], runs)
	}
	if err := w.Commit(); err != nil {
		t.Errorf("nothing to commit: %v", err)
	}
	j = reopen(t, j, Options{})
	if with, without := inboxes(t, j); with != runs || without != 0 {
		t.Errorf("%d runs have their message, %d have not", with, without)
	}
}

// A crash at any of the Changes leaves none of them.
func TestCommitAllOrNothing(t *testing.T) {
	t.Parallel()
	const runs = 3
	for k := uint64(1); k <= runs; k++ {
		j := open(t, Options{BeforeAppend: func(n uint64, _ Change) error {
			if n == runs+k {
				return errCrash
			}
			return nil
		}})
		for run := range uint64(runs) {
			commit(t, j, begin(run+1, fmt.Sprint("r", run)))
		}
		if err := j.Writer().Commit(letters(runs)...); !errors.Is(err, errCrash) || !errors.Is(err, ErrFailed) {
			t.Errorf("crash at %d: %v", k, err)
		}
		j = reopen(t, j, Options{})
		if with, without := inboxes(t, j); with != 0 || without != runs {
			t.Errorf("crash at %d: %d runs have a message, %d have none", k, with, without)
		}
	}
}

func TestCommitAllRefuses(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	commit(t, j, begin(1, "a"), begin(2, "b"))
	for want, c := range map[string]Change{
		"names no run": {},
	} {
		if err := j.Writer().Commit(append(letters(1), c)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if with, _ := inboxes(t, j); with != 0 {
		t.Errorf("%d runs have a message of a commit that was refused", with)
	}
}

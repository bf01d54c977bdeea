package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/journal"
)

// loneCommits is how many commits are measured: what fills the log's segments
// three times, so that its checkpoints are in the mean.
const loneCommits = 3 * 2048

// measureLone measures a lone commit of one record: in a new journal, right behind
// a run of o.records records that has ended and has been moved, and after that.
func measureLone(ctx context.Context, o options) (out figures, err error) {
	j, err := journal.Open(o.dir, journal.Options{})
	if err != nil {
		return nil, err
	}
	b := &box{journal: j}
	defer func() { err = errors.Join(err, j.Close()) }()
	out = figures{}
	if err := out.lone(j, "new"); err != nil {
		return nil, err
	}
	w, run := j.Writer(), j.NextRun()
	if err := w.Commit(journal.Change{Run: run, Start: &journal.Header{Run: run, ID: "long", Created: time.Now()}}); err != nil {
		return nil, err
	}
	data := make([]byte, 100)
	for seq := range uint32(o.records) {
		c := journal.Change{Run: run, Records: []journal.Record{{Seq: seq, Kind: 1, Time: time.Now(), Data: data}}}
		if err := w.Append(c, journal.Later); err != nil {
			return nil, err
		}
	}
	if err := w.Commit(journal.Change{Run: run, End: data}); err != nil {
		return nil, err
	}
	if _, err := b.settle(ctx); err != nil {
		return nil, err
	}
	// What that run itself has left in the log is carried down meanwhile.
	if err := out.lone(j, "behind"); err != nil {
		return nil, err
	}
	return out, out.lone(j, "after")
}

// lone adds what lone commits of a run of their own write.
func (f figures) lone(j *journal.Journal, when string) error {
	w, run := j.Writer(), j.NextRun()
	if err := w.Commit(journal.Change{Run: run, Start: &journal.Header{Run: run, ID: when, Created: time.Now()}}); err != nil {
		return err
	}
	data := make([]byte, 100)
	each := make([]int64, 0, loneCommits)
	stats := j.Stats()
	disk, err := diskBytes(j.Dir())
	if err != nil {
		return err
	}
	first, err := written()
	last := first
	for seq := range uint32(loneCommits) {
		if err == nil {
			err = w.Commit(journal.Change{Run: run, Records: []journal.Record{{Seq: seq, Kind: 1, Time: time.Now(), Data: data}}})
		}
		if err != nil {
			return err
		}
		var n int64
		if n, err = written(); err != nil {
			return err
		}
		each = append(each, n-last)
		last = n
	}
	slices.Sort(each)
	now := j.Stats()
	diskNow, err := diskBytes(j.Dir())
	if err != nil {
		return err
	}
	f[when+"_median_bytes"] = float64(each[len(each)/2])
	f[when+"_mean_bytes"] = float64(last-first) / loneCommits
	f[when+"_disk_bytes"] = float64(diskNow-disk) / loneCommits
	f[when+"_counted_bytes"] = float64(now.Written()-stats.Written()) / loneCommits
	return nil
}

// measureHistory measures what o.runs ended runs of ten steps take of the
// history, in the workflow's simplest form.
func measureHistory(ctx context.Context, o options) (out figures, err error) {
	h := &holdfast{probe: new(probe)}
	if err := h.open(o.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	before := h.box.journal.Stats()
	o.steps = 10
	each := o
	each.runs = 64
	done := 0
	for done < o.runs {
		times, err := keepRunning(ctx, each, 100*time.Millisecond, h)
		if err != nil {
			return nil, err
		}
		done += len(times)
	}
	if _, err := h.settle(ctx); err != nil {
		return nil, err
	}
	s := h.box.journal.Stats()
	n := float64(done)
	return figures{
		"runs":          n,
		"size_bytes":    float64(s.HistoryBytes-before.HistoryBytes) / n,
		"written_bytes": float64(s.OldWritten-before.OldWritten) / n,
	}, nil
}

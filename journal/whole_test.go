package journal

import (
	"context"
	"errors"
	"io"
)

// Tests look at whole runs, which they have made short enough.

// Load returns a run, live or ended, with everything appended before the call.
func (j *Journal) Load(run uint64) (Run, error) { return j.LoadFrom(run, 0) }

// LoadFrom is Load without the records before place first.
func (j *Journal) LoadFrom(run uint64, first uint32) (Run, error) {
	ctx := context.Background()
	if err := j.settle(ctx); err != nil {
		return Run{}, err
	}
	for {
		head, err := j.Head(ctx, run)
		if err != nil {
			return Run{}, err
		}
		r := Run{Header: head.Header, End: head.Summary}
		err = j.Records(ctx, run, first, func(rec Record) bool { r.Records = append(r.Records, rec); return true })
		if err == nil {
			err = j.Messages(ctx, run, 0, func(m Message) bool { r.Inbox = append(r.Inbox, m); return true })
		}
		if err != nil {
			return Run{}, err
		}
		if again, err := j.Head(ctx, run); err != nil || r.End != nil || again.Summary == nil {
			return r, err
		} // else it has ended meanwhile
	}
}

// Live calls yield with every run that has not ended, by number. Its error ends
// the walk. A run that cannot be read is left out, and is named in the error.
func (j *Journal) Live(yield func(Run) error) error {
	if err := j.settle(context.Background()); err != nil {
		return err
	}
	var errs []error
	err := j.LiveHeaders(context.Background(), 0, func(l LiveRun) bool {
		if l.Err != nil {
			errs = append(errs, l.Err)
			return true
		}
		r, err := j.Load(l.Header.Run)
		if err != nil {
			errs = append(errs, err)
			return true
		}
		if err = yield(r); err != nil {
			errs = append(errs, err)
		}
		return err == nil
	})
	return errors.Join(append(errs, err)...)
}

// readWhole is readBody into a Run.
func readWhole(from io.Reader, size uint64, run *Run) error {
	return readBody(from, size, 0, func(r Record) error { run.Records = append(run.Records, r); return nil },
		func(m Message) error { run.Inbox = append(run.Inbox, m); return nil })
}

package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// EndedRun is a run that has ended, as lists show it.
type EndedRun struct {
	Header  Header
	Ended   time.Time // when its end was appended
	Summary []byte
	// Err, if not nil, says why nothing can be read but the number, Header.Run.
	Err error
}

// Ended calls yield with runs that have ended, from the highest number below
// before downwards, until it returns false or ctx is done; before 0 begins with
// the highest. A run that cannot be read comes with its number and an Err; it
// does not end the list. yield may use the journal.
func (j *Journal) Ended(ctx context.Context, before uint64, yield func(EndedRun) bool) error {
	return j.list(ctx, nil, before, yield)
}

// EndedBy is Ended for the runs that ended with that term.
func (j *Journal) EndedBy(ctx context.Context, term string, before uint64, yield func(EndedRun) bool) error {
	if term == "" {
		return errors.New("cannot list ended runs: the term is empty")
	}
	return j.list(ctx, []byte(term), before, yield)
}

// A page of a list: as many runs as are read in one go, or fewer when their
// heads take so many bytes.
const (
	pageRuns  = 64
	pageBytes = 1 << 20
)

// lister is one walk through the list.
type lister struct {
	j    *Journal
	term []byte // nil: all

	heads map[uint64]*heads // of batches that the page has met
	bytes int               // of them
	last  uint64            // batch
}

func (j *Journal) list(ctx context.Context, term []byte, before uint64, yield func(EndedRun) bool) error {
	if err := j.settle(ctx); err != nil {
		return err
	}
	l := lister{j: j, term: term, heads: make(map[uint64]*heads)}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, next, err := l.page(ctx, before)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("cannot list ended runs: %w", err)
		}
		for _, e := range page {
			if ctx.Err() != nil || !yield(e) {
				return ctx.Err()
			}
		}
		if next <= 1 {
			return nil
		}
		before = next
	}
}

// page reads runs below before, and returns below which number to go on; 0:
// there are no more.
func (l *lister) page(ctx context.Context, before uint64) (page []EndedRun, next uint64, err error) {
	// Those that still lie in the live file first: who leaves it meanwhile is
	// then found in the history.
	fresh, low, err := l.fresh(ctx, before)
	if err != nil {
		return nil, 0, err
	}
	stored, next, err := l.stored(before)
	if err != nil {
		return nil, 0, err
	}
	l.forget()
	for _, p := range stored {
		if p.run < low {
			break
		}
		if l.bytes > pageBytes {
			next = max(next, p.run+1)
			break
		}
		w := fresh[p.run]
		e, ok := l.read(p)
		switch {
		case !ok:
			continue // it was deleted meanwhile
		case w != nil && w.amended != nil && e.Err == nil:
			e.Summary = w.amended
		}
		delete(fresh, p.run)
		page = append(page, e)
	}
	next = max(next, low)
	for run, w := range fresh {
		if w.listed && run >= next {
			page = append(page, w.EndedRun)
		}
	}
	slices.SortFunc(page, func(a, b EndedRun) int { return cmp.Compare(b.Header.Run, a.Header.Run) })
	return page, next, nil
}

// freshRun is an ended run as the live file holds it.
type freshRun struct {
	EndedRun
	listed  bool   // it is whole there, and belongs in the list
	amended []byte // a summary that replaces, perhaps that in the history
}

// fresh reads ended runs below before that still lie in the live file, a page
// of them; low: those below were not looked at.
func (l *lister) fresh(ctx context.Context, before uint64) (runs map[uint64]*freshRun, low uint64, err error) {
	waiting := l.j.mover.ended.all()
	if before != 0 {
		waiting = slices.DeleteFunc(waiting, func(run uint64) bool { return run >= before })
	}
	slices.Sort(waiting)
	runs = make(map[uint64]*freshRun)
	listed := 0
	for _, run := range slices.Backward(waiting) {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		w, err := l.waiting(run)
		if err != nil {
			return nil, 0, err
		}
		runs[run] = w
		if w.listed {
			listed++
		}
		if listed == pageRuns {
			return runs, run, nil
		}
	}
	return runs, 0, nil
}

func (l *lister) waiting(run uint64) (*freshRun, error) {
	w := &freshRun{EndedRun: EndedRun{Header: Header{Run: run}}}
	header, err := get(l.j.live, appendPart(nil, run, partHeader))
	if err == nil && header != nil {
		w.Header, err = decodeHeader(run, header)
	}
	var bad error
	if err == nil {
		serr := l.j.live.Scan(appendPart(nil, run, partEnd), appendPart(nil, run, partAmend+1), func(key, value []byte) bool {
			payload, _, err := unseal(key, value)
			if _, part, _ := splitRunKey(key); err == nil && part == partAmend {
				w.amended = notNil(payload)
			} else if err == nil {
				var end ending
				end, err = decodeEnd(payload)
				w.Ended, w.Summary = end.at, notNil(end.summary)
				w.listed = header != nil && (l.term == nil || slices.ContainsFunc(end.terms, func(t []byte) bool { return string(t) == string(l.term) }))
			}
			bad = err
			return bad == nil
		})
		err = errors.Join(serr, bad)
	}
	if errors.Is(err, errDamaged) {
		return &freshRun{EndedRun: EndedRun{Header: Header{Run: run}, Err: fmt.Errorf("cannot read run %d: %w", run, err)}, listed: true}, nil
	}
	if w.amended != nil {
		w.Summary = w.amended
	}
	return w, err
}

package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// What is in this file reads what is on disk, and no more of it at once than a
// page: whoever wants to see what was appended just now calls SyncContext before.
// It holds no state of the files between two pages.

// A page: as much as is read in one go. It is enough to be cheap, and short
// enough that no read holds pages of the file for long. One entry more than
// fits may be in it.
const (
	pageEntries = 1024
	readAhead   = 256 << 10
)

func (j *Journal) pageEntries() int {
	if n := j.opts.tests.page; n > 0 {
		return n
	}
	return pageEntries
}

// RunHead is a run without its records and its mailbox.
type RunHead struct {
	Header  Header
	Summary []byte // once it has ended; else nil
}

// Head returns a run, live or ended, without its records and its mailbox.
// ErrNotFound if there is none of that number.
func (j *Journal) Head(ctx context.Context, run uint64) (RunHead, error) {
	if err := ctx.Err(); err != nil {
		return RunHead{}, err
	}
	h, err := j.liveHead(run)
	if err != nil {
		return RunHead{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	if h.header && h.run.End == nil {
		return RunHead{Header: h.run.Header}, nil
	}
	head, found, err := j.history.head(run)
	switch {
	case err != nil:
		return RunHead{}, fmt.Errorf("cannot read run %d: %w", run, err)
	case found:
	case h.header:
		head = RunHead{h.run.Header, h.run.End}
	default:
		return RunHead{}, fmt.Errorf("run %d: %w", run, ErrNotFound)
	}
	if h.amended != nil {
		head.Summary = h.amended
	}
	return head, nil
}

// liveHead reads what the live file holds of a run beside its records and its
// mailbox. The header is read last: a run leaves the live file as one and does
// not come back, so that, while its header is there, what was read before it
// was all that there is.
func (j *Journal) liveHead(run uint64) (h held, err error) {
	var bad error
	err = j.live.Scan(appendPart(nil, run, partEnd), appendPart(nil, run, partAmend+1), func(key, value []byte) bool {
		bad = h.add(key, value)
		return bad == nil
	})
	if err = errors.Join(err, bad); err == nil {
		err = h.readHeader(j.live, run)
	}
	return h, err
}

func (h *held) readHeader(s getter, run uint64) error {
	key := appendPart(nil, run, partHeader)
	value, err := s.Get(key)
	if err == nil && value != nil {
		err = h.add(key, value)
	}
	return err
}

// LiveRun is a run that has not ended, as lists show it.
type LiveRun struct {
	Header Header
	// Err, if not nil, says why nothing can be read but the number, Header.Run.
	Err error
}

// LiveHeaders calls yield with the runs that have not ended, from the lowest
// number above after on, until it returns false or ctx is done. Neither records
// nor mailboxes are read. A run that cannot be read comes with its number and an
// Err; it does not end the list. yield may use the journal.
func (j *Journal) LiveHeaders(ctx context.Context, after uint64, yield func(LiveRun) bool) error {
	for next := after + 1; next != 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		run, following, err := j.liveAt(next)
		if err != nil {
			return fmt.Errorf("cannot list live runs: %w", err)
		}
		if run != nil && !yield(*run) {
			return ctx.Err()
		}
		next = following
	}
	return ctx.Err()
}

// liveAt returns the run of number n if it has not ended, and the number to go
// on with; 0: there are no more.
func (j *Journal) liveAt(n uint64) (run *LiveRun, next uint64, err error) {
	// In this order, for the reason that liveHead has. A run that has ended is
	// in the other list, whether its end can be read or not.
	end, err := j.live.Get(appendPart(nil, n, partEnd))
	if err != nil {
		return nil, 0, err
	}
	var h held
	if err := h.readHeader(j.live, n); err != nil && !errors.Is(err, errDamaged) {
		return nil, 0, err
	} else if err != nil && end == nil {
		return &LiveRun{Header: Header{Run: n}, Err: fmt.Errorf("cannot read run %d: %w", n, err)}, n + 1, nil
	}
	if h.header && end == nil {
		return &LiveRun{Header: h.run.Header}, n + 1, nil
	}
	// Most numbers that follow have been given to runs that live no more.
	err = j.live.Scan(runKey(tableRun, n+1), []byte{tableRun + 1}, func(key, _ []byte) bool {
		if len(key) >= runKeyLen {
			next = binary.BigEndian.Uint64(key[1:])
		}
		return false
	})
	return nil, next, err
}

// Records calls yield with the records of a run, live or ended, from place first
// on, by place and kind, until it returns false or ctx is done. What is appended
// meanwhile may come too. yield may use the journal, and keep what it gets.
// ErrNotFound if there is no run of that number. An error may come after records.
func (j *Journal) Records(ctx context.Context, run uint64, first uint32, yield func(Record) bool) error {
	w := walk{j: j, ctx: ctx, run: run, record: yield, first: first, next: uint64(first) << 8}
	return w.read(rowsBefore(run, first), appendPart(nil, run, partMessage))
}

// Messages is Records for the mailbox of a run, from number first on.
func (j *Journal) Messages(ctx context.Context, run uint64, first uint64, yield func(Message) bool) error {
	w := walk{j: j, ctx: ctx, run: run, message: yield, next: first}
	return w.read(appendNumbered(nil, run, partMessage, first), appendPart(nil, run, partEnd))
}

// walk is one way through the records of a run, or through its mailbox.
type walk struct {
	j       *Journal
	ctx     context.Context
	run     uint64
	record  func(Record) bool // one of the two
	message func(Message) bool
	first   uint32   // place of the first record that is asked for
	open    []Record // read, and not given yet: one may still come that stands in place of one of them
	next    uint64   // of records: place and kind; of messages: number. What is below has been given
	ended   bool     // yield wants no more
}

// recordOrder is how records sort.
func recordOrder(r *Record) uint64 { return uint64(r.Seq)<<8 | uint64(r.Kind) }

// give hands over what of a page has not been given before.
func (w *walk) give(page *Run) {
	for i := range page.Records {
		r := &page.Records[i]
		if w.record == nil || w.ended || w.ctx.Err() != nil {
			break
		}
		if at := recordOrder(r); at >= w.next {
			w.next = at + 1
			w.ended = !w.record(*r)
		}
	}
	for _, m := range page.Inbox {
		if w.message == nil || w.ended || w.ctx.Err() != nil {
			break
		}
		if m.Number >= w.next {
			w.next = m.Number + 1
			w.ended = !w.message(m) || w.next == 0
		}
	}
}

// read walks through entries of the live file, and through the history from
// where the run was when it left the live file.
func (w *walk) read(from, to []byte) error {
	for from != nil && !w.ended {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		page, following, live, err := w.livePage(from, to)
		if !live && err == nil {
			err = w.stored()
			following = nil
		}
		if live {
			w.give(&page)
		}
		if err != nil && !w.ended && w.ctx.Err() == nil {
			return fmt.Errorf("cannot read run %d: %w", w.run, err)
		}
		from = following
	}
	return w.ctx.Err()
}

// livePage reads a page of entries from <= key < to, and returns where to go on;
// nil: there are no more. live says that the run was in the live file meanwhile.
// With an error, the page has what comes before the entry at fault.
func (w *walk) livePage(from, to []byte) (page Run, next []byte, live bool, err error) {
	j := w.j
	h := held{run: Run{Records: w.open}, first: w.first}
	var bad error
	var at []byte // the entry at fault
	size, entries := 0, 0
	err = j.live.Scan(from, to, func(key, value []byte) bool {
		if size >= readAhead || entries == j.pageEntries() {
			next = bytes.Clone(key)
			return false
		}
		size, entries = size+len(key)+len(value), entries+1
		if bad = h.add(key, value); bad != nil {
			at = bytes.Clone(key)
		}
		return bad == nil
	})
	if err != nil {
		return Run{}, nil, false, err
	}
	// What lies before the place of an entry that is still to come is complete.
	if at == nil {
		at = next
	}
	w.open = nil
	if at != nil && w.record != nil && len(at) == recordKeyLen {
		i, _ := findRecord(h.run.Records, binary.BigEndian.Uint32(at[runKeyLen:]), 0)
		h.run.Records, w.open = h.run.Records[:i:i], slices.Clone(h.run.Records[i:])
	}
	// After what was read: see liveHead.
	header, err := j.live.Get(appendPart(nil, w.run, partHeader))
	if err != nil || header == nil {
		return Run{}, nil, false, err
	}
	if left, err := j.leftOver(w.run); err != nil || left {
		return Run{}, nil, false, err
	}
	return h.run, next, true, bad
}

// leftOver reports whether what the live file has of a run is only what a move
// has left, of which damage may have left a part: the history has the run.
func (j *Journal) leftOver(run uint64) (bool, error) {
	end, err := j.live.Get(appendPart(nil, run, partEnd))
	if err != nil || end == nil {
		return false, err
	}
	there, err := j.history.Get(endedKey(run))
	return there != nil, err
}

package journal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Ref is where an id leads.
type Ref struct {
	ID    string
	Run   uint64
	Ended bool
}

// settle makes reads see everything that was appended before. A journal that
// accepts nothing more still shows what it holds.
func (j *Journal) settle() error {
	if j.q.settled() {
		return nil
	}
	if err := j.Sync(); err != nil && !errors.Is(err, ErrFailed) {
		return err
	}
	return nil
}

// held is what the live file holds of one run.
type held struct {
	run     Run
	header  bool
	amended []byte // newest replaced summary; nil: none
	keys    [][]byte
}

// add takes one entry of the run.
func (h *held) add(key, value []byte) error {
	run, part, ok := splitRunKey(key)
	if !ok {
		return fmt.Errorf("key %x: %w", key, errDamaged)
	}
	payload, _, err := unseal(key, value)
	if err != nil {
		return fmt.Errorf("%s: %w", describe(key), err)
	}
	switch part {
	case partHeader:
		h.header = true
		h.run.Header, err = decodeHeader(run, payload)
	case partRecord:
		var r Record
		r, err = decodeRecord(key, payload)
		h.run.Records = append(h.run.Records, r)
	case partMessage:
		var m Message
		m, err = decodeMessage(key, payload)
		h.run.Inbox = append(h.run.Inbox, m)
	case partEnd:
		h.run.End = notNil(payload)
	case partAmend:
		h.amended = notNil(payload)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", describe(key), err)
	}
	return nil
}

// readLive reads what the live file holds of run, but for records before place
// first; withKeys keeps the keys.
func (j *Journal) readLive(run uint64, first uint32, withKeys bool) (h held, err error) {
	from, to := runRange(run)
	var bad error
	take := func(key, value []byte) bool {
		if withKeys {
			h.keys = append(h.keys, clone(key))
		}
		bad = h.add(key, value)
		return bad == nil
	}
	if first > 0 {
		err = j.live.Scan(from, appendPart(nil, run, partRecord), take)
		from = appendRecordKey(nil, run, first, 0)
	}
	if err == nil && bad == nil {
		err = j.live.Scan(from, to, take)
	}
	if err = errors.Join(err, bad); err != nil {
		return held{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	return h, nil
}

// readEnded reads header and summary of a run in the history.
func (j *Journal) readEnded(run uint64) (h Header, summary []byte, err error) {
	key := endedKey(run)
	payload, err := get(j.history, key)
	if err != nil || payload == nil {
		return Header{}, nil, err
	}
	return decodeEnded(run, payload)
}

// get returns the payload under key; nil if there is none.
func get(s store, key []byte) ([]byte, error) {
	value, err := s.Get(key)
	if err != nil || value == nil {
		return nil, err
	}
	payload, _, err := unseal(key, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", describe(key), err)
	}
	return payload, nil
}

// Load returns a run, live or ended, with everything appended before the call.
// ErrNotFound if there is none of that number.
func (j *Journal) Load(run uint64) (Run, error) { return j.LoadFrom(run, 0) }

// LoadFrom is Load without the records before place first. Of a live run they
// are not even read, so that following a long record costs what is new in it.
func (j *Journal) LoadFrom(run uint64, first uint32) (Run, error) {
	if err := j.settle(); err != nil {
		return Run{}, err
	}
	h, err := j.readLive(run, first, false)
	if err != nil {
		return Run{}, err
	}
	if h.header && h.run.End == nil {
		return h.run, nil
	}
	// The history is asked after the live file: a run is there before it
	// leaves here, and what is left here may by then be only a part.
	header, summary, err := j.readEnded(run)
	if err != nil {
		return Run{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	r := h.run
	switch {
	case summary != nil:
		r = Run{Header: header, End: summary}
		payload, err := get(j.history, runKey(tableBlob, run))
		if err == nil && payload == nil {
			err = errors.New("its record is lost")
		}
		if err == nil {
			err = unpack(payload, &r)
		}
		if err != nil {
			return Run{}, fmt.Errorf("cannot read run %d: %w", run, err)
		}
		r.Records = slices.DeleteFunc(r.Records, func(rec Record) bool { return rec.Seq < first })
	case !h.header:
		return Run{}, fmt.Errorf("run %d: %w", run, ErrNotFound)
	}
	if h.amended != nil {
		r.End = h.amended
	}
	return r, nil
}

// Live calls yield with every run that has not ended, by number, with its
// records and mailbox. yield may use the journal; its error ends the walk and
// is returned. A run that cannot be read is left out, and is named in the error.
func (j *Journal) Live(yield func(Run) error) error {
	if err := j.settle(); err != nil {
		return err
	}
	var unread []error
	for next := uint64(1); next != 0; {
		runs, following, bad, err := j.liveFrom(next)
		if err != nil {
			return errors.Join(append(unread, err)...)
		}
		unread = append(unread, bad...)
		for i := range runs {
			if err := yield(runs[i]); err != nil {
				return errors.Join(append(unread, err)...)
			}
		}
		next = following
	}
	return errors.Join(unread...)
}

// readAhead is how many bytes of runs are read in one go: enough to be cheap,
// and short enough that no read holds pages of the file for long.
const readAhead = 256 << 10

// liveFrom reads runs that have not ended, from number first on, until enough
// bytes are together. next is where to go on; 0: there are no more.
func (j *Journal) liveFrom(first uint64) (runs []Run, next uint64, unread []error, err error) {
	var h held
	var bad error
	var current uint64
	size := 0
	finish := func() {
		switch {
		case bad != nil:
			unread = append(unread, fmt.Errorf("cannot read run %d: %w", current, bad))
		case h.header && h.run.End == nil:
			runs = append(runs, h.run)
		}
		h, bad = held{}, nil
	}
	err = j.live.Scan(runKey(tableRun, first), []byte{tableRun + 1}, func(key, value []byte) bool {
		run := uint64(0)
		if len(key) >= 9 {
			run = binary.BigEndian.Uint64(key[1:])
		}
		if run != current {
			finish()
			if size > readAhead {
				next = run
				return false
			}
			current = run
		}
		size += len(key) + len(value)
		if bad == nil {
			bad = h.add(key, value)
		}
		return true
	})
	if err != nil {
		return nil, 0, nil, err
	}
	if next == 0 {
		finish()
	}
	return runs, next, unread, nil
}

// Find returns at most limit runs whose id begins with prefix, live and ended,
// sorted by id. A run whose id is exactly prefix comes alone. limit 0: no limit.
func (j *Journal) Find(prefix string, limit int) ([]Ref, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	found := make(map[string]Ref)
	// The live file first: who leaves it meanwhile is then found in the history.
	for _, s := range []store{j.live, j.history} {
		key := appendID(nil, prefix)
		n := 0
		var bad error
		err := s.Scan(key, after(key), func(k, v []byte) bool {
			payload, _, err := unseal(k, v)
			if err == nil {
				var run uint64
				if run, err = decodeRunNumber(payload); err == nil {
					id := string(k[1:])
					found[id] = Ref{ID: id, Run: run, Ended: s == j.history || j.mover.ended.has(run)}
				}
			}
			bad = err
			n++
			return err == nil && (limit <= 0 || n < limit)
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("cannot find runs by id: %w", err)
		}
	}
	if ref, exact := found[prefix]; exact {
		return []Ref{ref}, nil
	}
	refs := make([]Ref, 0, len(found))
	for _, ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.ID, b.ID) })
	if limit > 0 && len(refs) > limit {
		refs = refs[:limit]
	}
	return refs, nil
}

type endedRun struct {
	header  Header
	summary []byte
}

// Ended calls yield with header and summary of runs that have ended, from the
// highest number below before downwards, until it returns false; before 0
// begins with the highest. yield may use the journal.
func (j *Journal) Ended(before uint64, yield func(h Header, summary []byte) bool) error {
	if err := j.settle(); err != nil {
		return err
	}
	for {
		page, err := j.endedBefore(before)
		if err != nil {
			return fmt.Errorf("cannot list ended runs: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, e := range page {
			if !yield(e.header, e.summary) {
				return nil
			}
			before = e.header.Run
		}
		if before <= 1 {
			return nil
		}
	}
}

// endedPage is how many ended runs are read in one go.
const endedPage = 64

func (j *Journal) endedBefore(before uint64) ([]endedRun, error) {
	// Those that still lie in the live file first: who leaves it meanwhile is
	// then found in the history.
	waiting := make(map[uint64]endedRun)
	for _, run := range j.mover.ended.all() {
		if before != 0 && run >= before {
			continue
		}
		e, err := j.waiting(run)
		if err != nil {
			return nil, err
		}
		if e.summary != nil {
			waiting[run] = e
		}
	}
	from := []byte{tableEnded}
	if before != 0 {
		from = endedKey(before - 1)
	}
	page := make([]endedRun, 0, endedPage)
	var bad error
	err := j.history.Scan(from, []byte{tableEnded + 1}, func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		if err == nil && len(key) == 9 {
			run := ^binary.BigEndian.Uint64(key[1:])
			var e endedRun
			if e.header, e.summary, err = decodeEnded(run, payload); err == nil {
				if w, ok := waiting[run]; ok {
					e.summary = w.summary
					delete(waiting, run)
				}
				page = append(page, e)
			}
		}
		if err != nil {
			bad = fmt.Errorf("%s: %w", describe(key), err)
		}
		return bad == nil && len(page) < endedPage
	})
	if err = errors.Join(err, bad); err != nil {
		return nil, err
	}
	full := len(page) == endedPage
	for run, w := range waiting {
		if w.header.Run == 0 || full && run < page[endedPage-1].header.Run {
			continue // only a summary waits there; or a later page's
		}
		page = append(page, w)
	}
	slices.SortFunc(page, func(a, b endedRun) int { return cmp.Compare(b.header.Run, a.header.Run) })
	return page, nil
}

// waiting returns header and summary of an ended run as they lie in the live
// file: both, or only a summary that replaces one in the history, or nothing.
func (j *Journal) waiting(run uint64) (e endedRun, err error) {
	header, err := get(j.live, appendPart(nil, run, partHeader))
	if err == nil && header != nil {
		e.header, err = decodeHeader(run, header)
	}
	if err != nil {
		return endedRun{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	var h held
	var bad error
	err = j.live.Scan(appendPart(nil, run, partEnd), appendPart(nil, run, partAmend+1), func(key, value []byte) bool {
		bad = h.add(key, value)
		return bad == nil
	})
	if err = errors.Join(err, bad); err != nil {
		return endedRun{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	e.summary = h.run.End
	if h.amended != nil {
		e.summary = h.amended
	}
	return e, nil
}

func scriptKey(hash string) []byte { return append([]byte{tableScript}, hash...) }

// Script returns the source that was put under hash; ErrNotFound if none was.
func (j *Journal) Script(hash string) ([]byte, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	value, err := get(j.live, scriptKey(hash))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read script %s: %w", hash, err)
	case value == nil:
		return nil, fmt.Errorf("script %s: %w", hash, ErrNotFound)
	}
	return value, nil
}

// describe names an entry for messages.
func describe(key []byte) string {
	if run, part, ok := splitRunKey(key); ok {
		switch part {
		case partHeader:
			return fmt.Sprintf("header of run %d", run)
		case partRecord:
			return fmt.Sprintf("record %d/%d of run %d", binary.BigEndian.Uint32(key[runKeyLen:]), key[recordKeyLen-1], run)
		case partMessage:
			return fmt.Sprintf("message %d of run %d", binary.BigEndian.Uint64(key[runKeyLen:]), run)
		default:
			return fmt.Sprintf("summary of run %d", run)
		}
	}
	switch {
	case len(key) == 9 && key[0] == tableBlob:
		return fmt.Sprintf("record of ended run %d", binary.BigEndian.Uint64(key[1:]))
	case len(key) == 9 && key[0] == tableEnded:
		return fmt.Sprintf("header of ended run %d", ^binary.BigEndian.Uint64(key[1:]))
	case len(key) > 1 && key[0] == tableID:
		return fmt.Sprintf("id %q", key[1:])
	case len(key) > 1 && key[0] == tableState:
		return describeState(key)
	case len(key) > 1 && key[0] == tableScript:
		return fmt.Sprintf("script %q", key[1:])
	}
	return fmt.Sprintf("key %x", key)
}

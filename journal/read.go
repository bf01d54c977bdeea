package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// settle makes reads see everything that was appended before. A journal that
// accepts nothing more still shows what it holds.
func (j *Journal) settle() error { return j.settled(j.pushAll()) }

// settleRun makes reads of a run see everything that was appended to it before.
func (j *Journal) settleRun(run uint64) error { return j.settled(j.push(run, nil)) }

func (j *Journal) settled(err error) error {
	if err == nil && !j.q.settled() {
		err = j.barrier()
	}
	if errors.Is(err, ErrFailed) {
		return nil
	}
	return err
}

// held is what the live file holds of one run.
type held struct {
	run     Run
	header  bool
	amended []byte // newest replaced summary; nil: none
	first   uint32 // place of the first record that is asked for
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
		h.run.Records, err = decodeRecords(h.run.Records, h.first, key, payload)
	case partMessage:
		var m Message
		m, err = decodeMessage(key, payload)
		h.run.Inbox = append(h.run.Inbox, m)
	case partEnd:
		var e ending
		e, err = decodeEnd(payload)
		h.run.End = notNil(e.summary)
	case partAmend:
		h.amended = notNil(payload)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", describe(key), err)
	}
	return nil
}

// readLive reads what the live file holds of run, but for records before place
// first.
func (j *Journal) readLive(run uint64, first uint32) (h held, err error) {
	from, to := runRange(run)
	h.first = first
	var bad error
	take := func(key, value []byte) bool {
		bad = h.add(key, value)
		return bad == nil
	}
	if first > 0 {
		err = j.live.Scan(from, appendPart(nil, run, partRecord), take)
		from = rowsBefore(run, first)
	}
	if err == nil && bad == nil {
		err = j.live.Scan(from, to, take)
	}
	if err = errors.Join(err, bad); err != nil {
		return held{}, fmt.Errorf("cannot read run %d: %w", run, err)
	}
	if at, _ := findRecord(h.run.Records, first, 0); at > 0 {
		h.run.Records = h.run.Records[at:]
	}
	return h, nil
}

// getter is what single entries are read from.
type getter interface {
	Get(key []byte) ([]byte, error)
}

// get returns the payload under key; nil if there is none.
func get(s getter, key []byte) ([]byte, error) {
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
	if err := j.settleRun(run); err != nil {
		return Run{}, err
	}
	h, err := j.readLive(run, first)
	if err != nil {
		return Run{}, err
	}
	if h.header && h.run.End == nil {
		return h.run, nil
	}
	// The history is asked after the live file: a run is there before it
	// leaves here, and what is left here may by then be only a part.
	r, found, err := j.history.load(run, first)
	switch {
	case err != nil:
		return Run{}, fmt.Errorf("cannot read run %d: %w", run, err)
	case found:
	case h.header:
		r = h.run
	default:
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
			return describeRecords(key, run)
		case partMessage:
			return fmt.Sprintf("message %d of run %d", binary.BigEndian.Uint64(key[runKeyLen:]), run)
		default:
			return fmt.Sprintf("summary of run %d", run)
		}
	}
	switch {
	case len(key) == 9 && key[0] == tableHeads:
		return fmt.Sprintf("summaries of batch %d", binary.BigEndian.Uint64(key[1:]))
	case len(key) == 13 && key[0] == tableBodies:
		return fmt.Sprintf("records of batch %d", binary.BigEndian.Uint64(key[1:]))
	case len(key) == 9 && key[0] == tableEnded:
		return fmt.Sprintf("place of ended run %d", binary.BigEndian.Uint64(key[1:]))
	case len(key) > 10 && key[0] == tableTerm:
		return fmt.Sprintf("term %q", key[1:len(key)-9])
	case len(key) > 1 && key[0] == tableID:
		return fmt.Sprintf("id %q", key[1:])
	case len(key) > 1 && key[0] == tableState:
		return describeState(key)
	case len(key) > 1 && key[0] == tableScript:
		return fmt.Sprintf("script %q", key[1:])
	}
	return fmt.Sprintf("key %x", key)
}

func describeRecords(key []byte, run uint64) string {
	seq, kind := binary.BigEndian.Uint32(key[runKeyLen:]), key[recordKeyLen-1]
	switch {
	case kind >= countBits:
		return fmt.Sprintf("count of record %d/%d of run %d", seq, kind&^countBits, run)
	case kind >= aloneBit:
		return fmt.Sprintf("record %d/%d of run %d", seq, kind&^aloneBit, run)
	}
	return fmt.Sprintf("records from %d/%d on of run %d", seq, kind, run)
}

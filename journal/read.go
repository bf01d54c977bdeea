package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// settle makes reads see everything that was appended before. A journal that
// accepts nothing more still shows what it holds.
func (j *Journal) settle(ctx context.Context) error {
	if j.q.settled() && len(j.gathering.all()) == 0 {
		return ctx.Err()
	}
	if err := j.SyncContext(ctx); err != nil && !errors.Is(err, ErrFailed) {
		return err
	}
	return nil
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

func scriptKey(hash string) []byte { return append([]byte{tableScript}, hash...) }

// Script returns the source that was put under hash; ErrNotFound if none was.
func (j *Journal) Script(ctx context.Context, hash string) ([]byte, error) {
	if err := j.settle(ctx); err != nil {
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

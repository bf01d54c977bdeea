package journal

import (
	"encoding/binary"
	"fmt"
)

// historyEntry takes one entry of history.db; whether all of them fit together
// is for historyFits to see.
func (c *checker) historyEntry(key, payload []byte) error {
	if _, ok := lastNumber(key, []byte{tableEnded}); ok {
		c.ended[binary.BigEndian.Uint64(key[1:])] = true
		_, _, err := decodeEndedEntry(payload)
		return err
	}
	_, isHeads := lastNumber(key, []byte{tableHeads})
	switch {
	case key[0] == keyFormat[0], isHeads:
	case key[0] == tableBodies && len(key) == 13 && len(payload) > 0:
	case key[0] == tableID && len(key) > 1 && len(payload) == 8:
	case key[0] == tableTerm && len(key) > 10 && key[len(key)-9] == 0 && len(payload) == 0:
	case key[0] == tableScript && len(key) > 10 && key[len(key)-9] == 0 && len(payload) == 0:
	default:
		return errForm
	}
	return nil
}

// historyCheck counts what the heads say that there is.
type historyCheck struct {
	c    *checker
	h    *history
	want map[byte]int // entries, by table
}

// historyFits checks that each batch can be read, that all that leads to its
// runs is there, and nothing else.
func (c *checker) historyFits(h *history) error {
	k := historyCheck{c: c, h: h, want: make(map[byte]int)}
	have := make(map[byte]int)
	var batches []uint64
	err := h.Scan(nil, nil, func(key, _ []byte) bool {
		have[key[0]]++
		if key[0] == tableHeads {
			batches = append(batches, binary.BigEndian.Uint64(key[1:]))
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, batch := range batches {
		hd, err := h.heads(batch)
		if err != nil {
			c.say("%s: %v", historyName, err)
			continue
		}
		k.batch(hd)
	}
	for _, table := range []byte{tableEnded, tableID, tableTerm, tableScript} {
		if have[table] != k.want[table] {
			c.say("%s: %d entries of table %c, and should have %d", historyName, have[table], table, k.want[table])
		}
	}
	return nil
}

func (k *historyCheck) batch(hd *heads) {
	plain := k.h.unfold(hd)
	lost := hd.chunks == 0
	for i := range hd.runs {
		r := &hd.runs[i]
		if err := k.run(hd.batch, r); err != nil {
			k.c.say("ended run %d: %v", r.run, err)
		}
		if !lost && r.body > 0 {
			lost = readBody(plain, r.body-1, 0, func(Record) error { return nil }, func(Message) error { return nil }) != nil
		}
		if lost || r.body == 0 {
			h, _ := decodeHeader(r.run, r.header)
			k.c.Damaged = append(k.c.Damaged, Damage{Run: r.run, ID: h.ID, Ended: true, What: lostRecord})
			k.c.say("ended run %d (%s) has no record", r.run, h.ID)
		}
	}
	for _, script := range hd.scripts() {
		k.want[tableScript]++
		if v, err := k.h.Get(useKey(script, hd.batch)); err != nil || v == nil {
			k.c.say("batch %d: the table of scripts does not name %q", hd.batch, script)
		}
	}
}

func (k *historyCheck) run(batch uint64, r *head) error {
	k.want[tableEnded]++
	k.want[tableID]++
	h, err := decodeHeader(r.run, r.header)
	if err != nil {
		return err
	}
	end, err := decodeEnd(r.end)
	if err != nil {
		return err
	}
	k.want[tableTerm] += len(end.terms)
	entry, err := get(k.h, endedKey(r.run))
	if err != nil {
		return err
	}
	if at, _, err := decodeEndedEntry(entry); err != nil || at != batch {
		return fmt.Errorf("it lies in batch %d, its entry says %d", batch, at)
	}
	id, err := get(k.h, appendID(nil, h.ID))
	if err != nil {
		return err
	}
	if run, err := decodeRunNumber(id); err != nil || run != r.run {
		return fmt.Errorf("its id is %q, the table of ids says that of run %d", h.ID, run)
	}
	for _, term := range end.terms {
		if v, err := k.h.Get(termKey(term, r.run)); err != nil || v == nil {
			return fmt.Errorf("term %q does not lead to it", term)
		}
	}
	return nil
}

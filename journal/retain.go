package journal

import (
	"encoding/binary"
	"time"
)

// Retention says what of the runs that have ended is kept. What is more goes,
// in the background, the oldest first. A zero keeps all.
type Retention struct {
	Age   time.Duration // since the run has ended
	Runs  int           // how many
	Bytes int64         // of history.db that are in use
}

// retain removes some of what is no longer to be kept: runs of the oldest
// batch. more says that there may be more of it.
func (k *keeper) retain() (more bool, err error) {
	j, h := k.m.j, k.m.j.history
	keep := j.opts.Retention
	if keep == (Retention{}) {
		return false, nil
	}
	h.write.Lock()
	defer h.write.Unlock()
	if keep.Runs > 0 && !h.counted {
		if err := h.count(); err != nil {
			return false, err
		}
	}
	hd, err := h.oldest()
	if err != nil || hd == nil {
		return false, err
	}
	excess := 0
	if keep.Runs > 0 {
		excess = max(0, int(h.runs.Load())-keep.Runs)
	}
	if keep.Bytes > 0 {
		_, used, err := h.room()
		if err != nil {
			return false, err
		}
		if used > keep.Bytes {
			excess = len(hd.runs)
		}
	}
	before := time.Now().Add(-keep.Age)
	gone := make(map[uint64]bool)
	for i := range hd.runs {
		r := &hd.runs[i]
		end, err := decodeEnd(r.end)
		if len(gone) < excess || keep.Age > 0 && err == nil && end.at.Before(before) {
			gone[r.run] = true
		}
	}
	if len(gone) == 0 {
		return false, nil
	}
	_, err = k.m.remove(hd, gone)
	k.m.rest()
	return true, err
}

// oldest reads the heads of the batch of the lowest number; nil: there is none.
func (h *history) oldest() (*heads, error) {
	batch := uint64(0)
	err := h.Scan([]byte{tableHeads}, []byte{tableHeads + 1}, func(key, _ []byte) bool {
		batch = binary.BigEndian.Uint64(key[1:])
		return false
	})
	if err != nil || batch == 0 {
		return nil, err
	}
	return h.heads(batch)
}

// count counts the runs. The caller holds write.
func (h *history) count() error {
	n := int64(0)
	var bad error
	err := h.Scan([]byte{tableHeads}, []byte{tableHeads + 1}, func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		if err == nil {
			var lead headsLead
			lead, err = decodeLead(payload)
			n += int64(lead.runs)
		}
		bad = err
		return bad == nil
	})
	if err == nil {
		err = h.seen(bad)
	}
	h.runs.Store(n)
	h.counted = err == nil
	return err
}

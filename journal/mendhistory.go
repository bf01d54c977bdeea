package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// mendHistory makes what was salvaged of the history fit together.
func (j *Journal) mendHistory(s *salvaged) error {
	type ended struct {
		header, blob, old bool
		id, indexed       string
	}
	runs := make(map[uint64]*ended)
	of := func(run uint64) *ended {
		if runs[run] == nil {
			runs[run] = new(ended)
		}
		return runs[run]
	}
	var bad error
	err := s.store.Scan(nil, nil, func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		_, old := s.old[string(key)]
		switch {
		case err != nil:
		case len(key) == 9 && key[0] == tableEnded:
			run := ^binary.BigEndian.Uint64(key[1:])
			e := of(run)
			var h Header
			h, _, err = decodeEnded(run, payload)
			e.header, e.id, e.old = true, h.ID, old
		case len(key) == 9 && key[0] == tableBlob:
			of(binary.BigEndian.Uint64(key[1:])).blob = true
		case key[0] == tableID && len(payload) == 8:
			of(binary.BigEndian.Uint64(payload)).indexed = string(key[1:])
		}
		if err != nil {
			bad = fmt.Errorf("%s: %w", describe(key), err)
		}
		return bad == nil
	})
	if err = errors.Join(err, bad); err != nil {
		return err
	}
	var e encoder
	for run, r := range runs {
		d := Damage{Run: run, ID: r.id, Ended: true}
		switch {
		case !r.header:
			d.ID, d.Lost, d.What = r.indexed, true, "its header and summary are lost"
			if r.blob {
				e.removeRaw(runKey(tableBlob, run))
			}
			if r.indexed != "" {
				e.removeRaw(appendID(nil, r.indexed))
			}
		case !r.blob:
			d.What = "its record is lost, its summary is kept"
		case r.old:
			d.What = "its summary may be an older one"
		}
		if r.header && r.indexed != r.id {
			e.putRaw(appendID(nil, r.id), binary.BigEndian.AppendUint64(nil, run))
		}
		if d.What != "" {
			j.lostRun(d)
		}
	}
	if s.meets([]byte{tableEnded}) && s.meets([]byte{tableID}) {
		j.report.say("ended runs may be lost without trace")
	}
	if s.in.behind {
		j.report.say("the newest commit of %s may be lost", historyName)
	}
	return s.put(&e)
}

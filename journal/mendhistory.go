package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// endedLeft is what is left of an ended run after salvage.
type endedLeft struct {
	batch       uint64
	id, indexed string
	script      string
	terms       []string
	header      bool // its heads are there
	entry, old  bool // so is its entry in the table of ended runs; some of it may be an older state
	what        string
}

// historyMender makes what was salvaged of the history fit together: the heads
// are the truth, all else leads to them and is made anew where it is missing.
type historyMender struct {
	j    *Journal
	s    *salvaged
	enc  encoder
	runs map[uint64]*endedLeft
	uses map[string]bool // keys
	say  map[string]string
	err  error
}

func (j *Journal) mendHistory(s *salvaged) error {
	m := &historyMender{j: j, s: s, runs: make(map[uint64]*endedLeft), uses: make(map[string]bool), say: make(map[string]string)}
	batches := make(map[uint64]*heads)
	m.scan(tableHeads, func(key, payload []byte) { m.heads(batches, key, payload) })
	m.bodies(batches)
	clear(batches)
	m.scan(tableID, m.id)
	m.scan(tableEnded, m.entry)
	m.scan(tableTerm, m.term)
	m.scan(tableScript, m.use)
	m.complete()
	if m.err != nil {
		return m.err
	}
	switch {
	case !s.meets([]byte{tableID}):
	case s.meets([]byte{tableEnded}) && s.meets([]byte{tableHeads}):
		j.report.say("ended runs may be lost without trace")
	}
	if s.in.behind {
		j.report.say("the newest commit of %s may be lost", historyName)
	}
	return nil
}

// scan calls f with the entries of a table, and then commits what it asked for.
func (m *historyMender) scan(table byte, f func(key, payload []byte)) {
	if m.err != nil {
		return
	}
	err := m.s.store.Scan([]byte{table}, []byte{table + 1}, func(key, value []byte) bool {
		payload, _, err := unseal(key, value)
		if err != nil {
			m.err = fmt.Errorf("%s: %w", describe(key), err)
			return false
		}
		f(key, payload)
		return m.err == nil
	})
	m.err = errors.Join(m.err, err)
	m.put()
}

func (m *historyMender) put() {
	if m.err == nil {
		m.err = m.s.put(&m.enc)
	}
	m.enc.reset()
}

func (m *historyMender) of(run uint64) *endedLeft {
	if m.runs[run] == nil {
		m.runs[run] = new(endedLeft)
	}
	return m.runs[run]
}

// intern keeps one copy of what many runs name.
func (m *historyMender) intern(s string) string {
	if have, ok := m.say[s]; ok {
		return have
	}
	m.say[s] = s
	return s
}

func (m *historyMender) heads(batches map[uint64]*heads, key, payload []byte) {
	batch, ok := lastNumber(key, []byte{tableHeads})
	hd, err := decodeHeads(batch, payload)
	if !ok || err != nil {
		m.enc.removeRaw(key)
		return
	}
	_, old := m.s.old[string(key)]
	for i := range hd.runs {
		r := &hd.runs[i]
		h, herr := decodeHeader(r.run, r.header)
		end, eerr := decodeEnd(r.end)
		e := m.of(r.run)
		e.batch, e.id, e.header, e.old = batch, h.ID, herr == nil && eerr == nil, old
		e.script = m.intern(h.Script)
		for _, t := range end.terms {
			e.terms = append(e.terms, m.intern(string(t)))
		}
		if r.body == 0 {
			e.what = lostRecord
		}
		if h.Script != "" {
			m.uses[string(useKey(h.Script, batch))] = true
		}
		r.header, r.end = nil, nil
	}
	batches[batch] = hd
}

const lostRecord = "its record is lost, its summary is kept"

// bodies checks that each batch has its bodies, of one write with its heads.
func (m *historyMender) bodies(batches map[uint64]*heads) {
	have := make(map[uint64]*chunkReader)
	m.scan(tableBodies, func(key, payload []byte) {
		if len(key) != 13 {
			m.enc.removeRaw(key)
			return
		}
		batch, chunk := binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint32(key[9:])
		hd := batches[batch]
		if hd == nil || hd.chunks == 0 {
			m.enc.removeRaw(key)
			return
		}
		r := have[batch]
		if r == nil {
			r = &chunkReader{hd: hd}
			have[batch] = r
		}
		if chunk != r.next || r.took(payload) != nil {
			r.next = hd.chunks + 1 // no more fits
		}
	})
	for batch, hd := range batches {
		if r := have[batch]; hd.chunks == 0 || r != nil && r.next == hd.chunks {
			continue
		}
		m.enc.removeRange(bodiesKey(batch), bodiesKey(batch+1))
		for i := range hd.runs {
			m.of(hd.runs[i].run).what = lostRecord
		}
	}
	m.put()
}

func (m *historyMender) id(key, payload []byte) {
	run, err := decodeRunNumber(payload)
	e := m.runs[run]
	switch {
	case err != nil, e != nil && e.header && e.id != string(key[1:]):
		m.enc.removeRaw(key)
	default:
		m.of(run).indexed = string(key[1:])
	}
}

func (m *historyMender) entry(key, payload []byte) {
	run, ok := lastNumber(key, []byte{tableEnded})
	batch, _, err := decodeEndedEntry(payload)
	if !ok || err != nil {
		m.enc.removeRaw(key)
		return
	}
	e := m.of(run)
	if !e.header || e.batch != batch {
		m.enc.removeRaw(key) // complete makes it anew, where it can
		return
	}
	e.entry = true
	if _, old := m.s.old[string(key)]; old {
		e.old = true
	}
}

func (m *historyMender) term(key, _ []byte) {
	if len(key) < 10 {
		m.enc.removeRaw(key)
		return
	}
	e := m.runs[binary.BigEndian.Uint64(key[len(key)-8:])]
	if e == nil || !slices.Contains(e.terms, string(key[1:len(key)-9])) {
		m.enc.removeRaw(key)
		return
	}
	// What is there need not be put again.
	e.terms = slices.DeleteFunc(e.terms, func(t string) bool { return t == string(key[1:len(key)-9]) })
}

func (m *historyMender) use(key, _ []byte) {
	if !m.uses[string(key)] {
		m.enc.removeRaw(key)
		return
	}
	delete(m.uses, string(key))
}

// complete puts what is missing, and names the runs that have lost something.
func (m *historyMender) complete() {
	for key := range m.uses {
		m.enc.putRaw([]byte(key), nil)
	}
	for run, e := range m.runs {
		d := Damage{Run: run, ID: e.id, Ended: true, What: e.what}
		switch {
		case !e.header:
			d.ID, d.Lost, d.What = e.indexed, true, "its header and summary are lost"
			if e.indexed != "" {
				m.enc.removeRaw(appendID(nil, e.indexed))
			}
			m.j.lostRun(d)
			continue
		case e.what != "":
		case !e.entry || e.old:
			d.What = "its summary may be an older one"
		}
		if !e.entry {
			m.enc.putRaw(endedKey(run), appendEndedEntry(nil, e.batch, nil))
		}
		if e.indexed != e.id {
			m.enc.putRaw(appendID(nil, e.id), binary.BigEndian.AppendUint64(nil, run))
		}
		for _, t := range e.terms {
			m.enc.putRaw(termKey([]byte(t), run), nil)
		}
		if d.What != "" {
			m.j.lostRun(d)
		}
		if len(m.enc.buf) >= moveBytes {
			m.put()
		}
	}
	m.put()
}

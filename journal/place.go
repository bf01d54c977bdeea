package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// place is where a run lies in the history.
type place struct {
	run     uint64
	batch   uint64
	summary []byte // replaces; nil: none does
	err     error
}

// stored finds runs below before in the history, a page of them; next: those
// below were not looked at.
func (l *lister) stored(before uint64) (out []place, next uint64, err error) {
	h := l.j.history
	prefix := []byte{tableEnded}
	if l.term != nil {
		prefix = termPrefix(l.term)
	}
	to := after(prefix)
	if before != 0 {
		to = binary.BigEndian.AppendUint64(slices.Clip(prefix), before)
	}
	err = h.Back(prefix, to, func(key, value []byte) bool {
		run, ok := lastNumber(key, prefix)
		if !ok {
			return true // of a longer term
		}
		p := place{run: run}
		if l.term == nil {
			p.entry(key, value)
		}
		out, next = append(out, p), run
		return len(out) < pageRuns
	})
	if len(out) < pageRuns {
		next = 0
	}
	for i := range out {
		if l.term == nil || err != nil {
			break
		}
		p := &out[i]
		key := endedKey(p.run)
		var value []byte
		if value, err = h.Get(key); err == nil && value != nil {
			p.entry(key, value)
		}
	}
	return out, next, err
}

func (p *place) entry(key, value []byte) {
	payload, _, err := unseal(key, value)
	if err == nil {
		p.batch, p.summary, err = decodeEndedEntry(payload)
	}
	if err != nil {
		p.err = fmt.Errorf("%s: %w", describe(key), err)
	}
}

// forget keeps, of the batches, that of the last run: the next page mostly
// begins in it.
func (l *lister) forget() {
	last := l.heads[l.last]
	clear(l.heads)
	l.bytes = 0
	if last != nil {
		l.heads[l.last] = last
	}
}

// read makes an entry of the list; false: the run is not there any more.
func (l *lister) read(p place) (EndedRun, bool) {
	for try := 0; ; try++ {
		e, err := l.try(p)
		if err == nil {
			return e, true
		}
		// It may have been deleted meanwhile, or its batch been written anew.
		key := endedKey(p.run)
		value, gerr := l.j.history.Get(key)
		if gerr == nil && value == nil {
			return EndedRun{}, false
		}
		if gerr != nil || try > 0 {
			l.j.history.suspect()
			return EndedRun{Header: Header{Run: p.run}, Err: fmt.Errorf("cannot read run %d: %w", p.run, errors.Join(err, gerr))}, true
		}
		delete(l.heads, p.batch)
		p = place{run: p.run}
		p.entry(key, value)
	}
}

func (l *lister) try(p place) (EndedRun, error) {
	if p.err != nil {
		return EndedRun{}, p.err
	}
	hd := l.heads[p.batch]
	if hd == nil {
		var err error
		if hd, err = l.j.history.heads(p.batch); err != nil {
			return EndedRun{}, err
		}
		if hd == nil {
			return EndedRun{}, errors.New("its header and summary are lost")
		}
		l.heads[p.batch] = hd
		for i := range hd.runs {
			l.bytes += hd.runs[i].size()
		}
	}
	l.last = p.batch
	at := hd.find(p.run)
	if at < 0 {
		return EndedRun{}, errors.New("its header and summary are lost")
	}
	h, err := decodeHeader(p.run, hd.runs[at].header)
	if err != nil {
		return EndedRun{}, err
	}
	end, err := decodeEnd(hd.runs[at].end)
	if err != nil {
		return EndedRun{}, err
	}
	e := EndedRun{Header: h, Ended: end.at, Summary: p.summary}
	if e.Summary == nil {
		e.Summary = notNil(end.summary)
	}
	return e, nil
}

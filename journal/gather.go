package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// gatherer makes batches of ended runs, from the entries of the live file as
// they are: nothing is decoded but what says how a run is found.
type gatherer struct {
	m    *mover
	pack *packer
	enc  encoder // what is to be committed to the history

	batch  uint64 // at work; 0: none
	runs   []head
	bodies []byte
	size   int // of the heads

	buf   []byte // for the body of one run
	dirty bool   // chunks may lie there that belong to no batch
}

// leaving is a run that may leave the live file when the history is committed.
type leaving struct {
	run   uint64
	id    string   // "": the live file has no id of it
	keys  [][]byte // what goes beside header, records, messages and end
	goes  bool
	moved bool // its record goes to the history
	stays bool // it cannot be read, or is too long
	times int  // how often it had been added to the runs that wait
}

// found is what was read of a run in the live file.
type found struct {
	header, end []byte
	amended     []byte // newest replaced summary; nil: none
	any         bool
	keys        [][]byte // of replaced summaries and damage
	body        body
	records     []Record // read, and not in plain yet: one may still come that stands in place of one of them
	plain       []byte   // of its record and mailbox, what is not compressed yet
	size        uint64   // of what is
	long        bool     // it has a batch of its own, which has begun
}

// begin takes up the newest batch while it is small, so that runs that end one
// by one share batches, too.
func (g *gatherer) begin() error {
	h := g.m.j.history
	g.enc.reset()
	g.none()
	if err := g.packs(); err != nil {
		return err
	}
	if g.dirty {
		if err := h.look(); err != nil {
			return err
		}
		g.enc.removeRange(bodiesKey(h.next), []byte{tableBodies + 1})
	}
	if h.next == 1 {
		return nil
	}
	hd, bodies, err := h.whole(h.next-1, blockBytes/2)
	if err != nil || hd == nil {
		return nil // who reads it says so
	}
	g.batch, g.runs, g.bodies = hd.batch, append(g.runs, hd.runs...), append(g.bodies, bodies...)
	for i := range hd.runs {
		g.size += hd.runs[i].size()
	}
	return nil
}

func (g *gatherer) none() { g.batch, g.runs, g.bodies, g.size = 0, g.runs[:0], g.bodies[:0], 0 }

// run puts one run into the batch at work.
func (g *gatherer) run(run uint64) (leaving, error) {
	j := g.m.j
	l := leaving{run: run}
	payload, err := get(j.history, endedKey(run))
	f := found{plain: g.buf[:0]}
	if errors.Is(err, errDamaged) {
		j.history.suspect()
		return g.stays(run, &f, err), nil
	}
	if err != nil {
		return l, err
	}
	from, to := runRange(run)
	if payload != nil {
		// It is there; what lies here is left over from a move that was
		// interrupted, or a summary that replaces.
		from = appendPart(nil, run, partEnd)
		if err := f.leftHeader(j.live, run); errors.Is(err, errDamaged) {
			return g.stays(run, &f, err), nil
		} else if err != nil {
			return l, err
		}
	}
	for from != nil {
		var bad error
		if from, bad, err = f.read(j.live, from, to); err != nil {
			return l, err
		}
		if bad == nil && len(f.plain) >= longRun {
			bad, err = g.spill(&f)
		}
		if err != nil {
			return l, err
		}
		if bad != nil {
			return g.stays(run, &f, bad), nil
		}
		g.m.rest()
	}
	l.goes, l.keys = f.any, f.keys
	if f.header != nil {
		h, err := decodeHeader(run, f.header)
		if err != nil {
			return g.stays(run, &f, err), nil
		}
		l.id = h.ID
	}
	switch {
	case payload != nil && f.amended != nil:
		batch, _, err := decodeEndedEntry(payload)
		if err != nil {
			j.history.suspect()
			return g.stays(run, &f, err), nil
		}
		g.enc.putRaw(endedKey(run), appendEndedEntry(nil, batch, f.amended))
	case payload != nil:
	case f.header != nil && f.end != nil:
		l.moved = true
		if err := g.take(run, &f); err != nil {
			return g.stays(run, &f, err), nil
		}
	case f.header != nil:
		l.goes = false // it has not ended: its summary was replaced too early, and waits
	case f.any:
		j.log.Warn("entries of a run that neither lives nor is in the history are dropped", "run", run)
	}
	if cap(f.plain) <= keptBuffer {
		g.buf = f.plain
	}
	return l, nil
}

// stays says why a run cannot leave the live file.
func (g *gatherer) stays(run uint64, f *found, why error) leaving {
	g.m.j.log.Error("an ended run stays in the live file", "run", run, "error", why)
	if f.long {
		g.enc.removeRange(bodiesKey(g.batch), bodiesKey(g.batch+1))
		g.none()
	}
	return leaving{run: run, stays: true}
}

// leftHeader reads the header that is left of a run.
func (f *found) leftHeader(live store, run uint64) (err error) {
	f.header, err = get(live, appendPart(nil, run, partHeader))
	f.any = f.header != nil
	return err
}

// read takes entries from <= key < to, some 64 KiB of them, and returns where
// to go on; nil: there are no more. bad says what is wrong with an entry.
func (f *found) read(live store, from, to []byte) (next []byte, bad, err error) {
	size := 0
	err = live.Scan(from, to, func(key, value []byte) bool {
		if size >= blockBytes {
			next = bytes.Clone(key)
			return false
		}
		size += len(key) + len(value)
		bad = f.add(key, value)
		return bad == nil
	})
	return next, bad, err
}

func (f *found) add(key, value []byte) error {
	_, part, ok := splitRunKey(key)
	payload, _, err := unseal(key, value)
	if err != nil || !ok {
		return fmt.Errorf("%s: %w", describe(key), errDamaged)
	}
	f.any = true
	if part != partRecord {
		f.settle(nil)
	}
	switch part {
	case partHeader:
		f.header = notNil(payload)
	case partRecord:
		f.settle(key)
		f.records, err = decodeRecords(f.records, 0, key, payload)
	case partMessage:
		f.plain = f.body.appendMessage(f.plain, key, payload)
	case partEnd:
		f.end = notNil(payload)
	case partAmend:
		f.amended = notNil(payload)
		f.keys = append(f.keys, bytes.Clone(key))
	default:
		f.keys = append(f.keys, bytes.Clone(key))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", describe(key), err)
	}
	return nil
}

// settle puts the records into plain that lie before the places of an entry, all
// of them before nil: nothing stands in their place any more.
func (f *found) settle(key []byte) {
	end := len(f.records)
	if key != nil {
		end, _ = findRecord(f.records, binary.BigEndian.Uint32(key[runKeyLen:]), 0)
	}
	for i := range f.records[:end] {
		f.plain = f.body.appendRecord(f.plain, &f.records[i])
	}
	f.records = slices.Delete(f.records, 0, end)
}

// spill compresses what was read so far of a long run, into a batch of its own.
// bad says why the run cannot be kept, err why nothing can.
func (g *gatherer) spill(f *found) (bad, err error) {
	if !f.long {
		if bad := g.finish(); bad != nil {
			return bad, nil
		}
		f.long = true
		g.open()
		g.pack.begin(g.batch, &g.enc)
	}
	if f.size += uint64(len(f.plain)); f.size > maxBody {
		return fmt.Errorf("its record has more than %d bytes", uint64(maxBody)), nil
	}
	bad = g.pack.add(f.plain)
	f.plain = f.plain[:0]
	if bad == nil && len(g.enc.buf) >= moveBytes {
		// Chunks without heads are nothing yet.
		g.dirty = true
		if err := g.m.j.history.Commit(&g.enc); err != nil {
			return nil, err
		}
		g.enc.reset()
	}
	return bad, nil
}

// take adds a run that was read to its end.
func (g *gatherer) take(run uint64, f *found) error {
	f.settle(nil)
	end, err := decodeEnd(f.end)
	if err != nil {
		return err
	}
	r := head{run: run, header: f.header, end: f.end}
	if f.amended != nil {
		r.end = append(slices.Clip(end.begin), f.amended...)
	}
	f.plain = f.body.end(f.plain)
	r.body = f.size + uint64(len(f.plain)) + 1
	switch {
	case f.long:
		err = g.pack.add(f.plain)
	case g.batch != 0 && len(g.bodies)+g.size+len(f.plain)+r.size() > blockBytes:
		err = g.finish()
	}
	if err != nil {
		return err
	}
	if g.batch == 0 {
		g.open()
	}
	if err := appendIndex(&g.enc, g.batch, &r); err != nil {
		return err
	}
	g.runs, g.size = append(g.runs, r), g.size+r.size()
	if f.long {
		return g.close()
	}
	g.bodies = append(g.bodies, f.plain...)
	return nil
}

// open begins a batch of a new number.
func (g *gatherer) open() {
	h := g.m.j.history
	g.batch = h.next
	h.next++
}

// finish puts the batch at work into enc.
func (g *gatherer) finish() error {
	if len(g.runs) == 0 {
		return nil
	}
	g.pack.begin(g.batch, &g.enc)
	if err := g.pack.add(g.bodies); err != nil {
		return err
	}
	return g.close()
}

func (g *gatherer) close() error {
	err := g.pack.finish(g.runs)
	g.none()
	return err
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// deleteAtOnce is of how many runs the batches are looked for in one go.
const deleteAtOnce = 256

// Delete removes runs that have ended, with all that leads to them: each as a
// whole, also across a crash. Numbers of no run are passed over. It returns how
// many are gone; they stay so. Of a run that has not ended it returns an error,
// and removes nothing.
func (j *Journal) Delete(ctx context.Context, runs ...uint64) (n int, err error) {
	if err := j.settle(ctx); err != nil {
		return 0, err
	}
	runs = slices.Clone(runs)
	slices.Sort(runs)
	runs = slices.Compact(runs)
	for _, run := range runs {
		h, err := j.liveHead(run)
		if err != nil {
			return 0, fmt.Errorf("cannot read run %d: %w", run, err)
		}
		if h.header && h.run.End == nil {
			return 0, fmt.Errorf("cannot delete run %d (%s): it has not ended", run, h.run.Header.ID)
		}
	}
	defer j.mover.kick() // there may be room to give back
	for len(runs) > 0 {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k := min(len(runs), deleteAtOnce)
		gone, err := j.delete(ctx, runs[:k])
		if n += gone; err != nil {
			return n, fmt.Errorf("cannot delete ended runs: %w", err)
		}
		runs = runs[k:]
	}
	return n, nil
}

func (j *Journal) delete(ctx context.Context, runs []uint64) (n int, err error) {
	if err := j.Err(); err != nil {
		return 0, err
	}
	h := j.history
	h.write.Lock()
	defer h.write.Unlock()
	batches := make(map[uint64]map[uint64]bool)
	var waiting []leaving
	counted := make(map[uint64]bool)
	for _, run := range runs {
		payload, err := get(h, endedKey(run))
		if err != nil {
			return 0, h.seen(err)
		}
		if payload != nil {
			batch, _, err := decodeEndedEntry(payload)
			if err != nil {
				return 0, h.seen(err)
			}
			if batches[batch] == nil {
				batches[batch] = make(map[uint64]bool)
			}
			batches[batch][run] = true
			counted[run] = true
		}
		// What waits to be moved goes, too; in the history it then would be whole.
		if l, err := j.mover.waiting(run); err != nil {
			return 0, err
		} else if l.goes {
			waiting = append(waiting, l)
		}
	}
	for _, batch := range slices.Sorted(maps.Keys(batches)) {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		hd, err := h.heads(batch)
		if err == nil && hd == nil {
			err = h.seen(errDamaged)
		}
		if err != nil {
			return n, err
		}
		gone, err := j.mover.remove(hd, batches[batch])
		if err != nil {
			return n, err
		}
		n += gone
	}
	done := make(chan answer, 2)
	for _, l := range waiting {
		turn, err := j.mover.leave(l, done)
		if err == nil {
			err = j.await(turn, done)
		}
		if err != nil {
			return n, err
		}
		j.mover.ended.remove(l.run, l.times)
		if !counted[l.run] {
			n++
			j.stats.deleted.Add(1)
		}
	}
	return n, nil
}

// waiting returns what the live file holds of an ended run.
func (m *mover) waiting(run uint64) (leaving, error) {
	l := leaving{run: run, times: m.ended.times(run)}
	if l.times == 0 {
		return l, nil
	}
	var f found
	if err := f.leftHeader(m.j.live, run); err != nil {
		return l, err
	}
	from, to := appendPart(nil, run, partEnd), appendPart(nil, run, partDamage+1)
	if _, bad, err := f.read(m.j.live, from, to); err != nil || bad != nil {
		return l, errors.Join(err, bad)
	}
	if f.header != nil {
		h, err := decodeHeader(run, f.header)
		if err != nil {
			return l, err
		}
		l.id = h.ID
	}
	l.goes, l.keys = f.any, f.keys
	return l, nil
}

// remove takes runs out of a batch, and out of all that leads to them, in one
// transaction. What remains is written anew; a batch of which nothing remains
// goes. The caller holds write.
func (m *mover) remove(hd *heads, gone map[uint64]bool) (n int, err error) {
	if err := m.settle(); err != nil {
		return 0, err
	}
	h := m.j.history
	e := new(encoder)
	scripts := hd.scripts()
	kept := &heads{batch: hd.batch}
	for _, r := range hd.runs {
		if !gone[r.run] {
			kept.runs = append(kept.runs, r)
			continue
		}
		n++
		if err := m.unindex(e, &r); err != nil {
			return 0, err
		}
	}
	still := kept.scripts()
	for _, script := range scripts {
		if !slices.Contains(still, script) {
			e.removeRaw(useKey(script, hd.batch))
		}
	}
	if len(kept.runs) == 0 {
		e.removeRaw(headsKey(hd.batch))
		e.removeRange(bodiesKey(hd.batch), bodiesKey(hd.batch+1))
	} else if err := m.rewrite(e, hd, kept.runs, gone); err != nil {
		return 0, err
	}
	if err := h.Commit(e); err != nil {
		return 0, err
	}
	h.runs.Add(-int64(n))
	m.j.stats.deleted.Add(int64(n))
	return n, nil
}

// unindex removes what leads to a run.
func (m *mover) unindex(e *encoder, r *head) error {
	h := m.j.history
	e.removeRaw(endedKey(r.run))
	end, err := decodeEnd(r.end)
	for _, term := range end.terms {
		e.removeRaw(termKey(term, r.run))
	}
	header, herr := decodeHeader(r.run, r.header)
	if err = errors.Join(err, herr); err != nil {
		return h.seen(err)
	}
	id := appendID(nil, header.ID)
	payload, err := get(h, id)
	if err != nil {
		return h.seen(err)
	}
	if run, err := decodeRunNumber(payload); err == nil && run == r.run {
		e.removeRaw(id) // else it is another's by now
	}
	return nil
}

// rewrite puts the rest of a batch in its place. Where the records are lost, the
// summaries stay.
func (m *mover) rewrite(e *encoder, hd *heads, kept []head, gone map[uint64]bool) error {
	g := &m.gather
	if err := g.packs(); err != nil {
		return err
	}
	_, bodies, err := m.j.history.whole(hd.batch, maxBody)
	if err != nil && !errors.Is(err, errLost) {
		return err // when it has been mended, what is lost is known
	}
	g.pack.begin(hd.batch, e)
	if bodies == nil {
		for i := range kept {
			kept[i].body = 0
		}
		return g.pack.finish(kept)
	}
	for _, r := range hd.runs {
		size := r.body - 1
		if !gone[r.run] {
			if err := g.pack.add(bodies[:size]); err != nil {
				return err
			}
		}
		bodies = bodies[size:]
	}
	return g.pack.finish(kept)
}

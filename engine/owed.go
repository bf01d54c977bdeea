package engine

import (
	"context"
	"errors"
	"fmt"

	"holdfast/journal"
)

// loadObligations takes up what the life before has left. They are kept once Run
// is called.
func (e *Engine) loadObligations(ctx context.Context) error {
	var found []*obligation
	var unread []error
	err := e.journal.State(ctx, obligationTable, "", func(key string, data []byte) bool {
		o, err := decodeObligation(key, data)
		if err != nil {
			unread = append(unread, err)
			return true
		}
		found = append(found, o)
		return true
	})
	e.enlist(found...)
	if err == nil {
		err = e.doubtObligations(found)
	}
	if err = errors.Join(append(unread, err)...); err != nil && ctx.Err() == nil {
		e.alarmFor("lost", "", fmt.Sprintf("what is owed of a safe state may be lost: %v", err)) // the others are kept
		return nil
	}
	return err
}

// doubtObligations keeps from being written what an older state of the journal
// says is owed: what was done about it since is not on record.
func (e *Engine) doubtObligations(found []*obligation) error {
	home, c := e.journal.Identity(), journal.Change{Essential: true}
	whole := e.journal.Report().Clean
	for _, o := range found {
		if o.home == home && whole || o.State == Stale {
			continue
		}
		o.State, o.home = Stale, home
		o.Why = "the journal was restored, or has lost a part, since it was owed: whether it was written, or somebody has written the tag since, is not known; write it by hand, or give it up"
		c.State = append(c.State, o.entry())
	}
	if len(c.State) == 0 {
		return nil
	}
	w, done := e.writer()
	defer done()
	return w.Commit(c)
}

// keepAll begins to keep what the life before has left.
func (e *Engine) keepAll() {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		e.wg.Go(func() { e.keep(o) })
	}
}

// enlist puts obligations that are on disk into the table. One that was there
// under its name is gone.
func (e *Engine) enlist(list ...*obligation) {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range list {
		o.ctx, o.stop = context.WithCancel(e.base)
		if e.owed.byID == nil {
			e.owed.byID = map[string]*obligation{}
		}
		if old := e.owed.byID[o.ID]; old != nil {
			old.end()
		}
		e.owed.byID[o.ID] = o
	}
	e.owed.n.Store(int64(len(e.owed.byID)))
}

// removal takes an obligation out of the journal's table, unless a newer one has
// its name by now.
func (e *Engine) removal(o *obligation) []journal.Entry {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	if e.owed.byID[o.ID] != o {
		return nil
	}
	return []journal.Entry{{Table: obligationTable, Key: o.ID}}
}

// end lets nobody attempt it any more. The caller holds obligations.mu.
func (o *obligation) end() {
	o.gone = true
	o.stop()
}

// strike ends an obligation, for the caller alone to put that on record. It
// reports whether nobody has before.
func (e *Engine) strike(o *obligation) bool {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	if o.gone {
		return false
	}
	o.end()
	return true
}

// forgo takes obligations out of the table whose end is on disk.
func (e *Engine) forgo(list ...*obligation) {
	if len(list) == 0 {
		return
	}
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range list {
		if !o.gone {
			o.end()
		}
		if e.owed.byID[o.ID] == o {
			delete(e.owed.byID, o.ID)
		}
	}
	e.owed.n.Store(int64(len(e.owed.byID)))
	e.nudgeAlarms()
}

// owe begins to keep obligations that are on disk and in the table. What others
// owed for the same tags lapses: these are newer.
func (e *Engine) owe(list []*obligation) {
	for _, o := range list {
		older := e.onTag(o.Tag, func(x *obligation) bool { return x.ID != o.ID })
		e.nudgeAlarms()
		e.cfg.Log.Error("safe state is owed", "run", o.Run, "tag", o.Tag, "why", o.Why)
		e.wg.Go(func() { e.keep(o) })
		for _, x := range older {
			e.lapse(x, "overtaken by the safe state of run "+o.Run)
		}
	}
}

// onTag returns the obligations of a tag.
func (e *Engine) onTag(tag string, want func(*obligation) bool) (out []*obligation) {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		if o.Tag == tag && !o.gone && want(o) {
			out = append(out, o)
		}
	}
	return out
}

// ofRun returns the obligations of a run.
func (e *Engine) ofRun(id string) (out []*obligation) {
	if e.owed.n.Load() == 0 {
		return nil
	}
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range e.owed.byID {
		if o.Run == id && !o.gone {
			out = append(out, o)
		}
	}
	return out
}

package engine

import (
	"context"
	"errors"
	"slices"

	"holdfast/engine/record"
	"holdfast/journal"
)

// Waive gives up an obligation by its name. It is on disk when Waive returns.
func (e *Engine) Waive(_ context.Context, id, reason, actor string) error {
	e.owed.mu.Lock()
	o := e.owed.byID[id]
	e.owed.mu.Unlock()
	if o == nil {
		return problem(NotFound, "nothing is owed under the name %s", id).hint("holdfast obligations lists what is owed")
	}
	o.yield(&e.owed)
	o.attempt.Lock() // what is on the wire comes to its end
	defer o.attempt.Unlock()
	if !e.strike(o) {
		return problem(Refused, "%s is not owed any more", id)
	}
	return e.settled(o, false, operatorsWord("given up", &message{Actor: actor, Reason: reason}))
}

// lapse ends an obligation that is none any more, and says so.
func (e *Engine) lapse(o *obligation, why string) {
	if !e.strike(o) {
		return
	}
	if err := e.settled(o, false, why); err != nil {
		e.cfg.Log.Error("cannot record that an obligation has lapsed", "run", o.Run, "tag", o.Tag, "why", why, "error", err)
	}
}

// settled puts on record what became of an obligation that has been struck, in
// the table and in what its run shows of its safe state.
func (e *Engine) settled(o *obligation, ok bool, detail string) error {
	err := e.settle(o, ok, detail)
	if err == nil {
		e.forgo(o)
	}
	return err
}

func (e *Engine) settle(o *obligation, ok bool, detail string) error {
	e.cfg.Log.Warn("safe state is owed no more", "run", o.Run, "tag", o.Tag, "written", ok, "detail", detail)
	if r := e.live(o.Run); r != nil {
		r.delivery.Lock() // the run does not end meanwhile
		defer r.delivery.Unlock()
		if !r.hasEnded() {
			err := e.keepTrying(journal.Change{Run: r.num, Records: r.note(record.Settled{Tag: o.Tag, OK: ok, Detail: detail}), State: e.removal(o), Essential: true})
			r.update(func() { r.safeResults = settle(r.safeResults, o.Tag, ok, detail) })
			return err
		}
	}
	e.owed.amend.Lock()
	defer e.owed.amend.Unlock()
	c := journal.Change{State: e.removal(o), Essential: true}
	ctx := context.WithoutCancel(e.base) // a stop is no reason to leave it unsaid
	if err := e.journal.SyncRun(ctx, o.num); err != nil {
		return err
	}
	if run, err := e.journal.Head(ctx, o.num); err == nil && run.Summary != nil {
		if info, err := decodeSummary(run.Summary); err == nil {
			info.SafeState = settle(info.SafeState, o.Tag, ok, detail)
			if c.Amend, err = encodeSummary(info); err == nil {
				c.Run = o.num
			}
		}
	}
	if c.Run == 0 && len(c.State) == 0 {
		return nil
	}
	return e.keepTrying(c)
}

// hasEnded reports whether the run has ended.
func (r *Run) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// settle returns the lines with what became of the one of a tag.
func settle(lines []SafeResult, tag string, ok bool, detail string) []SafeResult {
	lines = slices.Clone(lines)
	for i := range lines {
		if lines[i].Tag == tag && !lines[i].OK {
			lines[i].OK, lines[i].Detail = ok, detail
		}
	}
	return lines
}

// keepTrying commits what is essential, and waits for room where even the
// reserve has none.
func (e *Engine) keepTrying(c journal.Change) error {
	for {
		w, done := e.writer()
		err := w.Commit(c)
		done()
		full := e.journal.Room()
		if !errors.Is(err, journal.ErrNoRoom) || full == nil {
			return err
		}
		select {
		case <-full.Again:
		case <-e.base.Done():
			return err
		}
	}
}

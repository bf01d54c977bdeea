package engine

import (
	"context"
	"errors"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// How long an obligation rests between two attempts. Where the step can wait for
// its device, an attempt begins when that answers.
const (
	keepFirst = time.Second
	keepMost  = time.Minute
)

// keep attempts an obligation until it is gone.
func (e *Engine) keep(o *obligation) {
	if o.orphan != "" { // whether it was written is not known
		e.lapse(o, "overtaken: "+o.orphan+" was writing the tag when the process ended")
		return
	}
	pause := keepFirst
	for {
		attempts := o.Attempts // changed by this goroutine only
		e.tend(o)
		if o.Attempts == attempts {
			pause = keepFirst
		}
		t := time.NewTimer(pause)
		select {
		case <-o.ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		pause = min(2*pause, keepMost)
	}
}

// tend does for an obligation what can be done now.
func (e *Engine) tend(o *obligation) {
	if e.rests(o) {
		return
	}
	step := e.cfg.SafeWrite
	a, err := e.argsOf(o)
	if err != nil {
		e.because(o, err)
		return
	}
	var now Readiness
	if s, ok := step.(Readier); ok {
		if err := guarded(func() (err error) { now, err = s.Ready(o.ctx, a); return err }); err != nil {
			e.because(o, err)
			return
		}
	}
	switch {
	case now.Reached:
		e.attempted(o, func() {
			if e.strike(o) {
				e.report(o, e.settled(o, true, "it was seen to hold the value on "+clockTime(time.Now())))
			}
		})
	case o.State == Unconfirmed || o.State == Stale:
	case o.State == Unknown && !now.Repeatable:
		e.because(o, errors.New("it was sent and may have had its effect, so it is not sent again: look at the machine, and give it up"))
	default:
		e.attempted(o, func() { e.attempt(o, a) })
	}
}

// rests reports whether an obligation is not to be touched now: its run goes on,
// or somebody else writes the tag.
func (e *Engine) rests(o *obligation) bool {
	e.owed.mu.Lock()
	busy := o.gone || o.claims > 0
	e.owed.mu.Unlock()
	if busy {
		return true
	}
	r := e.live(o.Run)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.safeRests
}

// attempted calls act while nobody else writes the tag.
func (e *Engine) attempted(o *obligation, act func()) {
	o.attempt.Lock()
	defer o.attempt.Unlock()
	if !e.rests(o) {
		act()
	}
}

// attempt writes once. That it is about to is on disk before.
func (e *Engine) attempt(o *obligation, a Args) {
	ctx, give := context.WithCancel(o.ctx)
	defer give()
	if p, ok := e.cfg.SafeWrite.(Preparer); ok {
		if err := guarded(func() (err error) { a.Prepared, err = p.Prepare(ctx, a); return err }); err != nil {
			e.because(o, err)
			return
		}
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	if !e.change(o, func() {
		o.State, o.Attempts, o.LastAttempt, o.Why = Unknown, o.Attempts+1, &at, "it is being sent"
		o.give = give
	}) {
		return
	}
	a.Attempt = o.Attempts
	var out any
	err := guarded(func() (err error) { out, err = e.cfg.SafeWrite.Run(ctx, a); return err })
	e.owed.mu.Lock()
	o.give = nil
	e.owed.mu.Unlock()
	var raw value.Raw
	if err == nil {
		raw, err = value.Encode(out)
	} else {
		err = stepFailure(err, e.cfg.SafeWrite.Name(), o.Attempts)
	}
	var failure *StepError
	ok, detail := confirmation(raw)
	switch {
	case err == nil && ok:
		if e.strike(o) {
			e.report(o, e.settled(o, true, "written on "+clockTime(at)))
		}
	case err == nil:
		e.change(o, func() { o.State, o.Why = Unconfirmed, detail })
	case errors.As(err, &failure) && !failure.Unknown:
		e.change(o, func() { o.State, o.Why = Owed, failure.Error() })
	default: // a cancel among them: whether it was sent is not known
		e.change(o, func() { o.Why = err.Error() })
	}
}

// change changes an obligation, on disk too. It reports whether that is done.
func (e *Engine) change(o *obligation, f func()) bool {
	e.owed.mu.Lock()
	if o.gone {
		e.owed.mu.Unlock()
		return false
	}
	f()
	entry := o.entry()
	e.owed.mu.Unlock()
	err := e.keepTrying(journal.Change{State: []journal.Entry{entry}, Essential: true})
	e.report(o, err)
	return err == nil
}

// because notes why an obligation cannot be written. That is not worth the disk:
// the next life finds out by itself.
func (e *Engine) because(o *obligation, err error) {
	if o.ctx.Err() != nil {
		return
	}
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	o.Why = short(err.Error())
}

func (e *Engine) report(o *obligation, err error) {
	if err != nil {
		e.cfg.Log.Error("cannot record what became of an obligation", "run", o.Run, "tag", o.Tag, "error", err)
	}
}

// argsOf binds an obligation to the step that writes it.
func (e *Engine) argsOf(o *obligation) (Args, error) {
	raw, err := bindSafeWrite(e.cfg.SafeWrite, SafeWrite{Tag: o.Tag, Value: o.Value})
	if err != nil {
		return Args{}, err
	}
	values, err := argsMap(raw)
	return Args{Key: record.Key{Run: o.Run, Place: record.Place{Branch: record.Safe}}, Attempt: 1, Began: time.Now(), Values: values}, err
}

// guarded runs code of the step. A panic is its failure.
func guarded(code func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &StepError{Type: "Panic", Message: panicText(p), Bug: true, Unknown: true}
		}
	}()
	return code()
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

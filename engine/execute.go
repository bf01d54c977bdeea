package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"holdfast/engine/isa88"
	"holdfast/journal"
)

// cancelGrace is how long a program that computes, and makes no call, may go
// on after a cancel: time enough to ask IsCancelled and to return.
const cancelGrace = time.Second

// execute is a run's goroutine, from its turn to its end.
func (r *Run) execute() {
	defer r.cancel(context.Canceled) // else the engine's context would keep the run for ever
	err := r.turn()
	if err == nil {
		defer r.eng.leave()
		r.begin()
	}
	st := r.endNoted
	switch {
	case errors.Is(err, errShutdown):
		return
	case st != nil:
	case err != nil:
		st = r.judge(nil, err)
	default:
		st = r.runProgram()
	}
	if st != nil {
		r.end(*st)
	}
}

// turn waits until the run may execute. Meanwhile it is the engine that takes
// commands, unless the run's program has begun and wants to take them itself.
// The error is fatal.
func (r *Run) turn() error {
	for !r.eng.enter() {
		if r.endNoted == nil && r.waitsForEngine() {
			if err := r.takeCommands(""); err != nil {
				return err
			}
		}
		select {
		case r.eng.slots <- struct{}{}:
			return nil
		case <-r.wake:
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
	return nil
}

// waitsForEngine reports whether the engine takes the commands of a run that
// waits for its turn.
func (r *Run) waitsForEngine() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started.IsZero() || r.engineHandles()
}

// begin notes when the run first had its turn.
func (r *Run) begin() {
	r.mu.Lock()
	first := r.started.IsZero()
	if first {
		r.started = time.Now()
	}
	if r.resumed {
		r.recovers++
	}
	r.status = Running
	if r.state == isa88.Starting || r.state == isa88.Idle {
		r.state = isa88.Running
	}
	r.touch()
	r.mu.Unlock()
	what := "started"
	if r.resumed {
		what = "recovered"
	} else if !first {
		return
	}
	// Lazily: whoever looks at the run makes it durable first. A failure shows at
	// the next append. Where the disk is full it is left out: no start is to use up
	// the reserve, nor to wait, with a safe state that may be due.
	_ = r.log.Append(journal.Change{Run: r.num, Records: r.note(what)}, journal.Later)
}

// runProgram returns how the program ended; nil if the run goes on at the next start.
func (r *Run) runProgram() *endState {
	if r.ctx.Err() != nil {
		return r.judge(nil, context.Cause(r.ctx))
	}
	if r.unsaid {
		// Before anything else: what the journal says of a loss is said until it is on record.
		if err := r.commit(journal.Change{Records: r.note("lost", r.lost), LossNoted: true, Essential: true}); err != nil {
			return r.judge(nil, err)
		}
	}
	if r.lost != "" && r.badRec == nil {
		if st, over := r.askLost(); over {
			return st
		}
	}
	if r.resumed {
		if st, over := r.afterLoss(); over {
			return st
		}
	}
	if r.badRec != nil {
		return r.holdBroken(&RunError{Type: "RecordUnreadable", Message: r.badRec.Error()})
	}
	if r.recorded == 0 {
		if err := r.boundary(); err != nil { // HOLD, before the program has begun
			return r.judge(nil, err)
		}
	}
	if err := r.fetch(); err != nil {
		return r.judge(nil, err)
	}
	defer r.replay.drop()
	ctx, stop := delayed(r.ctx, cancelGrace)
	res, err := r.call(ctx)
	stop()
	return r.judge(res, err)
}

// call runs the program. A panic of Go code in it ends this run only.
func (r *Run) call(ctx context.Context) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.eng.cfg.Log.Error("workflow panicked", "run", r.head.id, "panic", p, "stack", string(debug.Stack()))
			err = &RunError{Type: "Panic", Message: panicText(p)}
		}
	}()
	return r.wf.Program.Run(ctx, r)
}

func panicText(p any) string { return fmt.Sprintf("panic: %v", p) }

// afterLoss carries out on_power_loss.
func (r *Run) afterLoss() (st *endState, over bool) {
	switch r.head.powerLoss {
	case StopAfterLoss:
		return r.judge(nil, &ending{state: isa88.Stopped, kind: "Stopped", why: "stopped after an interruption, as on_power_loss says"}), true
	case HoldAfterLoss:
		r.update(func() {
			r.held, r.state, r.heldWhy, r.heldAt = true, isa88.Held, "on_power_loss is hold", time.Now().UTC()
		})
		r.eng.cfg.Log.Info("run is HELD", "run", r.head.id, "why", "on_power_loss is hold")
		if err := r.append(journal.Change{Records: r.note("held", "on_power_loss"), Essential: true}, journal.Soon); err != nil {
			return r.judge(nil, err), true
		}
		if err := r.obey(); err != nil {
			return r.judge(nil, err), true
		}
	}
	return nil, false
}

// judge makes an end of what the program returned.
func (r *Run) judge(res any, err error) *endState {
	if r.fatal != nil {
		err = r.fatal
	} else if r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	}
	var (
		end *ending
		mis *Mismatch
		rec *recordError
	)
	switch {
	case r.replay.active() && !IsFatal(err):
		next := r.replay.peek()
		mis = &Mismatch{Seq: next.Seq, Record: describe(r.replay.recs, next), Script: "nothing more: it has ended", Where: r.wf.File}
		if err != nil {
			mis.Script += " with " + err.Error()
		}
		return r.holdBroken(&RunError{Type: "NonDeterminism", Message: mis.Error()})
	case err == nil:
		enc, err := encode(res)
		if err != nil {
			return &endState{status: Error, state: isa88.Error, err: &RunError{Type: typeOf(err, "BadResult"), Message: "the workflow's result cannot be kept: " + err.Error()}}
		}
		if r.tookStop { // the program has seen to it, and its result counts
			return &endState{status: Success, state: isa88.Stopped, result: enc}
		}
		return &endState{status: Success, state: isa88.Complete, result: enc}
	case errors.Is(err, errShutdown):
		return nil
	case errors.As(err, &end):
		return &endState{status: Cancelled, state: end.state, err: &RunError{Type: end.kind, Message: end.why}}
	case errors.As(err, &mis):
		return r.holdBroken(&RunError{Type: "NonDeterminism", Message: mis.Error()})
	case errors.As(err, &rec):
		if r.eng.journal.Err() != nil {
			return nil // nothing can be recorded; the record says where to go on
		}
		return r.holdBroken(&RunError{Type: "RecordUnreadable", Message: rec.Error()})
	}
	return &endState{status: Error, state: isa88.Error, err: asRunError(err)}
}

func asRunError(err error) *RunError {
	var re *RunError
	if errors.As(err, &re) {
		return re
	}
	var se *StepError
	if errors.As(err, &se) {
		return &RunError{Type: se.Type, Message: se.Message, Step: se.Step}
	}
	return &RunError{Type: "Error", Message: err.Error()}
}

// holdBroken holds a run whose record cannot be replayed: it writes the safe
// state, and waits for an operator to end it. The next start tries again.
func (r *Run) holdBroken(why *RunError) *endState {
	why = why.short()
	r.replay.drop()
	r.fatal = nil
	r.update(func() { r.err, r.held, r.state = why, true, isa88.Held })
	r.eng.nudgeAlarms()
	if err := r.safeWhileBroken(); err != nil {
		return nil // shutdown, or the journal failed: the next start tries again
	}
	for {
		if err := r.takeCommands("while the record cannot be replayed: STOP, ABORT or cancel"); err != nil {
			st := r.judge(nil, err)
			if st != nil && st.err != nil {
				st.err.Message += "; before: " + why.Message
			}
			return st
		}
		r.idle()
	}
}

// end writes the safe state where one is due, and closes the run's record.
func (r *Run) end(st endState) {
	st.err = st.err.short()
	due := st.status != Success || st.state == isa88.Stopped
	r.renewed = !due || !r.safeWritten
	if due && len(r.head.safeState) > 0 && !r.safeWritten {
		if r.endNoted == nil {
			data := fields(nil, string(st.status), string(st.state), runErrorFields(st.err), st.result, r.safeFrom)
			rec := r.note("")
			rec[0].Kind, rec[0].Data = kindEnding, data
			if err := r.commit(journal.Change{Records: rec, Essential: true}); err != nil {
				return
			}
		}
		if err := r.writeSafe(); err != nil {
			return // shutdown, or the journal failed: the ending is on record, and goes on at the next start
		}
	}
	r.close(st)
}

// close makes the end durable, and then known.
func (r *Run) close(st endState) {
	for errors.Is(r.closeNow(st), journal.ErrNoRoom) {
		if err := r.awaitReserve(); err != nil {
			return // what ended it is on record, or is found again, at the next start
		}
	}
}

func (r *Run) closeNow(st endState) error {
	unmet, err := r.closeRecord(st)
	if err == nil {
		r.eng.owe(unmet)
	}
	return err
}

// closeRecord returns what the run still owes, which is on record.
func (r *Run) closeRecord(st endState) (unmet []*obligation, err error) {
	r.post.Lock()
	defer r.post.Unlock()
	now := time.Now().UTC().Truncate(time.Millisecond)
	var c journal.Change
	for _, m := range r.pick(topicCommand, 1<<30) {
		if m.word == "" {
			continue
		}
		f := m.fate(false, "the run has ended", st.state)
		if m.word == isa88.Abort && st.state == isa88.Aborted && st.err.Type == "Aborted" {
			f.Taken, f.Fate = true, "taken"
		}
		c.Records = append(c.Records, r.fateNote(f, m)...)
	}
	info := r.info()
	info.Status, info.State, info.Result, info.Error = st.status, st.state, st.result, st.err
	info.CompletedAt, info.InDoubt, info.CurrentStep = &now, nil, ""
	info.Waits, info.Held, info.Pending = nil, nil, nil
	summary, err := encodeSummary(info)
	if err != nil {
		r.eng.cfg.Log.Error("cannot close the record of a run", "run", r.head.id, "error", err)
		return nil, err
	}
	c.End, c.Terms, c.Essential = summary, termsOf(&info), true
	var past []*obligation
	if r.renewed {
		past = r.eng.ofRun(r.head.id)
	}
	c.State = entriesOf(past, r.unmet)
	if err := r.commitNow(c); err != nil {
		return nil, err
	}
	r.eng.forgo(past...)
	r.eng.enlist(r.unmet...)
	r.eng.forget(r)
	if r.needsHuman() {
		r.eng.nudgeAlarms()
	}
	r.update(func() {
		r.status, r.state, r.result, r.err, r.ended = st.status, st.state, st.result, st.err, true
		r.doubt, r.held, r.step = nil, false, ""
		close(r.over)
	})
	r.eng.cfg.Log.Info("run has ended", "run", r.head.id, "workflow", r.head.workflow, "status", st.status, "state", st.state)
	return r.unmet, nil
}

func runErrorFields(e *RunError) any {
	if e == nil {
		return nil
	}
	return []any{e.Type, e.Message, e.Step, e.Traceback}
}

// delayed returns a context that ends d after ctx does, at once if the engine stops.
func delayed(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if errors.Is(cause, errShutdown) {
			cancel(cause)
			return
		}
		t := time.AfterFunc(d, func() { cancel(cause) })
		context.AfterFunc(out, func() { t.Stop() })
	})
	return out, func() { stop(); cancel(context.Canceled) }
}

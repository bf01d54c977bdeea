package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/journal"
)

// cancelGrace is how long a program that computes, and makes no call, may go
// on after a cancel: time enough to ask IsCancelled and to return.
const cancelGrace = time.Second

// execute is a run's goroutine, from its turn to its end.
func (r *Run) execute() {
	defer r.cancel(context.Canceled) // else the engine's context would keep the run for ever
	defer r.seat.Leave()
	err := r.awaitTurn()
	if err == nil {
		r.startTurn()
	}
	st := r.recordedCompletion
	switch {
	case errors.Is(err, errShutdown):
		return
	case st != nil:
	case err != nil:
		st = r.conclude(nil, err)
	default:
		st = r.runProgram()
	}
	if st != nil {
		r.finishRun(*st)
	}
}

// awaitTurn waits until the run may execute. Meanwhile it is the engine that takes
// commands, unless the run's program has begun and wants to take them itself.
// The error is fatal.
func (r *Run) awaitTurn() error {
	for {
		select {
		case <-r.seat.Turn():
			return nil
		default:
		}
		if r.recordedCompletion == nil && r.takesCommands() {
			if err := r.takeCommands(); err != nil {
				return err
			}
		}
		select {
		case <-r.seat.Turn():
			return nil
		case <-r.wake:
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// startTurn notes when the run first had its turn.
func (r *Run) startTurn() {
	r.mu.Lock()
	first := r.startedAt.IsZero()
	if first {
		r.startedAt = time.Now()
	}
	if r.recovered {
		r.recoveries++
	}
	r.status = Running
	if r.state == isa88.Starting || r.state == isa88.Idle {
		r.state = isa88.Running
	}
	r.notify()
	r.mu.Unlock()
	var what record.Note = record.Started{}
	if r.recovered {
		what = record.Recovered{}
	} else if !first {
		return
	}
	// Lazily: whoever looks at the run makes it durable first. A failure shows at
	// the next append. Where the disk is full it is left out: no start is to use up
	// the reserve, nor to wait, with a safe state that may be due.
	_ = r.log.Append(journal.Change{Run: r.num, Records: r.note(what)}, journal.Later)
}

// runProgram returns how the program ended; nil if the run goes on at the next start.
func (r *Run) runProgram() *completion {
	if r.ctx.Err() != nil {
		return r.conclude(nil, context.Cause(r.ctx))
	}
	if r.lossUnrecorded {
		// Before anything else: what the journal says of a loss is said until it is on record.
		if err := r.main.commit(journal.Change{Records: r.note(record.Lost{What: r.loss}), LossNoted: true, Essential: true}); err != nil {
			return r.conclude(nil, err)
		}
	}
	if r.loss != "" && r.recordFault == nil {
		if st, over := r.askAboutLoss(); over {
			return st
		}
	}
	if r.recovered {
		if st, over := r.applyPowerLossPolicy(); over {
			return st
		}
	}
	if r.recordFault != nil {
		return r.holdUnreplayable(&RunError{Type: "RecordUnreadable", Message: r.recordFault.Error()})
	}
	if r.recorded == 0 {
		if err := r.main.boundary(); err != nil { // HOLD, before the program has begun
			return r.conclude(nil, err)
		}
	}
	if err := r.fetch(); err != nil {
		return r.conclude(nil, err)
	}
	defer r.main.replay.drop()
	ctx, stop := delayed(r.ctx, cancelGrace)
	res, err := r.runGuarded(ctx)
	stop()
	return r.conclude(res, err)
}

// runGuarded runs the program. A panic of Go code in it ends this run only.
func (r *Run) runGuarded(ctx context.Context) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.eng.cfg.Log.Error("workflow panicked", "run", r.head.id, "panic", p, "stack", string(debug.Stack()))
			err = &RunError{Type: "Panic", Message: panicText(p)}
		}
	}()
	return r.wf.Program.Run(ctx, r)
}

func panicText(p any) string { return fmt.Sprintf("panic: %v", p) }

// Why a run is held by on_power_loss: in its record, and as it is shown.
const (
	onPowerLoss     = "on_power_loss"
	heldByPowerLoss = "on_power_loss is hold"
)

// applyPowerLossPolicy carries out on_power_loss.
func (r *Run) applyPowerLossPolicy() (st *completion, over bool) {
	switch r.head.powerLoss {
	case StopAfterLoss:
		return r.conclude(nil, &termination{state: isa88.Stopped, kind: "Stopped", why: "stopped after an interruption, as on_power_loss says"}), true
	case HoldAfterLoss:
		r.update(func() {
			r.held, r.state, r.heldWhy, r.heldAt = true, isa88.Held, heldByPowerLoss, time.Now().UTC()
		})
		r.eng.cfg.Log.Info("run is HELD", "run", r.head.id, "why", heldByPowerLoss)
		if err := r.main.append(journal.Change{Records: r.note(record.Held{Why: onPowerLoss}), Essential: true}, journal.Soon); err != nil {
			return r.conclude(nil, err), true
		}
		if err := r.handleCommands(); err != nil {
			return r.conclude(nil, err), true
		}
	}
	return nil, false
}

// conclude makes an end of what the program returned.
func (r *Run) conclude(res any, err error) *completion {
	if r.main.fatal != nil {
		err = r.main.fatal
	} else if r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	}
	var (
		end *termination
		mis *Mismatch
		rec *recordError
	)
	switch {
	case r.main.replay.active() && !IsFatal(err):
		next := r.main.replay.peek()
		mis = &Mismatch{Seq: next.Seq, Record: record.Describe(r.main.replay.Records, next), Script: "nothing more: it has ended", Where: r.wf.File}
		if err != nil {
			mis.Script += " with " + err.Error()
		}
		return r.holdUnreplayable(&RunError{Type: "NonDeterminism", Message: mis.Error()})
	case err == nil:
		enc, err := encode(res)
		if err != nil {
			return &completion{status: Error, state: isa88.Error, err: &RunError{Type: errorTypeOf(err, "BadResult"), Message: "the workflow's result cannot be kept: " + err.Error()}}
		}
		if r.tookStop { // the program has seen to it, and its result counts
			return &completion{status: Success, state: isa88.Stopped, result: enc}
		}
		return &completion{status: Success, state: isa88.Complete, result: enc}
	case errors.Is(err, errShutdown):
		return nil
	case errors.As(err, &end):
		return &completion{status: Cancelled, state: end.state, err: &RunError{Type: end.kind, Message: end.why}}
	case errors.As(err, &mis):
		return r.holdUnreplayable(&RunError{Type: "NonDeterminism", Message: mis.Error()})
	case errors.As(err, &rec):
		if r.eng.journal.Err() != nil {
			return nil // nothing can be recorded; the record says where to go on
		}
		return r.holdUnreplayable(&RunError{Type: "RecordUnreadable", Message: rec.Error()})
	}
	return &completion{status: Error, state: isa88.Error, err: asRunError(err)}
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

// holdUnreplayable holds a run whose record cannot be replayed: it writes the safe
// state, and waits for an operator to end it. The next start tries again.
func (r *Run) holdUnreplayable(why *RunError) *completion {
	why = why.short()
	r.main.replay.drop()
	r.main.fatal = nil
	r.update(func() { r.err, r.unreplayable, r.held, r.state = why, true, true, isa88.Held })
	r.eng.nudgeAlarms()
	if err := r.safeWhileBroken(); err != nil {
		return nil // shutdown, or the journal failed: the next start tries again
	}
	for {
		if err := r.takeCommands(); err != nil {
			st := r.conclude(nil, err)
			if st != nil && st.err != nil {
				st.err.Message += "; before: " + why.Message
			}
			return st
		}
		r.idle()
	}
}

// finishRun writes the safe state where one is due, and closes the run's record.
func (r *Run) finishRun(st completion) {
	st.err = st.err.short()
	due := st.status != Success || st.state == isa88.Stopped
	r.renewed = !due || !r.safeWritten
	if due && len(r.head.safeState) > 0 && !r.safeWritten {
		if r.recordedCompletion == nil {
			done := record.Completed{Status: string(st.status), State: string(st.state), Error: (*record.RunFailure)(st.err), Result: st.result, SafeAt: r.safeBase}
			rec := r.noteRecord(record.KindCompleted, done.Append(nil))
			if err := r.main.commit(journal.Change{Records: rec, Essential: true}); err != nil {
				return
			}
		}
		if err := r.writeSafe(); err != nil {
			return // shutdown, or the journal failed: the ending is on record, and goes on at the next start
		}
	}
	r.closeRecord(st)
}

// closeRecord makes the end durable, and then known.
func (r *Run) closeRecord(st completion) {
	for errors.Is(r.tryClose(st), journal.ErrNoRoom) {
		if err := r.main.awaitReserve(); err != nil {
			return // what ended it is on record, or is found again, at the next start
		}
	}
}

func (r *Run) tryClose(st completion) error {
	unmet, err := r.commitEnd(st)
	if err == nil {
		r.eng.owe(unmet)
	}
	return err
}

// commitEnd puts the end on disk. It returns what the run still owes, which is on record.
func (r *Run) commitEnd(st completion) (unmet []*obligation, err error) {
	r.delivery.Lock()
	defer r.delivery.Unlock()
	now := time.Now().UTC().Truncate(time.Millisecond)
	var c journal.Change
	for _, m := range r.pick(mailbox.TopicCommand, 1<<30) {
		if m.Word == "" {
			continue
		}
		f := newFate(&m, false, "the run has ended", st.state)
		if m.Word == isa88.Abort && st.state == isa88.Aborted && st.err.Type == "Aborted" {
			f.Taken, f.Fate = true, "taken"
		}
		c.Records = append(c.Records, r.commandNote(f, &m)...)
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
	if err := r.main.tryCommit(c); err != nil {
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
		r.doubt, r.held, r.currentStep = nil, false, ""
		close(r.done)
	})
	r.eng.cfg.Log.Info("run has ended", "run", r.head.id, "workflow", r.head.workflow, "status", st.status, "state", st.state)
	return r.unmet, nil
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

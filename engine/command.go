package engine

import (
	"context"
	"math"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/journal"
)

// boundary is where a live run looks up between two steps: for a cancel, and
// for the commands that the engine handles.
func (r *Run) boundary() error {
	if r.fatal != nil {
		return r.fatal
	}
	if r.ctx.Err() != nil {
		return r.die(context.Cause(r.ctx))
	}
	if !r.caughtUp { // it is this goroutine that sets it
		r.mu.Lock()
		r.caughtUp = true
		r.mu.Unlock()
		r.eng.nudgeIfAlarmed(r.head.id)
	}
	if !r.isHeld() && !r.called() {
		return nil
	}
	return r.obey()
}

// called reports whether a command waits that is the engine's to take.
func (r *Run) called() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engineHandles() && slices.ContainsFunc(r.inbox, func(m message) bool { return m.word != "" })
}

// obey takes commands for the engine until the run may go on, or has to end.
func (r *Run) obey() error {
	for {
		if err := r.takeCommands(""); err != nil {
			return err
		}
		if !r.isHeld() {
			return nil
		}
		r.idle()
	}
}

// idle waits for a message, or for the end of the run's context.
func (r *Run) idle() {
	select {
	case <-r.wake:
	case <-r.ctx.Done():
	}
}

func (r *Run) isHeld() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// takeCommands decides on every command in the mailbox. ABORT and STOP win
// over all others; HOLD and RESUME are taken in the order in which they came,
// unless stuck says why the run can do neither. The error is fatal.
func (r *Run) takeCommands(stuck string) error {
	if r.ctx.Err() != nil {
		return r.die(context.Cause(r.ctx))
	}
	cmds := slices.DeleteFunc(r.pick(topicCommand, math.MaxInt), func(m message) bool { return m.word == "" })
	if len(cmds) == 0 {
		return nil
	}
	r.mu.Lock()
	held, going := r.held, isa88.Running
	if r.status == Enqueued {
		going = isa88.Starting
	}
	r.mu.Unlock()
	state := going
	if held || stuck != "" {
		state = isa88.Held
	}
	winner := -1
	for i, m := range cmds {
		if (m.word == isa88.Abort || m.word == isa88.Stop) && (winner < 0 || m.word.Priority() > cmds[winner].word.Priority()) {
			winner = i
		}
	}
	var c journal.Change
	var fates []Fate
	decide := func(m message, taken bool, fate string) {
		f := m.fate(taken, fate, state)
		fates = append(fates, f)
		c.Records = append(c.Records, r.fateNote(f, m)...)
		c.Taken = append(c.Taken, m.num)
	}
	for i, m := range cmds {
		switch {
		case i == winner:
			state = m.word.Next(state)
			decide(m, true, "taken")
		case winner >= 0:
			decide(m, false, "superseded by "+string(cmds[winner].word))
		case stuck != "":
			decide(m, false, "not allowed "+stuck)
		case !m.word.Allowed(state):
			decide(m, false, "not allowed in "+string(state))
		case m.word == isa88.Hold:
			held, state = true, isa88.Held
			decide(m, true, "taken")
		default: // RESUME
			held, state = false, going
			decide(m, true, "taken")
		}
	}
	c.Essential = true
	if err := r.commit(c); err != nil {
		return err
	}
	r.update(func() {
		r.drop(c.Taken...)
		r.held, r.state = held, state
		if !held {
			r.heldWhy = ""
		}
		r.decided(fates)
	})
	r.logFates(byEngine, fates)
	if winner < 0 {
		return nil
	}
	return r.die(endedBy(&cmds[winner]))
}

// endedBy is the ending that a STOP or an ABORT asks for.
func endedBy(m *message) *ending {
	if m.word == isa88.Abort {
		return &ending{state: isa88.Aborted, kind: "Aborted", why: operatorsWord("aborted", m)}
	}
	return &ending{state: isa88.Stopped, kind: "Stopped", why: operatorsWord("stopped", m)}
}

// note makes a record of what the engine did by itself.
func (r *Run) note(what string, more ...any) []journal.Record {
	r.mu.Lock()
	seq := r.notes
	r.notes++
	r.mu.Unlock()
	return []journal.Record{{Seq: seq, Kind: kindNote, Time: time.Now(), Data: fields(nil, append([]any{what}, more...)...)}}
}

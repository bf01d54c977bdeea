package engine

import (
	"math"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/scheduler"
	"holdfast/journal"
)

// called reports whether a command waits that is the engine's to take.
func (r *Run) called() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inbox.HasCommand() && r.engineHandles()
}

// catchUp notes that the replay is over, and what an interruption has left is
// decided.
func (r *Run) catchUp() {
	if r.caughtUp { // it is this goroutine that sets it
		return
	}
	r.mu.Lock()
	r.caughtUp = true
	r.mu.Unlock()
	r.eng.nudgeIfAlarmed(r.head.id)
}

// handleCommands takes commands for the engine until the run may go on, or has to end.
func (r *Run) handleCommands() error {
	for {
		if err := r.takeCommands(); err != nil {
			return err
		}
		if !r.isHeld() {
			return nil
		}
		r.idle()
	}
}

// idle waits for a message, or for the end of the run's context. The run has no
// use for a worker meanwhile.
func (r *Run) idle() {
	r.seat.Park(scheduler.Held)
	defer r.seat.Resume()
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

// takeCommands decides on every command in the mailbox, as the phase of the run
// has it. The error is fatal.
func (r *Run) takeCommands() error {
	if r.ctx.Err() != nil {
		return r.main.ended()
	}
	cmds := slices.DeleteFunc(r.pick(mailbox.TopicCommand, math.MaxInt), func(m message) bool { return m.Word == "" })
	if len(cmds) == 0 {
		return nil
	}
	words := make([]isa88.Command, len(cmds))
	for i, m := range cmds {
		words[i] = m.Word
	}
	r.mu.Lock()
	d := r.facts().Decide(words)
	r.mu.Unlock()
	c := journal.Change{Essential: true}
	fates := make([]Fate, len(cmds))
	for i, m := range cmds {
		fates[i] = newFate(&m, d.Fates[i].Taken, d.Fates[i].Fate, d.Fates[i].State)
		c.Records = append(c.Records, r.commandNote(fates[i], &m)...)
		c.Taken = append(c.Taken, m.Number)
	}
	if err := r.main.commit(c); err != nil {
		return err
	}
	r.update(func() {
		r.drop(c.Taken...)
		r.held, r.state = d.Held, d.State
		if !d.Held {
			r.heldWhy = ""
		}
		r.decided(fates)
	})
	r.logFates(byEngine, fates)
	if d.Ends < 0 {
		return nil
	}
	return r.main.setFatal(terminationBy(&cmds[d.Ends]))
}

// terminationBy is the ending that a STOP or an ABORT asks for.
func terminationBy(m *message) *termination {
	if m.Word == isa88.Abort {
		return &termination{state: isa88.Aborted, kind: "Aborted", why: operatorsWord("aborted", m)}
	}
	return &termination{state: isa88.Stopped, kind: "Stopped", why: operatorsWord("stopped", m)}
}

// note makes a record of what the engine did by itself.
func (r *Run) note(n record.Note) []journal.Record {
	return r.noteRecord(record.KindNote, record.EncodeNote(n))
}

// noteRecord makes a record at the next place among the notes.
func (r *Run) noteRecord(kind journal.Kind, data []byte) []journal.Record {
	r.mu.Lock()
	at := r.nextNote
	r.nextNote = at.Next()
	r.mu.Unlock()
	number, err := at.Number()
	if err != nil {
		panic("engine: a run has more notes than its record has places")
	}
	return []journal.Record{{Seq: number, Kind: kind, Time: time.Now(), Data: data}}
}

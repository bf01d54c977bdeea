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
	r.mu.Lock()
	quiet := !r.engineHandles() || !r.held && !slices.ContainsFunc(r.inbox, func(m message) bool { return m.word != "" })
	r.mu.Unlock()
	if quiet {
		return nil
	}
	_, _, err := r.obey(false)
	return err
}

// obey takes commands for the engine until the run may go on, or has to end.
// With inDoubt it waits for the answer to the run's question, and returns it
// with the number of its message.
func (r *Run) obey(inDoubt bool) (Answer, uint64, error) {
	for {
		if r.ctx.Err() != nil {
			return Answer{}, 0, r.die(context.Cause(r.ctx))
		}
		if err := r.takeCommands(inDoubt); err != nil {
			return Answer{}, 0, err
		}
		if inDoubt {
			for _, m := range r.pick(topicEngine, math.MaxInt) {
				if a, ok := answerOf(m.body); ok {
					r.update(func() { r.drop(m.num) })
					return a, m.num, nil
				}
			}
		} else if !r.isHeld() {
			return Answer{}, 0, nil
		}
		select {
		case <-r.wake:
		case <-r.ctx.Done():
		}
	}
}

func (r *Run) isHeld() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// takeCommands decides on every command in the mailbox. ABORT and STOP win
// over all others; HOLD and RESUME are taken in the order in which they came.
func (r *Run) takeCommands(inDoubt bool) error {
	cmds := slices.DeleteFunc(r.pick(topicCommand, math.MaxInt), func(m message) bool { return m.word == "" })
	if len(cmds) == 0 {
		return nil
	}
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	state := isa88.Running
	if held || inDoubt {
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
		f := Fate{Message: m.num, Command: string(m.word), Taken: taken, Fate: fate, State: state}
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
		case inDoubt:
			decide(m, false, "not allowed while a step is in doubt: answer with resolve, or STOP or ABORT")
		case !m.word.Allowed(state):
			decide(m, false, "not allowed in "+string(state))
		case m.word == isa88.Hold:
			held, state = true, isa88.Held
			decide(m, true, "taken")
		default: // RESUME
			held, state = false, isa88.Running
			decide(m, true, "taken")
		}
	}
	if err := r.commit(c); err != nil {
		return err
	}
	r.update(func() {
		r.drop(c.Taken...)
		r.held, r.state = held, state
		for _, f := range fates {
			r.fates[f.Message] = f
		}
	})
	if winner < 0 {
		return nil
	}
	end := &ending{state: isa88.Stopped, kind: "Stopped", why: operatorsWord("stopped", &cmds[winner])}
	if cmds[winner].word == isa88.Abort {
		end = &ending{state: isa88.Aborted, kind: "Aborted", why: operatorsWord("aborted", &cmds[winner])}
	}
	return r.die(end)
}

// note makes a record of what the engine did by itself.
func (r *Run) note(what string, more ...any) []journal.Record {
	r.mu.Lock()
	seq := r.notes
	r.notes++
	r.mu.Unlock()
	return []journal.Record{{Seq: seq, Kind: kindNote, Time: time.Now(), Data: fields(nil, append([]any{what}, more...)...)}}
}

func (r *Run) fateNote(f Fate, m message) []journal.Record {
	return r.note("command", f.Message, f.Command, f.Taken, f.Fate, string(f.State), m.actor, m.reason)
}

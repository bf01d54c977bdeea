package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/journal"
)

// CommandInfo is one command that a run was sent: who, when, why, and its fate.
type CommandInfo struct {
	Message   uint64      `json:"message"` // its number in the run's mailbox
	Command   string      `json:"command"` // HOLD, …, CANCEL, RESOLVE done
	Actor     string      `json:"actor"`
	Reason    string      `json:"reason"`
	GivenAt   time.Time   `json:"given_at"`
	Taken     bool        `json:"taken"`
	Fate      string      `json:"fate"`  // as in Fate; "" while it waits
	State     isa88.State `json:"state"` // of the run when that was decided
	DecidedAt *time.Time  `json:"decided_at"`
}

// Commands lists every command that a run was sent, in the order in which they
// were given.
func (e *Engine) Commands(ctx context.Context, id string) ([]CommandInfo, error) {
	if e.live(id) != nil {
		_ = e.journal.SyncContext(ctx) // as in Show: a journal that has failed is said in Health
	}
	head, err := e.headOf(ctx, id)
	if err != nil {
		return nil, err
	}
	ended, num := head.Summary != nil, head.Header.Run
	all := map[uint64]CommandInfo{}
	add := func(list []CommandInfo) {
		for _, c := range list {
			all[c.Message] = c
		}
	}
	// What waits goes first: meanwhile it may be decided, and is then in the record.
	err = e.journal.Messages(ctx, num, 0, func(jm journal.Message) bool {
		if m, err := mailbox.Read(jm); err == nil {
			add(waitingIn(&m, ended))
		}
		return true
	})
	if err == nil {
		err = e.journal.Records(ctx, num, 0, func(rec journal.Record) bool {
			add(commandsOf(&rec))
			return true
		})
	}
	if err != nil {
		return nil, unread(ctx, id, err)
	}
	out := slices.Collect(maps.Values(all))
	if ended { // a RESET comes behind all records
		if i, err := decodeSummary(head.Summary); err == nil && i.Operator != nil && i.Operator.Command == string(isa88.Reset) {
			w := i.Operator
			out = append(out, CommandInfo{Command: w.Command, Actor: w.Actor, Reason: w.Reason, GivenAt: w.At, Taken: true, Fate: "taken", State: isa88.Idle, DecidedAt: &w.At})
		}
	}
	slices.SortFunc(out, func(a, b CommandInfo) int {
		return cmp.Or(a.GivenAt.Compare(b.GivenAt), cmp.Compare(a.Message, b.Message))
	})
	return out, nil
}

// Decided is how many commands of a live run have had their fate: who follows
// it need not read its record while there are no more.
func (e *Engine) Decided(id string) (n int, live bool) {
	r := e.live(id)
	if r == nil {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.fates), true
}

// commandsOf returns the commands on which a record says what became of them.
func commandsOf(rec *journal.Record) (out []CommandInfo) {
	for _, f := range fatesIn(rec) {
		if f.Command != "" {
			out = append(out, CommandInfo{f.Message, f.Command, f.Actor, f.Reason, f.GivenAt, f.Taken, f.Fate, f.State, &f.DecidedAt})
		}
	}
	if rec.Kind != record.KindNote {
		return out
	}
	n, err := record.ReadNote(rec)
	if err != nil {
		return out
	}
	switch n := n.(type) {
	case record.Resolved:
		out = append(out, answerInfo(rec, n, true, "taken", isa88.Running))
	case record.Stale:
		out = append(out, answerInfo(rec, record.Resolved(n), false, "not needed: what can be read back has answered", ""))
	}
	return out
}

// answerInfo is an operator's answer that a note is about.
func answerInfo(rec *journal.Record, a record.Resolved, taken bool, fate string, state isa88.State) CommandInfo {
	at := rec.Time.UTC()
	return CommandInfo{Message: a.Message, Command: wordResolve + " " + a.Decision, Actor: a.Actor, GivenAt: a.GivenAt,
		Taken: taken, Fate: fate, State: state, DecidedAt: &at}
}

// waitingIn returns the command that a message in the mailbox is. A cancel stays
// there, for it acts at once.
func waitingIn(m *message, ended bool) []CommandInfo {
	at := m.At.UTC()
	if w, ok := cancelIn(m); ok {
		return []CommandInfo{{Message: m.Number, Command: w.Command, Actor: w.Actor, Reason: w.Reason, GivenAt: at, Taken: true, Fate: "taken", State: isa88.Aborting, DecidedAt: &at}}
	}
	c := CommandInfo{Message: m.Number, Command: string(m.Word), Actor: m.Actor, Reason: m.Reason, GivenAt: at}
	if a, ok := answerIn(m); ok {
		c.Command, c.Actor = wordResolve+" "+a.Decision, a.Actor
	}
	if c.Command == "" || ended && m.Word != "" { // what became of it when the run ended is on record
		return nil
	}
	if ended {
		c.Fate = "the run has ended"
	}
	return []CommandInfo{c}
}

// syncForFates is how long Fates waits for the disk.
const syncForFates = 2 * time.Second

// Fates returns what became of commands, nil where that is not decided when ctx
// ends. It waits for all of them together.
func (e *Engine) Fates(ctx context.Context, all []Receipt) ([]*Fate, error) {
	out := make([]*Fate, len(all))
	for i, rc := range all {
		f, err := e.fateOf(ctx, rc)
		switch {
		case err == nil:
			out[i] = &f
		case ctx.Err() == nil:
			return nil, err
		}
	}
	// A fate is told only when it is on disk; ctx may have ended just now.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), syncForFates)
	defer cancel()
	if err := e.journal.SyncContext(limited); limited.Err() != nil {
		return make([]*Fate, len(all)), nil
	} else if err != nil {
		return nil, problem(Unavailable, "cannot say what became of %d commands: %v", len(all), err)
	}
	return out, nil
}

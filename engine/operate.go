package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/value"
	"holdfast/journal"
)

// maxName bounds topics and UUIDs of messages, in bytes.
const maxName = 512

// Send puts a message into a run's mailbox. It is on disk when Send returns.
func (e *Engine) Send(ctx context.Context, id string, m Message) (Receipt, error) {
	if m.Topic == "" {
		m.Topic = mailbox.TopicCommand
	}
	switch {
	case m.Topic[0] == 0 || len(m.Topic) > maxName:
		return Receipt{}, problem(BadRequest, "topic %.40q is not allowed", m.Topic)
	case len(m.UUID) > maxName:
		return Receipt{}, problem(BadRequest, "the message's UUID has %d bytes, at most %d are allowed", len(m.UUID), maxName)
	}
	if err := value.Check(m.Body); err != nil {
		return Receipt{}, problem(BadRequest, "the message cannot be taken: %v", err)
	}
	if m.Topic == mailbox.TopicCommand {
		body, err := checkCommand(m.Body)
		if err != nil {
			return Receipt{}, err
		}
		m.Body = body
	}
	body, err := stamp(m.Topic, m.Body, m.Actor, time.Now())
	if err != nil {
		return Receipt{}, problem(BadRequest, "the message cannot be taken: %v", err)
	}
	m.Body = body
	return e.post(ctx, id, message{Topic: m.Topic, Body: slices.Clone(m.Body), UUID: m.UUID})
}

func (e *Engine) post(ctx context.Context, id string, m message) (Receipt, error) {
	r := e.live(id)
	if r == nil {
		return e.postEnded(ctx, id, m)
	}
	m.Parse()
	w, done := e.writer()
	defer done()
	num, err := r.deliver(w, m)
	return Receipt{Run: id, Message: num}, err
}

// postEnded is post for a run that is not live: a message that the run has had
// already was sent again by one who did not see the answer, and is answered alike.
func (e *Engine) postEnded(ctx context.Context, id string, m message) (Receipt, error) {
	run, err := e.headOf(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if run.Summary == nil {
		return Receipt{}, problem(Unavailable, "run %s is not up yet", id)
	}
	if m.UUID != "" {
		num, seen, err := e.messagesSeen(ctx, run.Header.Run, m.UUID)
		if err != nil {
			return Receipt{}, unread(ctx, id, err)
		}
		if seen {
			return Receipt{Run: id, Message: num}, nil
		}
	}
	return Receipt{}, errRunEnded(id)
}

func errRunEnded(id string) error { return problem(Refused, "run %s has ended", id) }

// Command sends an operator command. A run that has ended takes RESET only,
// which sets its state to IDLE.
func (e *Engine) Command(ctx context.Context, id string, c isa88.Command, reason, actor string) (Receipt, error) {
	m, err := commandMessage(c, reason, actor)
	if err != nil {
		return Receipt{}, err
	}
	if e.live(id) == nil {
		return e.commandEnded(ctx, id, Word{Command: string(c), Actor: actor, Reason: reason, At: acceptedAt()})
	}
	return e.post(ctx, id, m)
}

func commandMessage(c isa88.Command, reason, actor string) (message, error) {
	if c.Priority() < 0 {
		return message{}, problem(BadRequest, "unknown command %q, allowed are ABORT, STOP, HOLD, RESUME, RESET", string(c))
	}
	body, err := value.Encode(value.NewMap("cmd", string(c), "reason", reason, "actor", actor, "ts", time.Now().UTC().Format(time.RFC3339Nano)))
	if err != nil {
		return message{}, problem(BadRequest, "%v", err)
	}
	return message{Topic: mailbox.TopicCommand, Body: body}, nil
}

func (e *Engine) commandEnded(ctx context.Context, id string, w Word) (Receipt, error) {
	c := isa88.Command(w.Command)
	e.owed.amend.Lock() // an obligation that ends amends the summary, too
	defer e.owed.amend.Unlock()
	info, err := e.Show(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	info.Obligations = nil
	if c != isa88.Reset || !c.Allowed(info.State) {
		return Receipt{}, problem(Refused, "%s is not allowed: run %s has ended in %s", c, id, info.State)
	}
	num, err := e.number(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	info.State, info.Operator = c.Next(info.State), &w
	summary, err := encodeSummary(info)
	if err != nil {
		return Receipt{}, problem(Unavailable, "cannot reset run %s: %v", id, err)
	}
	out, done := e.writer()
	defer done()
	if err := out.Commit(journal.Change{Run: num, Amend: summary, Essential: true}); err != nil {
		return Receipt{}, problem(Unavailable, "cannot reset run %s: %v", id, err)
	}
	e.cfg.Log.Info("run is RESET", "run", id, "actor", w.Actor, "reason", w.Reason)
	return Receipt{Run: id}, nil
}

// Fate returns what became of a command; it waits until that is decided.
func (e *Engine) Fate(ctx context.Context, rc Receipt) (Fate, error) {
	f, err := e.fateOf(ctx, rc)
	if err == nil && e.live(rc.Run) != nil {
		err = e.synced(ctx, rc.Run) // a fate is told only when it is on disk
	}
	return f, err
}

// fateOf waits until a fate is decided. It may not be on disk yet.
func (e *Engine) fateOf(ctx context.Context, rc Receipt) (Fate, error) {
	if rc.Message == 0 {
		return Fate{Command: string(isa88.Reset), Taken: true, Fate: "taken", State: isa88.Idle}, nil
	}
	var version uint64
	for {
		if r := e.live(rc.Run); r != nil {
			r.mu.Lock()
			f, ok := r.fates[rc.Message]
			r.mu.Unlock()
			if ok {
				return f, nil
			}
		} else {
			return e.endedFate(ctx, rc)
		}
		now, _, err := e.Await(ctx, rc.Run, version)
		if err != nil {
			return Fate{}, err
		}
		version = now
	}
}

func (e *Engine) synced(ctx context.Context, id string) error {
	if err := e.journal.SyncContext(ctx); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return problem(Unavailable, "cannot say what became of the command to run %s: %v", id, err)
	}
	return nil
}

func (e *Engine) endedFate(ctx context.Context, rc Receipt) (Fate, error) {
	run, err := e.headOf(ctx, rc.Run)
	if err != nil {
		return Fate{}, err
	}
	if run.Summary == nil {
		return Fate{}, problem(Unavailable, "run %s is not up yet", rc.Run)
	}
	out := Fate{Message: rc.Message, Fate: "the run has ended"}
	if err := e.journal.Records(ctx, run.Header.Run, 0, func(rec journal.Record) bool {
		for _, f := range fatesIn(&rec) {
			if f.Message == rc.Message {
				out = Fate(f)
				return false
			}
		}
		return true
	}); err != nil {
		return Fate{}, unread(ctx, rc.Run, err)
	}
	return out, nil
}

// Cancel ends a run, at once. It is on disk when Cancel returns.
func (e *Engine) Cancel(ctx context.Context, id, reason, actor string) error {
	body, err := value.Encode(value.NewMap("do", "cancel", "reason", reason, "actor", actor))
	if err != nil {
		return problem(BadRequest, "%v", err)
	}
	_, err = e.post(ctx, id, message{Topic: mailbox.TopicEngine, Body: body})
	var p *Problem
	if errors.As(err, &p) && p.Code == Refused {
		return problem(Refused, "cannot cancel: %s", p.Message)
	}
	return err
}

// Resolve answers the question of a run in doubt.
func (e *Engine) Resolve(ctx context.Context, id string, a Answer) error {
	switch a.Decision {
	case "done", "retry", "fail":
	default:
		return problem(BadRequest, "unknown answer %q, allowed are done, retry, fail", a.Decision)
	}
	if a.Decision != "done" && !a.Value.IsNil() {
		return problem(BadRequest, "a value goes with done only")
	}
	if err := value.Check(a.Value); err != nil {
		return problem(BadRequest, "the value cannot be taken: %v", err)
	}
	body, err := value.Encode(value.NewMap("do", "resolve", "decision", a.Decision, "value", a.Value, "actor", a.Actor))
	if err != nil {
		return problem(BadRequest, "the value cannot be kept: %v", err)
	}
	_, err = e.post(ctx, id, message{Topic: mailbox.TopicEngine, Body: body})
	return err
}

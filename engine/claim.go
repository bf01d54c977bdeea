package engine

import (
	"context"

	"holdfast/journal"
)

// Claim says that somebody is about to write a tag, before anything is sent. No
// obligation of that tag is attempted from here on, until settle says whether it
// was written, or may have been: then it lapses, for nothing is written behind
// somebody's back. That the tag is claimed is on disk when Claim returns. The
// error says that it cannot be, and that nothing is to be sent.
func (e *Engine) Claim(_ context.Context, tag, by string) (settle func(written bool), err error) {
	return e.claim(tag, by, "")
}

// claim is Claim, but for the obligations of one run.
func (e *Engine) claim(tag, by, except string) (settle func(written bool), err error) {
	if e.owed.n.Load() == 0 {
		return func(bool) {}, nil
	}
	list := e.onTag(tag, func(o *obligation) bool { return o.Run != except })
	for _, o := range list {
		o.yield(&e.owed)
		o.attempt.Lock() // what is on the wire comes to its end first
		e.owed.mu.Lock()
		o.claimedBy = by
		e.owed.mu.Unlock()
		o.attempt.Unlock()
	}
	if err := e.recordClaims(list); err != nil {
		e.unclaim(list)
		return nil, problem(Unavailable, "cannot write %s: a safe state is owed to it, and it cannot be recorded that %s writes it: %v", tag, by, err)
	}
	return func(written bool) {
		if written {
			for _, o := range list {
				e.lapse(o, "overtaken: "+by+" has written the tag since")
			}
			return
		}
		e.unclaim(list)
		if err := e.recordClaims(list); err != nil {
			e.cfg.Log.Error("cannot record that a tag was not written", "tag", tag, "error", err)
		}
	}, nil
}

// yield keeps an obligation from being attempted, and ends an attempt at work.
func (o *obligation) yield(all *obligations) {
	all.mu.Lock()
	defer all.mu.Unlock()
	o.claims++
	if o.give != nil {
		o.give()
	}
}

func (e *Engine) unclaim(list []*obligation) {
	e.owed.mu.Lock()
	defer e.owed.mu.Unlock()
	for _, o := range list {
		if o.claims--; o.claims == 0 {
			o.claimedBy = ""
		}
	}
}

// recordClaims puts obligations on disk as they are, those that are not gone.
func (e *Engine) recordClaims(list []*obligation) error {
	c := journal.Change{Essential: true}
	e.owed.mu.Lock()
	for _, o := range list {
		if !o.gone {
			c.State = append(c.State, o.entry())
		}
	}
	e.owed.mu.Unlock()
	if len(c.State) == 0 {
		return nil
	}
	w, done := e.writer()
	defer done()
	return w.Commit(c)
}

package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"holdfast/journal"
)

func validID(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.:-", r))
	})
}

const idLayout = "20060102-150405.000"

// idTime is the time in an id that newID made: that of the start, or later where
// the clock had stepped back or many were made at once. Of other ids it is created.
func idTime(id string, created time.Time) time.Time {
	if len(id) != len(idLayout)+4 || id[len(idLayout)-1] != '-' {
		return created
	}
	point := strings.Index(idLayout, ".")
	t, err := time.Parse(idLayout, id[:point]+"."+id[point:len(idLayout)-1])
	if err != nil {
		return created
	}
	return t
}

// newID makes an id that sorts by start time: date, time to the millisecond,
// and four random characters. The clock may step back; ids do not. The caller
// holds e.mu.
func (e *Engine) newID(now time.Time) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	if !now.After(e.lastID) {
		now = e.lastID.Add(time.Millisecond)
	}
	e.lastID = now
	var b [4]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return strings.Replace(now.Format(idLayout), ".", "", 1) + "-" + string(b[:])
}

// Find returns the id of a run, given its id or a prefix that only it has.
func (e *Engine) Find(ctx context.Context, ref string) (string, error) {
	if ref == "" || !validID(ref) {
		return "", problem(BadRequest, "%q is not a run's id", ref)
	}
	if r := e.live(ref); r != nil {
		return ref, nil
	}
	refs, err := e.journal.Find(ctx, ref, 6)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", problem(Unavailable, "cannot look for run %s: %v", ref, err)
	case len(refs) == 0:
		return "", problem(NotFound, "no such run: %s", ref).hint("holdfast runs lists what there is")
	case len(refs) == 1 || refs[0].ID == ref:
		return refs[0].ID, nil
	}
	ids := make([]string, 0, len(refs))
	for _, f := range refs {
		ids = append(ids, f.ID)
	}
	return "", problem(BadRequest, "%s is the beginning of several runs: %s", ref, strings.Join(ids, ", "))
}

// number returns the number of a run, everything of which is on disk then.
func (e *Engine) number(ctx context.Context, id string) (uint64, error) {
	if r := e.live(id); r != nil {
		if err := e.journal.SyncRun(ctx, r.num); err != nil && !errors.Is(err, journal.ErrFailed) {
			return 0, unread(ctx, id, err)
		}
		return r.num, nil
	}
	refs, err := e.journal.Find(ctx, id, 1)
	if err != nil {
		return 0, unread(ctx, id, err)
	}
	if len(refs) == 0 || refs[0].ID != id {
		return 0, problem(NotFound, "no such run: %s", id)
	}
	return refs[0].Run, nil
}

// headOf reads a run from the journal, made durable first, without its record.
func (e *Engine) headOf(ctx context.Context, id string) (journal.RunHead, error) {
	num, err := e.number(ctx, id)
	if err != nil {
		return journal.RunHead{}, err
	}
	head, err := e.journal.Head(ctx, num)
	if err != nil {
		return head, unread(ctx, id, err)
	}
	return head, nil
}

// unread says why a run cannot be read. Whoever wants it no more is told no more.
func unread(ctx context.Context, id string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, journal.ErrNotFound):
		return problem(NotFound, "no such run: %s", id)
	}
	return problem(Unavailable, "cannot read run %s: %v", id, err)
}

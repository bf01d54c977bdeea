package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Ref is where an id leads.
type Ref struct {
	ID    string
	Run   uint64
	Ended bool
}

// Find returns at most limit runs whose id begins with prefix, live and ended,
// sorted by id. A run whose id is exactly prefix comes alone. limit 0: no
// limit. An entry that cannot be read is passed over, unless nothing else is
// found, or it is the one that is exactly asked for: then Find fails.
func (j *Journal) Find(ctx context.Context, prefix string, limit int) ([]Ref, error) {
	if err := j.settle(ctx); err != nil {
		return nil, err
	}
	found := make(map[string]Ref)
	var unread, exact error
	take := func(ended bool, n *int) func(k, v []byte) bool {
		return func(k, v []byte) bool {
			payload, _, err := unseal(k, v)
			var run uint64
			if err == nil {
				run, err = decodeRunNumber(payload)
			}
			id := string(k[1:])
			if err != nil {
				unread = fmt.Errorf("%s: %w", describe(k), err)
				if id == prefix {
					exact = unread
				}
				return true
			}
			found[id] = Ref{ID: id, Run: run, Ended: ended || j.mover.ended.has(run)}
			*n++
			return limit <= 0 || *n < limit
		}
	}
	// The live file first: who leaves it meanwhile is then found in the history.
	key := appendID(nil, prefix)
	err := j.live.Scan(key, after(key), take(false, new(int)))
	if err == nil {
		err = j.history.Scan(key, after(key), take(true, new(int)))
	}
	ref, is := found[prefix]
	if unread != nil {
		j.history.suspect()
	}
	if err == nil && !is && (exact != nil || len(found) == 0) {
		err = errors.Join(exact, unread)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find runs by id: %w", err)
	}
	if is {
		return []Ref{ref}, nil
	}
	refs := make([]Ref, 0, len(found))
	for _, ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.ID, b.ID) })
	if limit > 0 && len(refs) > limit {
		refs = refs[:limit]
	}
	return refs, nil
}

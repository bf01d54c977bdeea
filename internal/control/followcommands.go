package control

import (
	"context"
	"slices"
	"time"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

// followedCommands are the commands to a run that is followed, each of which is
// told once it has had its fate.
type followedCommands struct {
	decided int // how many had had their fate when they were read last
	told    map[uint64]bool
	queue   []engine.CommandInfo // to be told, in the order of their fates
}

// read takes up what has been decided. That is read from the record, and so only
// when there is more.
func (f *followedCommands) read(ctx context.Context, log CommandLog, id string) error {
	n, live := log.Decided(id)
	if live && n == f.decided {
		return nil
	}
	all, err := log.Commands(ctx, id)
	if err != nil {
		return err
	}
	if f.told == nil {
		f.told = map[uint64]bool{}
	}
	f.decided = n
	for _, c := range all {
		if c.DecidedAt != nil && !f.told[c.Message] {
			f.told[c.Message] = true
			f.queue = append(f.queue, c)
		}
	}
	slices.SortStableFunc(f.queue, func(a, b engine.CommandInfo) int { return a.DecidedAt.Compare(*b.DecidedAt) })
	return nil
}

// tell emits what was decided before a moment; the zero time is all.
func (f *followedCommands) tell(emit func(wire.Line) error, before time.Time) error {
	for len(f.queue) > 0 && (before.IsZero() || f.queue[0].DecidedAt.Before(before)) {
		c := f.queue[0]
		f.queue = f.queue[1:]
		if err := emit(wire.Line{Command: &c}); err != nil {
			return err
		}
	}
	return nil
}

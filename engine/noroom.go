package engine

import (
	"context"
	"errors"

	"holdfast/journal"
)

// put records something. Where the disk is full it waits until there is room,
// and tries again: nothing outside has happened yet. What is essential does not
// come here to wait, for a reserve is kept for it.
func (r *Run) put(record func() error) error {
	for {
		err := record()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, journal.ErrNoRoom):
			return r.die(&recordError{err})
		}
		if err := r.awaitRoom(); err != nil {
			return err
		}
	}
}

// awaitRoom waits until the journal has room. Meanwhile the commands of
// operators are the engine's to take, also those that the script would: it
// cannot go on. The error is fatal.
func (r *Run) awaitRoom() error {
	full := r.eng.journal.Room()
	if full == nil {
		return nil
	}
	if r.noRoom { // even the reserve is used up, in what a command has led to
		select {
		case <-full.Again:
			return nil
		case <-r.ctx.Done():
			return r.die(context.Cause(r.ctx))
		}
	}
	r.update(func() { r.noRoom = true })
	defer r.update(func() { r.noRoom = false })
	for {
		if err := r.boundary(); err != nil {
			return err
		}
		select {
		case <-full.Again:
			return r.boundary()
		case <-r.wake:
		case <-r.ctx.Done():
			return r.die(context.Cause(r.ctx))
		}
	}
}

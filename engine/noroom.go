package engine

import (
	"context"
	"errors"

	"holdfast/journal"
)

// retryWhenRoom records something, and tries again where the disk is full until there is
// room: nothing that depends on it has happened outside yet. What is essential
// finds room in the journal's reserve; should that be used up, no command can be
// recorded either, and there is nothing to be taken meanwhile.
func (r *Run) retryWhenRoom(essential bool, record func() error) error {
	for {
		err := record()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, journal.ErrNoRoom):
			return r.setFatal(&recordError{err})
		case essential:
			err = r.awaitReserve()
		default:
			err = r.awaitRoom()
		}
		if err != nil {
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
			return r.setFatal(context.Cause(r.ctx))
		}
	}
}

// awaitReserve waits until the journal has room for what is essential. That a
// run is to end is no reason to give up: what ends it is to be recorded. The
// error is fatal: the engine stops.
func (r *Run) awaitReserve() error {
	full := r.eng.journal.Room()
	if full == nil {
		return nil
	}
	if r.holdsDelivery { // a message is refused by the journal, and not left to wait here
		r.delivery.Unlock()
		defer r.delivery.Lock()
	}
	select {
	case <-full.Again:
		return nil
	case <-r.eng.base.Done():
		return r.setFatal(context.Cause(r.eng.base))
	}
}

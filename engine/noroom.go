package engine

import "context"

// awaitRoom waits until the journal has room. Meanwhile the commands of
// operators are the engine's to take, also those that the script would: it
// cannot go on. The error is fatal.
func (l *lane) awaitRoom() error {
	r := l.run
	full := r.eng.journal.Room()
	if full == nil {
		return nil
	}
	r.update(func() { r.noRoom = true })
	defer r.update(func() { r.noRoom = false })
	for {
		if err := l.boundary(); err != nil {
			return err
		}
		select {
		case <-full.Again:
			return l.boundary()
		case <-r.wake:
		case <-l.ctx.Done():
			return l.ended()
		}
	}
}

// awaitReserve waits until the journal has room for what is essential. That a
// run is to end is no reason to give up: what ends it is to be recorded. The
// error is fatal: the engine stops.
func (l *lane) awaitReserve() error {
	r := l.run
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
		return l.setFatal(context.Cause(r.eng.base))
	}
}

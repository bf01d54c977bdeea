package control

import (
	"context"
	"net"
)

// access is what a caller may do. Each level includes those below it.
type access uint8

const (
	viewer   access = iota // looks
	operator               // acts on runs, writes tags
	engineer               // changes what the daemon is
)

// String returns the level's name.
func (a access) String() string {
	return [...]string{"viewer", "operator", "engineer"}[a]
}

// caller is who is at the other end of a connection.
type caller struct {
	actor string // user name; "unknown" where the system does not tell
	level access
}

const unknownActor = "unknown"

// callerOf returns who is at the other end of c. A unix socket lets in whom its
// mode and group let in, and they may do everything; any other way in gives no
// more than a look until it has an identity of its own.
func callerOf(c net.Conn) caller {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return caller{unknownActor, viewer}
	}
	return caller{peerUser(u), engineer}
}

type contextKey uint8

const (
	callerKey contextKey = iota
	stoppingKey
)

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey, c)
}

// callerFrom returns the caller of a request; nobody in particular, who may
// only look, where the connection did not say.
func callerFrom(ctx context.Context) caller {
	if c, ok := ctx.Value(callerKey).(caller); ok {
		return c
	}
	return caller{unknownActor, viewer}
}

// withStopping keeps the channel that is closed when the daemon begins to stop.
func withStopping(ctx context.Context, stopping <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey, stopping)
}

// untilStopping returns a context that also ends, with the cause errStopping,
// when the daemon begins to stop: for what waits on behalf of a caller.
func untilStopping(ctx context.Context) (context.Context, context.CancelFunc) {
	stopping, ok := ctx.Value(stoppingKey).(<-chan struct{})
	if !ok {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

package control

import (
	"context"
	"errors"
	"fmt"

	"holdfast/engine"
	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
)

// errStopping is the cause of a wait that the end of the daemon cuts short.
var errStopping = &wire.Error{Code: wire.TryAgain, Message: "the daemon is stopping", Hint: "it goes on where it is when it is started again"}

// tell returns err as the API tells it. An error that says nothing of its kind
// is a failure.
func tell(err error) *wire.Error {
	var (
		own *wire.Error
		p   *engine.Problem
		r   *tag.Refusal
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &p):
		return &wire.Error{Code: problemCode(p.Code), Message: p.Message, Hint: p.Hint}
	case errors.As(err, &r):
		return &wire.Error{Code: refusalCode(r.Reason), Message: r.Error(), Hint: refusalHint(r.Reason)}
	case errors.Is(err, tag.ErrNotConnected):
		return &wire.Error{Code: wire.TryAgain, Message: "the device is not connected; nothing was sent"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &wire.Error{Code: wire.TryAgain, Message: "it did not come about in time"}
	}
	return &wire.Error{Code: wire.Failed, Message: err.Error()}
}

func problemCode(c engine.Code) wire.Code {
	switch c {
	case engine.BadRequest:
		return wire.BadRequest
	case engine.NotFound:
		return wire.NotFound
	case engine.Refused:
		return wire.Refused
	case engine.Unavailable:
		return wire.TryAgain
	}
	return wire.Failed
}

func refusalCode(r tag.Reason) wire.Code {
	switch r {
	case tag.NoSuchTag:
		return wire.NotFound
	case tag.BadValue:
		return wire.BadRequest
	case tag.NotWritable, tag.Guarded:
		return wire.Refused
	}
	return wire.Failed
}

func refusalHint(r tag.Reason) string {
	switch r {
	case tag.NoSuchTag:
		return "holdfast tags list shows them all"
	case tag.NotWritable:
		return "a write: section in the tag's configuration permits writing it"
	}
	return ""
}

func badRequest(format string, args ...any) *wire.Error {
	return &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf(format, args...)}
}

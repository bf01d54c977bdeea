package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"time"

	"holdfast/internal/control/wire"
)

// defaultPatience is how long the daemon may be silent. While it works on an
// answer, it gives a sign of life more often.
const defaultPatience = 5 * time.Second

// The time for a whole answer, as a multiple of the patience: of an act on one
// run, which is one commit; of an act on many. Anything else has as long as the
// daemon gives signs of life.
const (
	oneAct   = 1
	manyActs = 6
)

// errSilent is the cause of a request that was given up because the daemon was
// silent for too long.
var errSilent = errors.New("no answer has come in time")

// WithPatience sets for how long the daemon may be silent before a request is
// given up; 0 leaves it at five seconds. It returns c, which must not be in use.
func (c *Client) WithPatience(d time.Duration) *Client {
	if d > 0 {
		c.patience = d
	}
	return c
}

// vigil gives a request up when the daemon is silent for too long.
type vigil struct {
	timer    *time.Timer
	patience time.Duration
	end      context.CancelFunc
}

// watch returns a context for one request. most is the time for the whole answer;
// 0 is no limit.
func watch(ctx context.Context, patience, most time.Duration) (context.Context, *vigil) {
	ctx, cancel := context.WithCancelCause(ctx)
	v := &vigil{patience: patience, end: func() { cancel(context.Canceled) }}
	if most > 0 {
		limit := time.AfterFunc(most, func() { cancel(errSilent) })
		v.end = func() { limit.Stop(); cancel(context.Canceled) }
	}
	v.timer = time.AfterFunc(patience, func() { cancel(errSilent) })
	return ctx, v
}

// alive takes note of a sign of life.
func (v *vigil) alive() { v.timer.Reset(v.patience) }

// rest ends the vigil while it is not the daemon that is waited for.
func (v *vigil) rest() { v.timer.Stop() }

// sign is called for each answer that is none yet, such as 102 Processing.
func (v *vigil) sign(int, textproto.MIMEHeader) error {
	v.alive()
	return nil
}

// body is an answer's body that is given up when the daemon is silent.
type body struct {
	io.ReadCloser
	vigil *vigil
}

// Read reads what there is.
func (b *body) Read(p []byte) (int, error) {
	b.vigil.alive()
	defer b.vigil.rest()
	return b.ReadCloser.Read(p)
}

// Close ends the request.
func (b *body) Close() error {
	b.vigil.rest()
	b.vigil.end()
	return b.ReadCloser.Close()
}

// silent says what it means that the daemon has taken a request and not answered.
func (c *Client) silent(act bool) error {
	e := &wire.Error{Code: wire.Unreachable, Message: fmt.Sprintf("the daemon at %s takes requests and does not answer", c.socket),
		Hint: "is it stopped (SIGSTOP, a debugger), or does it wait for its disk? its process and its log tell"}
	if act {
		e.Code = wire.Unknown
		e.Message += ": this one was sent, and may or may not be met"
		e.Hint += "; look before you repeat it"
	}
	return e
}

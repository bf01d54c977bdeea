package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/control/wire"
)

// pieceTimes is how long each piece of a backup may take, as a multiple of the
// patience: the daemon gives no other sign of life meanwhile.
const pieceTimes = 12

// Backup writes a backup of the daemon's journal to w. Without an error it is
// complete; with one, what w has got is to be thrown away. An error of w is
// returned as it is.
func (c *Client) Backup(ctx context.Context, w io.Writer) (wire.Backup, error) {
	b, err := c.backup(ctx, w)
	var e *wire.Error
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &e) && e.Code == wire.Unknown: // nothing is changed by it
		err = &wire.Error{Code: wire.Failed, Message: "no answer came from the daemon", Hint: "it can be repeated"}
	}
	return b, err
}

func (c *Client) backup(ctx context.Context, w io.Writer) (b wire.Backup, err error) {
	resp, err := c.send(ctx, ask{path: "/v1/journal/backup", act: true, patience: pieceTimes * c.patience})
	if err != nil {
		return b, err
	}
	defer resp.Body.Close() //nolint:errcheck // what was wanted of it has been read
	to := &taker{w: w}
	n, err := io.Copy(to, resp.Body)
	switch {
	case to.err != nil:
		return b, to.err
	case err != nil:
		return b, &wire.Error{Code: wire.Failed, Message: fmt.Sprintf("the backup was cut off after %d bytes: %v", n, cause(err)), Hint: "it can be repeated"}
	}
	if text := resp.Trailer.Get(wire.TrailerError); text != "" {
		var failure wire.Error
		if err := json.Unmarshal([]byte(text), &failure); err != nil {
			failure = wire.Error{Code: wire.Failed, Message: text}
		}
		return b, &failure
	}
	err = json.Unmarshal([]byte(resp.Trailer.Get(wire.TrailerAnswer)), &b)
	if err != nil || b.Bytes != n {
		return wire.Backup{}, &wire.Error{Code: wire.Failed, Message: fmt.Sprintf("the backup ends after %d bytes, and the daemon does not say that it is complete", n), Hint: versionHint}
	}
	return b, nil
}

// taker keeps the error of who takes the bytes apart from that of who sends them.
type taker struct {
	w   io.Writer
	err error
}

func (t *taker) Write(p []byte) (n int, err error) {
	n, t.err = t.w.Write(p)
	return n, t.err
}

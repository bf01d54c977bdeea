package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/internal/control/wire"
)

// dialTime is how long the daemon has to accept a connection.
const dialTime = 5 * time.Second

// maxAnswer is the greatest answer, and the longest line of a stream, in bytes.
const maxAnswer = 256 << 20

// Client speaks to one daemon. Its methods may be called from several goroutines.
type Client struct {
	socket string
	http   http.Client
}

// New returns a Client of the daemon that listens on socket. It connects with
// the first request.
func New(socket string) *Client {
	c := &Client{socket: socket}
	dialer := net.Dialer{Timeout: dialTime}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		// A connection of its own for each request: the transport then has no
		// reason to send one again.
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// get asks a question.
func (c *Client) get(ctx context.Context, path string, query url.Values, answer any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, answer)
}

// post asks for an act.
func (c *Client) post(ctx context.Context, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	return c.call(ctx, http.MethodPost, path, nil, b, answer)
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	resp, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read; there is nothing left to lose
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.lost(ctx, method, err)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return &wire.Error{Code: unanswered(method), Message: fmt.Sprintf("the daemon's answer cannot be read: %v", err), Hint: versionHint}
	}
	return nil
}

const versionHint = "are the daemon and this command line of one version? holdfast status shows the daemon's"

// send sends a request and returns the answer's head; an answer that is a
// failure is returned as its error.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "holdfast", RawPath: path, RawQuery: query.Encode()}
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(traced, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	resp, err := c.http.Do(req)
	if err != nil && !connected.Load() {
		return nil, c.unreachable(ctx, err)
	}
	if err != nil {
		return nil, c.lost(ctx, method, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read; there is nothing left to lose
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, c.lost(ctx, method, err)
	}
	var failure wire.Error
	if err := json.Unmarshal(b, &failure); err != nil || failure.Code == "" {
		return nil, &wire.Error{Code: wire.Failed, Message: fmt.Sprintf("%s answered with HTTP status %s", c.socket, resp.Status), Hint: "is it holdfast that listens there?"}
	}
	return nil, &failure
}

// lost says what it means that no answer came over a connection that was made.
func (c *Client) lost(ctx context.Context, method string, err error) error {
	if method != http.MethodGet {
		return &wire.Error{Code: wire.Unknown, Message: "the request was sent and no answer came: it may or may not have been met",
			Hint: "look before you repeat it"}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &wire.Error{Code: wire.Unreachable, Message: fmt.Sprintf("the daemon at %s did not answer: %v", c.socket, cause(err)), Hint: "has it just ended?"}
}

// unreachable says why no connection was made, and so nothing sent.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &wire.Error{Code: wire.Unreachable, Message: fmt.Sprintf("the daemon at %s cannot be reached: %v", c.socket, cause(err))}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Message = fmt.Sprintf("no daemon listens at %s", c.socket)
		e.Hint = "is it running (holdfast serve)? --socket or HOLDFAST_SOCKET name another socket"
	case errors.Is(err, fs.ErrPermission):
		e.Message = fmt.Sprintf("you may not open the socket %s", c.socket)
		e.Hint = "be a member of the group that it belongs to"
	}
	return e
}

// cause is the innermost error: what the system said.
func cause(err error) error {
	for {
		in := errors.Unwrap(err)
		if in == nil {
			return err
		}
		err = in
	}
}

// unanswered is what it means that the answer is not to be had.
func unanswered(method string) wire.Code {
	if method == http.MethodGet {
		return wire.Failed
	}
	return wire.Unknown
}

// stream asks for a stream and calls each with its lines, until it ends.
func (c *Client) stream(ctx context.Context, path string, query url.Values, each func(wire.Line) error) error {
	resp, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // what was wanted of it has been read
	for dec := json.NewDecoder(resp.Body); ; {
		var l wire.Line
		err := dec.Decode(&l)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.lost(ctx, http.MethodGet, err)
		case l.Error != nil:
			return l.Error
		}
		if err := each(l); err != nil {
			return err
		}
	}
}

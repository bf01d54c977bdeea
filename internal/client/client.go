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
	socket   string
	http     http.Client
	patience time.Duration // for which the daemon may be silent
}

// New returns a Client of the daemon that listens on socket. It connects with
// the first request.
func New(socket string) *Client {
	c := &Client{socket: socket, patience: defaultPatience}
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
	return c.call(ctx, ask{path: path, query: query, patience: c.patience}, answer)
}

// ask is a request.
type ask struct {
	path  string
	query url.Values
	body  []byte // JSON; makes a POST of it
	act   bool   // it changes something, or may

	patience time.Duration // for which the daemon may be silent
	most     time.Duration // for the whole answer; 0: no limit
}

// question asks a question that is too long for an address.
func (c *Client) question(ctx context.Context, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	return c.call(ctx, ask{path: path, body: b, patience: c.patience}, answer)
}

// post asks for an act. times is the time for the whole answer, as a multiple of
// the patience; 0 is no limit.
func (c *Client) post(ctx context.Context, path string, times int, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	return c.call(ctx, ask{path: path, body: b, act: true, patience: c.patience, most: time.Duration(times) * c.patience}, answer)
}

func (c *Client) call(ctx context.Context, a ask, answer any) error {
	resp, err := c.send(ctx, a)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read; there is nothing left to lose
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.lost(ctx, resp.Request.Context(), a.act, err)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return &wire.Error{Code: unanswered(a.act), Message: fmt.Sprintf("the daemon's answer cannot be read: %v", err), Hint: versionHint}
	}
	return nil
}

const versionHint = "are the daemon and this command line of one version? holdfast status shows the daemon's"

// send sends a request and returns the answer's head; an answer that is a
// failure is returned as its error.
func (c *Client) send(ctx context.Context, a ask) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "holdfast", RawPath: a.path, RawQuery: a.query.Encode()}
	var err error
	if u.Path, err = url.PathUnescape(a.path); err != nil {
		return nil, &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	method := http.MethodGet
	if a.act || a.body != nil {
		method = http.MethodPost
	}
	watched, v := watch(ctx, a.patience, a.most)
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(watched, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }, Got1xxResponse: v.sign})
	req, err := http.NewRequestWithContext(traced, method, u.String(), bytes.NewReader(a.body))
	if err != nil {
		v.end()
		return nil, &wire.Error{Code: wire.BadRequest, Message: err.Error()}
	}
	if a.act {
		req.Header.Set(wire.HeaderBeginBefore, time.Now().Add(a.patience).UTC().Format(time.RFC3339Nano))
	}
	resp, err := c.http.Do(req)
	v.rest()
	if err != nil {
		defer v.end()
		if !connected.Load() {
			return nil, c.unreachable(ctx, err)
		}
		return nil, c.lost(ctx, watched, a.act, err)
	}
	resp.Body = &body{resp.Body, v}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read; there is nothing left to lose
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, c.lost(ctx, watched, a.act, err)
	}
	var failure wire.Error
	if err := json.Unmarshal(b, &failure); err != nil || failure.Code == "" {
		return nil, &wire.Error{Code: wire.Failed, Message: fmt.Sprintf("%s answered with HTTP status %s", c.socket, resp.Status), Hint: "is it holdfast that listens there?"}
	}
	return nil, &failure
}

// lost says what it means that no answer came over a connection that was made.
// watched is the request's own context.
func (c *Client) lost(ctx, watched context.Context, act bool, err error) error {
	switch {
	case ctx.Err() == nil && errors.Is(context.Cause(watched), errSilent):
		return c.silent(act)
	case act:
		return &wire.Error{Code: wire.Unknown, Message: "the request was sent and no answer came: it may or may not have been met",
			Hint: "look before you repeat it"}
	case ctx.Err() != nil:
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
func unanswered(act bool) wire.Code {
	if act {
		return wire.Unknown
	}
	return wire.Failed
}

// stream asks for a stream and calls each with its lines, until it ends. A line
// with nothing in it is a sign of life, for which each is called, too.
func (c *Client) stream(ctx context.Context, path string, query url.Values, each func(wire.Line) error) error {
	resp, err := c.send(ctx, ask{path: path, query: query, patience: c.patience})
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
			return c.lost(ctx, resp.Request.Context(), false, err)
		case l.Error != nil:
			return l.Error
		}
		if err := each(l); err != nil {
			return err
		}
	}
}

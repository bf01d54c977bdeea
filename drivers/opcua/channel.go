package opcua

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uapolicy"
	"github.com/gopcua/opcua/uasc"
)

const (
	// Bounds of a chunk, in bytes: what OPC 10000-6, 7.1.2.3 asks for at least,
	// and what we offer. The library allocates what the server's answer says
	// for each chunk, so that it must be looked at before anything is read.
	minChunk = 8192
	maxChunk = 65535

	maxMessage = uacp.DefaultMaxMessageSize // what the library decodes at most
	maxChunks  = uacp.DefaultMaxChunkCount

	closeGrace = 500 * time.Millisecond
	stuckGrace = 2 * time.Second // beyond a request's time limit, for the library to give up by itself
)

// channel is a secure channel on its TCP connection. It is good until fail is
// called, by anyone, with the first reason to doubt it.
type channel struct {
	tcp   *uacp.Conn
	sc    *uasc.SecureChannel
	token *ua.NodeID // of the session on it; nil before there is one
	limit time.Duration

	once  sync.Once
	cause error         // set before lost is closed
	lost  chan struct{} // closed by fail
	work  sync.WaitGroup
}

// peer is what a channel is opened to.
type peer struct {
	policyURI string
	mode      ua.MessageSecurityMode
	cert      []byte // the server's, as its endpoint has it; nil for the policy None
}

// openChannel dials s.host and opens a secure channel to p. own and userKey are
// nil where the policy, the authentication need none.
func openChannel(ctx context.Context, s settings, p peer, own *ownIdentity, userKey *rsa.PrivateKey) (*channel, error) {
	dialCtx, cancel := context.WithTimeout(ctx, s.ConnectTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialCtx, "tcp", s.host)
	if err != nil {
		return nil, err
	}
	// Nothing that follows looks at ctx while it reads or writes.
	unwatch := context.AfterFunc(dialCtx, func() { conn.Close() })
	tcp, err := handshake(dialCtx, conn, s.URL)
	if !unwatch() {
		err = errors.Join(err, dialCtx.Err())
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("the OPC UA handshake failed: %w", err)
	}
	// The library changes this configuration by what it receives, even unsigned:
	// each channel has its own, and it is compared with p once the channel is open.
	cfg := &uasc.Config{
		SecurityPolicyURI: p.policyURI, SecurityMode: p.mode, UserKey: userKey,
		Lifetime: uint32(s.tokenLife / time.Millisecond), RequestTimeout: s.RequestTimeout,
	}
	if p.mode != ua.MessageSecurityModeNone {
		cfg.Certificate, cfg.LocalKey = own.der, own.key
		cfg.RemoteCertificate, cfg.Thumbprint = p.cert, uapolicy.Thumbprint(p.cert)
	}
	errs := make(chan error, 16)
	c := &channel{tcp: tcp, limit: s.RequestTimeout, lost: make(chan struct{})}
	if c.sc, err = uasc.NewSecureChannel(s.URL, tcp, cfg, errs); err != nil {
		conn.Close()
		return nil, err
	}
	c.work.Go(func() { c.watch(errs) })
	unwatch = context.AfterFunc(ctx, func() { c.fail(ctx.Err()) })
	err = c.sc.Open(ctx)
	unwatch()
	if err == nil && (cfg.SecurityPolicyURI != p.policyURI || string(cfg.RemoteCertificate) != string(p.cert)) {
		err = errors.New("the server answered with another certificate or policy than its endpoint has")
	}
	if err != nil {
		err = reason(err)
		c.close(err)
		if p.mode != ua.MessageSecurityModeNone {
			return nil, fmt.Errorf("cannot open a secure channel (does the server trust our certificate, %s?): %w",
				filepath.Join(s.PKIDir, "own", "cert.der"), err)
		}
		return nil, fmt.Errorf("cannot open a secure channel: %w", err)
	}
	return c, nil
}

// reason puts words to an end of file. The library does not pass on those of
// the server, which may have sent an Error message (OPC 10000-6, 7.1.2.5).
func reason(err error) error {
	if errors.Is(err, io.EOF) {
		return errHungUp
	}
	return err
}

var errHungUp = errors.New("the server closed the connection")

// handshake says Hello (OPC 10000-6, 7.1.2.3) and checks the answer's limits.
func handshake(ctx context.Context, conn net.Conn, endpoint string) (*uacp.Conn, error) {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("%T is not a TCP connection", conn)
	}
	tcp, err := uacp.NewConn(t, &uacp.Acknowledge{
		ReceiveBufSize: maxChunk, SendBufSize: maxChunk, MaxMessageSize: maxMessage, MaxChunkCount: maxChunks,
	})
	if err != nil {
		return nil, err
	}
	if err := tcp.Handshake(ctx, endpoint); err != nil {
		return nil, err
	}
	for _, n := range []uint32{tcp.ReceiveBufSize(), tcp.SendBufSize()} {
		if n < minChunk || n > maxChunk {
			return nil, fmt.Errorf("the server wants chunks of %d bytes; %d to %d are in the standard and were offered", n, minChunk, maxChunk)
		}
	}
	return tcp, nil
}

// watch takes what the library's receiver reports, until the channel is lost.
// The receiver goes on after errors that the connection cannot survive, at full
// speed, so that it must be ended from here.
func (c *channel) watch(errs <-chan error) {
	for {
		select {
		case err := <-errs:
			if fatal(err) {
				c.fail(reason(err))
				return
			}
		case <-c.lost:
			return
		}
	}
}

// fatal tells errors of the connection from those of one request. The library
// wraps the former into text.
func fatal(err error) bool {
	var netErr net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &netErr) ||
		strings.HasPrefix(err.Error(), "sechan: ")
}

// fail ends the channel for cause, which the first caller sets. It does not wait.
func (c *channel) fail(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.lost)
		c.work.Go(c.teardown)
	})
}

// teardown ends the library's goroutines: the receiver by an end of file, the
// others by Close, which may wait for a write that is stuck.
func (c *channel) teardown() {
	hard := time.AfterFunc(closeGrace, func() { c.tcp.Close() })
	defer hard.Stop()
	// Errors here say that the connection is gone, which is what is wanted.
	_ = c.tcp.CloseRead()
	_ = c.sc.Close()
	_ = c.tcp.Close()
}

// close ends the channel and waits until it is gone.
func (c *channel) close(cause error) {
	c.fail(cause)
	c.work.Wait()
}

// lostError says why there is no answer: the channel is gone, or goes now.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "the connection is lost: " + e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// faultError is a request that the server answered with a bad service result
// (OPC 10000-4, 7.34), or with a response of its type that says so.
type faultError struct {
	request string
	code    ua.StatusCode
}

func (e *faultError) Error() string {
	return fmt.Sprintf("%s failed: %s", e.request, statusCode(e.code))
}

// unreadableError is a request whose answer came and could not be decoded, or
// was broken off by the server.
type unreadableError struct {
	code  ua.StatusCode // BadResponseTooLarge, BadEncodingLimitsExceeded, BadDecodingError, or what the server gave
	cause error
}

func (e *unreadableError) Error() string { return "the answer is not readable: " + e.cause.Error() }
func (e *unreadableError) Unwrap() error { return e.cause }

// errNoAnswer is the cause of a channel lost to a request without an answer.
var errNoAnswer = errors.New("no answer in time")

// call sends req and returns its response. Its errors are those of ctx before
// anything was sent, *faultError, *unreadableError, and *lostError with the
// channel failed; a fault that ends the session fails the channel too.
func call[T ua.Response](ctx context.Context, c *channel, req ua.Request) (T, error) {
	return callWithin[T](ctx, c, c.limit, req)
}

func callWithin[T ua.Response](ctx context.Context, c *channel, limit time.Duration, req ua.Request) (T, error) {
	var none T
	select {
	case <-c.lost:
		return none, &lostError{c.cause}
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	// The library may wait for a lock before it looks at any time limit.
	stuck := time.AfterFunc(limit+stuckGrace, func() { c.fail(errNoAnswer) })
	defer stuck.Stop()
	var answer ua.Response
	err := c.sc.SendRequestWithTimeout(ctx, req, c.token, limit, func(r ua.Response) error {
		answer = r
		return nil
	})
	if answer != nil {
		// A good code other than Good, such as GoodOverload, has the results with it.
		if code := answer.Header().ServiceResult; !statusCode(code).IsGood() {
			if endsSession(code) {
				c.fail(&faultError{serviceName(req), code})
			}
			return none, &faultError{serviceName(req), code}
		}
		if r, ok := answer.(T); ok {
			return r, nil
		}
		err = fmt.Errorf("%s was answered with a %T", serviceName(req), answer)
		c.fail(err)
		return none, &lostError{err}
	}
	return none, c.explain(ctx, err)
}

// explain sorts an error that came without a response.
func (c *channel) explain(ctx context.Context, err error) error {
	var code ua.StatusCode
	switch {
	case ctx.Err() != nil:
		// The answer may come yet and finds nobody; but the caller cannot know
		// what became of its request.
		err = ctx.Err()
	case errors.Is(err, ua.StatusBadTimeout):
		err = errNoAnswer
	case fatal(err):
		err = reason(err)
	case errors.As(err, &code):
		return &unreadableError{code, err}
	case strings.HasPrefix(err.Error(), "message too large: "), strings.HasPrefix(err.Error(), "too many chunks: "):
		return &unreadableError{ua.StatusBadResponseTooLarge, err}
	default:
		return &unreadableError{ua.StatusBadDecodingError, err}
	}
	c.fail(err)
	return &lostError{c.cause}
}

// endsSession tells the service results after which a session is of no use.
func endsSession(code ua.StatusCode) bool {
	switch code {
	case ua.StatusBadSessionIDInvalid, ua.StatusBadSessionClosed, ua.StatusBadSessionNotActivated,
		ua.StatusBadSecureChannelIDInvalid, ua.StatusBadSecureChannelClosed, ua.StatusBadSecureChannelTokenUnknown,
		ua.StatusBadServerHalted, ua.StatusBadShutdown, ua.StatusBadConnectionClosed:
		return true
	}
	return false
}

// serviceName returns the service's name of OPC 10000-4, such as "Read".
func serviceName(req ua.Request) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", req), "*ua."), "Request")
}

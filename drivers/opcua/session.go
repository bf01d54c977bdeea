package opcua

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// session is an activated session and what was learnt at its start. It lives
// as long as its channel.
type session struct {
	*channel
	set     settings
	nodes   []*ua.NodeID // by Item.Handle; nil where the namespace is gone
	limits  limits
	types   map[int]nodeType // by Item.Handle: the items that may be written
	spaces  []string         // the namespace array
	reads   readPlan
	timeout time.Duration // the session's, as the server revised it
}

// openSession connects: endpoints, trust, channel, session, and what reads and
// writes have to know of the server.
func openSession(ctx context.Context, s settings, items []tag.Item, addrs []address) (*session, error) {
	var own *ownIdentity
	if s.mode != ua.MessageSecurityModeNone {
		var err error
		if own, err = loadIdentity(s.PKIDir, s.ApplicationURI, s.ApplicationName); err != nil {
			return nil, err
		}
	}
	eps, err := endpoints(ctx, s)
	if err != nil {
		return nil, err
	}
	e, err := choose(eps, s.policyURI, s.mode)
	if err != nil {
		return nil, err
	}
	p := peer{policyURI: e.SecurityPolicyURI, mode: e.SecurityMode}
	if s.mode != ua.MessageSecurityModeNone {
		if err := s.trust.accept(e.ServerCertificate, time.Now()); err != nil {
			return nil, err
		}
		p.cert = e.ServerCertificate
		if s.trust.any {
			s.Log.Warn("ANY SERVER CERTIFICATE IS ACCEPTED: whoever answers at this address is taken for the server",
				"url", s.URL, "sha256", hex.EncodeToString(leafFingerprint(p.cert)))
		}
	}
	c, err := openChannel(ctx, s, p, own, s.userKey)
	if err != nil {
		return nil, err
	}
	ss := &session{channel: c, set: s}
	if err = ss.activate(ctx, e, own); err == nil {
		err = ss.learn(ctx, items, addrs)
	}
	if err != nil {
		ss.end(err)
		return nil, err
	}
	c.work.Go(ss.keepAlive)
	return ss, nil
}

// activate creates and activates the session (OPC 10000-4, 5.6.2 and 5.6.3).
func (s *session) activate(ctx context.Context, e *ua.EndpointDescription, own *ownIdentity) error {
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	req := &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{
			ApplicationURI: s.set.ApplicationURI, ApplicationName: ua.NewLocalizedText(s.set.ApplicationName),
			ApplicationType: ua.ApplicationTypeClient, ProductURI: "urn:holdfast",
		},
		EndpointURL: s.set.URL, SessionName: s.set.ApplicationName, ClientNonce: nonce,
		RequestedSessionTimeout: milliseconds(s.set.SessionTimeout),
	}
	if own != nil {
		req.ClientCertificate = own.der
	}
	r, err := call[*ua.CreateSessionResponse](ctx, s.channel, req)
	if err != nil {
		return fmt.Errorf("cannot create a session: %w", err)
	}
	s.token = r.AuthenticationToken
	s.timeout = fromMilliseconds(r.RevisedSessionTimeout)
	if err := s.verify(e, r, nonce); err != nil {
		return err
	}
	cert := r.ServerCertificate
	if len(cert) == 0 {
		cert = e.ServerCertificate // allowed without security; wanted to encrypt a password
	}
	t, err := identify(s.set, s.channel, e, cert, r.ServerNonce)
	if err != nil {
		return fmt.Errorf("cannot authenticate: %w", err)
	}
	sig, alg, err := s.sc.NewSessionSignature(clone(r.ServerCertificate), r.ServerNonce)
	if err != nil {
		return fmt.Errorf("cannot sign for the session: %w", err)
	}
	_, err = call[*ua.ActivateSessionResponse](ctx, s.channel, &ua.ActivateSessionRequest{
		ClientSignature:    &ua.SignatureData{Algorithm: alg, Signature: sig},
		LocaleIDs:          []string{"en"},
		UserIdentityToken:  ua.NewExtensionObject(t.token),
		UserTokenSignature: t.signature,
	})
	if err != nil {
		return fmt.Errorf("cannot activate the session as %s: %w", s.set.who(), err)
	}
	return nil
}

// verify compares CreateSession's response with the channel.
func (s *session) verify(e *ua.EndpointDescription, r *ua.CreateSessionResponse, nonce []byte) error {
	if e.SecurityMode == ua.MessageSecurityModeNone {
		return nil
	}
	if string(r.ServerCertificate) != string(e.ServerCertificate) {
		return errors.New("the session's server certificate is not that of the channel")
	}
	if r.ServerSignature == nil {
		return errors.New("the server did not sign for the session")
	}
	if err := s.sc.VerifySessionSignature(clone(r.ServerCertificate), nonce, r.ServerSignature.Signature); err != nil {
		return fmt.Errorf("the server's signature for the session is wrong: %w", err)
	}
	return nil
}

// clone returns b with no room behind it, for the library appends to what it is given.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

func (s settings) who() string {
	switch {
	case s.Auth.User != "":
		return fmt.Sprintf("user %q", s.Auth.User)
	case s.userCert != nil:
		return "the user of the certificate"
	}
	return "anonymous"
}

// learn reads what the address space says of the server and of our items.
func (s *session) learn(ctx context.Context, items []tag.Item, addrs []address) error {
	if err := s.readNamespaces(ctx); err != nil {
		return fmt.Errorf("cannot read the server's namespace array: %w", err)
	}
	if err := s.readLimits(ctx); err != nil {
		return fmt.Errorf("cannot read the server's operation limits: %w", err)
	}
	s.nodes = make([]*ua.NodeID, len(addrs))
	s.reads.ids = make([]*ua.ReadValueID, len(addrs))
	for i, a := range addrs {
		if s.nodes[i] = a.resolve(s.spaces); s.nodes[i] != nil {
			s.reads.ids[i] = readID(s.nodes[i], ua.AttributeIDValue)
		}
	}
	if err := s.readTypes(ctx, items); err != nil {
		return fmt.Errorf("cannot read the data types of the tags to be written: %w", err)
	}
	return nil
}

func (s *session) readNamespaces(ctx context.Context) error {
	r, err := s.readFew(ctx, readID(ua.NewNumericNodeID(0, id.Server_NamespaceArray), ua.AttributeIDValue))
	if err != nil {
		return err
	}
	if r[0].Status != ua.StatusOK {
		return fmt.Errorf("%s", statusCode(r[0].Status))
	}
	var ok bool
	if s.spaces, ok = r[0].Value.Value().([]string); !ok {
		return fmt.Errorf("it is a %T", r[0].Value.Value())
	}
	return nil
}

// readFew reads attributes in one request; there are len(ids) results.
func (s *session) readFew(ctx context.Context, ids ...*ua.ReadValueID) ([]*ua.DataValue, error) {
	r, err := call[*ua.ReadResponse](ctx, s.channel, &ua.ReadRequest{NodesToRead: ids, TimestampsToReturn: ua.TimestampsToReturnBoth})
	if err != nil {
		return nil, err
	}
	if len(r.Results) != len(ids) {
		return nil, fmt.Errorf("the server gave %d results to a read of %d", len(r.Results), len(ids))
	}
	return r.Results, nil
}

// keepAlive reads the server's time now and then. It keeps the session from
// running out where scans are slow, and finds a server that went silent.
func (s *session) keepAlive() {
	every := min(s.set.WatchdogSilence/2, s.timeout/3)
	t := time.NewTicker(max(every, 100*time.Millisecond))
	defer t.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watch := readID(ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), ua.AttributeIDValue)
	for {
		select {
		case <-s.lost:
			return
		case <-t.C:
		}
		// Any answer will do: call ends the session where there is none, and
		// where the answer says that there is no session.
		_, err := s.readFew(ctx, watch)
		var fault *faultError
		if errors.As(err, &fault) {
			s.set.Log.Debug("the server refused the watch read", "url", s.set.URL, "status", statusCode(fault.code).String())
		}
	}
}

// end closes the session at the server, if that answers within closeGrace, and
// then the channel.
func (s *session) end(cause error) {
	if s.token != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		// The session is given up in any case; its server drops it by itself later.
		_, _ = callWithin[*ua.CloseSessionResponse](ctx, s.channel, closeGrace, &ua.CloseSessionRequest{DeleteSubscriptions: true})
	}
	s.close(cause)
}

func readID(n *ua.NodeID, a ua.AttributeID) *ua.ReadValueID {
	return &ua.ReadValueID{NodeID: n, AttributeID: a, DataEncoding: &ua.QualifiedName{}}
}

func statusCode(c ua.StatusCode) tag.StatusCode { return tag.StatusCode(c) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fromMilliseconds reads a Duration (OPC 10000-3, 8.13) that a server gave,
// within a second and an hour: a wrong one must not stop or flood us.
func fromMilliseconds(ms float64) time.Duration {
	if !(ms > 1000) { // NaN too
		return time.Second
	}
	return time.Duration(min(ms, 3.6e6) * float64(time.Millisecond))
}

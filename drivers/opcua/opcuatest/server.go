package opcuatest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/awcullen/opcua/server"
	"github.com/awcullen/opcua/ua"

	"holdfast/gateway/tag"
)

// NamespaceURI is the namespace of the variables.
const NamespaceURI = "http://holdfast.example/plant"

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	dir   string
	id    identity
	relay *relay
	host  string

	mu       sync.Mutex
	cfg      settings
	srv      *server.Server
	index    uint16 // of NamespaceURI; 0 where it is missing
	folder   ua.NodeID
	vars     map[string]*variable
	order    []*variable
	sessions map[*server.Session]struct{}
	onWrite  func(string, any)
	writes   []Write
	closed   bool
}

// Listen starts a server on a TCP address such as "127.0.0.1:0". The host is
// put into the server's certificate, which is made anew, beside localhost and
// 127.0.0.1.
func Listen(addr string, opts ...Option) (*Server, error) {
	cfg := defaults()
	for _, o := range opts {
		o(&cfg)
	}
	s := &Server{cfg: cfg, vars: map[string]*variable{}}
	if err := s.listen(addr); err != nil {
		return nil, fmt.Errorf("cannot start an OPC UA server on %s: %w", addr, errors.Join(err, s.cleanup()))
	}
	return s, nil
}

func (s *Server) listen(addr string) (err error) {
	if s.host, _, err = net.SplitHostPort(addr); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "opcuatest-"); err != nil {
		return err
	}
	if s.id, err = newIdentity(s.dir, s.host); err != nil {
		return err
	}
	if s.relay, err = newRelay(addr); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start()
}

// cleanup frees what a failed start left.
func (s *Server) cleanup() error {
	var errs []error
	if s.relay != nil {
		errs = append(errs, s.relay.close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// start makes a server of s.cfg and s.vars behind the relay. s.mu is held.
func (s *Server) start() error {
	// The library binds the port in the URL and cannot be asked which one it
	// got: a free one is looked up first, and another if it was taken meanwhile.
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		err = s.startOn(port)
		if err == nil {
			s.relay.redirect(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			return nil
		}
		if try == 5 || !errors.Is(err, ua.BadResourceUnavailable) {
			return err
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

func (s *Server) startOn(port int) error {
	caps := s.cfg.capabilities()
	opts := []server.Option{
		server.WithSecurityPolicyNone(!s.cfg.noNone),
		server.WithAnonymousIdentity(!s.cfg.noAnon),
		server.WithInsecureSkipVerify(),
		server.WithServerCapabilities(caps),
		server.WithServerDiagnostics(false),
		server.WithRolePermissions(permissions()),
		server.WithGetRolesFunc(func(any, string, string) ([]ua.NodeID, error) {
			return []ua.NodeID{ua.ObjectIDWellKnownRoleOperator}, nil
		}),
		server.WithAuthenticateX509IdentityFunc(func(ua.X509Identity, string, string) error { return nil }),
	}
	if users := s.cfg.users; len(users) > 0 {
		opts = append(opts, server.WithAuthenticateUserNameIdentityFunc(func(u ua.UserNameIdentity, _, _ string) error {
			if p, ok := users[u.UserName]; !ok || p != u.Password {
				return ua.BadUserAccessDenied
			}
			return nil
		}))
	}
	url := fmt.Sprintf("opc.tcp://%s:%d", s.host, port)
	srv, err := server.New(ua.ApplicationDescription{
		ApplicationURI: applicationURI, ApplicationName: ua.LocalizedText{Text: "opcuatest"},
		ApplicationType: ua.ApplicationTypeServer, DiscoveryURLs: []string{s.url()},
	}, s.id.certFile, s.id.keyFile, url, opts...)
	if err != nil {
		return err
	}
	// The announced limits are in the address space now; these are enforced.
	s.cfg.actual.apply(caps.OperationLimits)
	// Clients are to come back through the relay.
	for i, eps := 0, srv.Endpoints(); i < len(eps); i++ {
		eps[i].EndpointURL = s.url()
	}
	s.srv, s.sessions = srv, map[*server.Session]struct{}{}
	if err := s.populate(); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	return awaitListening(srv, served)
}

// permissions lets every client do everything.
func permissions() []ua.RolePermissionType {
	return []ua.RolePermissionType{{
		RoleID: ua.ObjectIDWellKnownRoleOperator,
		Permissions: ua.PermissionTypeBrowse | ua.PermissionTypeRead | ua.PermissionTypeWrite |
			ua.PermissionTypeReadHistory | ua.PermissionTypeReceiveEvents | ua.PermissionTypeCall,
	}}
}

// populate builds the address space. s.mu is held.
func (s *Server) populate() error {
	nm := s.srv.NamespaceManager()
	s.index = 0
	for _, uri := range s.cfg.namespaces {
		if n := nm.Add(uri); uri == NamespaceURI {
			s.index = n
		}
	}
	s.folder = ua.NodeIDString{NamespaceIndex: s.index, ID: "Plant"}
	if s.index == 0 {
		return nil
	}
	folder := server.NewObjectNode(s.folder, ua.QualifiedName{NamespaceIndex: s.index, Name: "Plant"},
		ua.LocalizedText{Text: "Plant"}, ua.LocalizedText{}, nil, []ua.Reference{
			{ReferenceTypeID: ua.ReferenceTypeIDOrganizes, IsInverse: true, TargetID: ua.ExpandedNodeID{NodeID: ua.ObjectIDObjectsFolder}},
			{ReferenceTypeID: ua.ReferenceTypeIDHasTypeDefinition, TargetID: ua.ExpandedNodeID{NodeID: ua.ObjectTypeIDFolderType}},
		}, 0)
	if err := nm.AddNode(folder); err != nil {
		return err
	}
	for _, v := range s.order {
		if err := s.install(v); err != nil {
			return err
		}
	}
	return nil
}

// awaitListening returns when srv accepts connections, or with what it ended with.
func awaitListening(srv *server.Server, served <-chan error) error {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for {
		select {
		case err := <-served:
			return err
		case <-t.C:
			if srv.State() == ua.ServerStateRunning {
				return nil
			}
		}
	}
}

// URL returns the address of the server, opc.tcp://host:port.
func (s *Server) URL() string { return s.url() }

func (s *Server) url() string { return "opc.tcp://" + s.relay.l.Addr().String() }

// NamespaceURI returns the namespace of the variables.
func (s *Server) NamespaceURI() string { return NamespaceURI }

// Address returns the address of a variable as a configuration has it.
func (s *Server) Address(name string) string { return "nsu=" + NamespaceURI + ";s=" + name }

// Certificate returns the server's certificate in DER.
func (s *Server) Certificate() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.id.der...)
}

// Cut drops all TCP connections. The sessions live on.
func (s *Server) Cut() { s.relay.cut() }

// Hang makes a black hole of the server, or has it come back: connections are
// accepted and stay, and nothing passes. What was sent meanwhile passes later.
func (s *Server) Hang(on bool) { s.relay.shut(on, on) }

// HangReplies has requests still arrive, and their answers not.
func (s *Server) HangReplies(on bool) { s.relay.shut(false, on) }

// RefuseMonitoring has the server answer with code when a client asks to have
// the variables monitored; they can be read as before. It holds for new requests
// on unsecured connections, in one chunk each, and until it is called again;
// without names it ends. In an answer with such a refusal a variable that does
// not exist has the same code.
func (s *Server) RefuseMonitoring(code tag.StatusCode, names ...string) {
	s.relay.refuse.set(code, names)
}

// Refusals returns how many answers RefuseMonitoring has changed.
func (s *Server) Refusals() int {
	s.relay.refuse.mu.Lock()
	defer s.relay.refuse.mu.Unlock()
	return s.relay.refuse.count
}

// DropSessions forgets each session that has read a variable, as a server does
// that ran out of memory: the next request on it is answered with a ServiceFault.
func (s *Server) DropSessions() {
	s.mu.Lock()
	srv, sessions := s.srv, s.sessions
	s.sessions = map[*server.Session]struct{}{}
	s.mu.Unlock()
	for session := range sessions {
		for _, sub := range srv.SubscriptionManager().GetBySession(session) {
			srv.SubscriptionManager().Delete(sub)
			sub.Delete()
		}
		srv.SessionManager().Delete(session)
	}
}

// Restart ends the server and its connections, and starts it anew on the same
// address and with the same values; opts change what Listen was given.
func (s *Server) Restart(opts ...Option) error { return s.restart(false, opts) }

// RestartWithNewCertificate is Restart with another certificate.
func (s *Server) RestartWithNewCertificate(opts ...Option) error { return s.restart(true, opts) }

func (s *Server) restart(newCert bool, opts []Option) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("cannot restart the server: it is closed")
	}
	if newCert {
		id, err := newIdentity(s.dir, s.host)
		if err != nil {
			return fmt.Errorf("cannot restart the server: %w", err)
		}
		s.id = id
	}
	for _, o := range opts {
		o(&s.cfg)
	}
	go closeBehind(s.srv)
	if err := s.start(); err != nil {
		return fmt.Errorf("cannot restart the server: %w", err)
	}
	s.relay.cut()
	return nil
}

// closeBehind ends a server that the relay has left. The only error of that says
// that it was not running.
func closeBehind(srv *server.Server) { _ = srv.Close() }

// Close ends the server for its clients. What is behind the relay ends by itself
// three seconds later: the library insists on waiting that long for clients to
// leave. Close may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	srv := s.srv
	s.mu.Unlock()
	go closeBehind(srv)
	return errors.Join(s.relay.close(), os.RemoveAll(s.dir))
}

package opcua

import (
	"context"
	"crypto/rsa"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uasc"

	"holdfast/gateway/tag"
)

// testPeer is a server whose services a test may replace, for what a server in
// order never does. It is the library's own, which checks next to nothing.
type testPeer struct {
	url  string
	cert []byte
	key  *rsa.PrivateKey
}

// handlers are services by the numeric id of their request's encoding.
type handlers map[uint16]server.Handler

func startPeer(t *testing.T, policy string, mode ua.MessageSecurityMode, hs handlers) testPeer {
	t.Helper()
	own, err := loadIdentity(t.TempDir(), "urn:test:server", "peer")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := server.New(server.EndPoint("127.0.0.1", port), server.Certificate(own.der), server.PrivateKey(own.key),
		server.EnableSecurity(policy, mode), server.EnableAuthMode(ua.UserTokenTypeAnonymous))
	for service, h := range hs {
		s.RegisterHandler(service, h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = s.Close()
	})
	return testPeer{url: s.URLs()[0], cert: own.der, key: own.key}
}

// pkiFor makes a PKI folder that trusts cert.
func pkiFor(t *testing.T, cert []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "trusted"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trusted", "server.der"), cert, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// clockItem is the server's time, which every server has.
func clockItem() tag.Item {
	return tag.Item{Path: "server/time", Address: "i=2258", Period: 100 * time.Millisecond, Write: true}
}

func newDriver(t *testing.T, cfg Config, items ...tag.Item) *Driver {
	t.Helper()
	cfg.ConnectTimeout, cfg.RequestTimeout = 5*time.Second, 5*time.Second
	d, err := New(cfg, items)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestSignModes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"} {
		for _, mode := range []string{"Sign", "SignAndEncrypt"} {
			t.Run(policy+"/"+mode, func(t *testing.T) {
				t.Parallel()
				p := startPeer(t, policies()[policy], modes()[mode], nil)
				d := newDriver(t, Config{URL: p.url, Policy: policy, Mode: mode, PKIDir: pkiFor(t, p.cert)}, clockItem())
				if err := d.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				s, err := d.Read(t.Context(), d.items)
				if err != nil || !s[0].Status.IsGood() {
					t.Fatal(s, err)
				}
			})
		}
	}
}

// tamper makes the services of a server that answers CreateSession as f leaves it.
func tamper(p *testPeer, f func(*ua.CreateSessionResponse)) handlers {
	header := func() *ua.ResponseHeader {
		return &ua.ResponseHeader{Timestamp: time.Now(), ServiceDiagnostics: &ua.DiagnosticInfo{}, AdditionalHeader: ua.NewExtensionObject(nil)}
	}
	return handlers{
		id.CreateSessionRequest_Encoding_DefaultBinary: func(sc *uasc.SecureChannel, r ua.Request, _ uint32) (ua.Response, error) {
			req := r.(*ua.CreateSessionRequest)
			sig, alg, err := sc.NewSessionSignature(clone(req.ClientCertificate), req.ClientNonce)
			if err != nil {
				return nil, err
			}
			resp := &ua.CreateSessionResponse{
				ResponseHeader: header(), SessionID: ua.NewNumericNodeID(1, 1), AuthenticationToken: ua.NewNumericNodeID(1, 2),
				RevisedSessionTimeout: 60000, ServerNonce: make([]byte, 32), ServerCertificate: p.cert,
				ServerSignature: &ua.SignatureData{Algorithm: alg, Signature: sig},
			}
			f(resp)
			return resp, nil
		},
		id.ActivateSessionRequest_Encoding_DefaultBinary: func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
			return &ua.ActivateSessionResponse{ResponseHeader: header(), ServerNonce: make([]byte, 32)}, nil
		},
		id.CloseSessionRequest_Encoding_DefaultBinary: func(*uasc.SecureChannel, ua.Request, uint32) (ua.Response, error) {
			return &ua.CloseSessionResponse{ResponseHeader: header()}, nil
		},
	}
}

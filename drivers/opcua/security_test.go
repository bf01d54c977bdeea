package opcua

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

func TestTamperedSession(t *testing.T) {
	t.Parallel()
	other, err := loadIdentity(t.TempDir(), "urn:test:other", "other")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    func(*ua.CreateSessionResponse)
		want string // "" for none
	}{
		"as it is":             {func(*ua.CreateSessionResponse) {}, ""},
		"another certificate":  {func(r *ua.CreateSessionResponse) { r.ServerCertificate = other.der }, "the session's server certificate is not that of the channel"},
		"no certificate":       {func(r *ua.CreateSessionResponse) { r.ServerCertificate = nil }, "the session's server certificate is not that of the channel"},
		"another signature":    {func(r *ua.CreateSessionResponse) { r.ServerSignature.Signature[0] ^= 1 }, "the server's signature for the session is wrong"},
		"no signature at all":  {func(r *ua.CreateSessionResponse) { r.ServerSignature = &ua.SignatureData{} }, "the server's signature for the session is wrong"},
		"signature of nothing": {func(r *ua.CreateSessionResponse) { r.ServerSignature.Signature = []byte{0} }, "the server's signature for the session is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p testPeer
			p = startPeer(t, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSignAndEncrypt, tamper(&p, c.f))
			d := newDriver(t, Config{URL: p.url, Policy: "Basic256Sha256", PKIDir: pkiFor(t, p.cert)}, clockItem())
			err := d.Connect(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Connect: %v; want %s", err, c.want)
			}
		})
	}
}

func TestTrustRule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, err := loadIdentity(dir, "urn:test:server", "server")
	if err != nil {
		t.Fatal(err)
	}
	other, err := loadIdentity(t.TempDir(), "urn:test:other", "other")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sum := fingerprint(own.der)
	trusted := trustRule{dir: dir}

	err = trusted.accept(own.der, now)
	kept := filepath.Join(dir, "rejected", hex.EncodeToString(sum)+".der")
	if err == nil || !strings.Contains(err.Error(), hex.EncodeToString(sum)) || !strings.Contains(err.Error(), "move "+kept+" to "+filepath.Join(dir, "trusted")) {
		t.Fatalf("an unknown certificate: %v", err)
	}
	// As the advice says.
	if err := os.Mkdir(filepath.Join(dir, "trusted"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, filepath.Join(dir, "trusted", "press.der")); err != nil {
		t.Fatal(err)
	}
	if err := trusted.accept(own.der, now); err != nil {
		t.Errorf("a trusted certificate: %v", err)
	}
	if err := trusted.accept(append(clone(own.der), other.der...), now); err != nil {
		t.Errorf("a trusted certificate with a chain behind it: %v", err)
	}
	if err := trusted.accept(other.der, now); err == nil {
		t.Error("a certificate was trusted because another one is")
	}
	otherPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.der})
	if err := os.WriteFile(filepath.Join(dir, "trusted", "other.pem"), otherPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := trusted.accept(other.der, now); err != nil {
		t.Errorf("a certificate trusted as PEM: %v", err)
	}
	for _, at := range []time.Time{now.AddDate(-1, 0, 0), now.AddDate(30, 0, 0)} {
		if err := trusted.accept(own.der, at); err == nil || !strings.Contains(err.Error(), "the server's certificate is out of date: it is valid from") {
			t.Errorf("at %v: %v", at, err)
		}
	}

	pinned := trustRule{fingerprint: sum}
	if err := pinned.accept(own.der, now); err != nil {
		t.Errorf("the pinned certificate: %v", err)
	}
	if err := pinned.accept(other.der, now); err == nil || !strings.Contains(err.Error(), "not the configured "+hex.EncodeToString(sum)) {
		t.Errorf("another certificate than the pinned one: %v", err)
	}
	for _, bad := range [][]byte{nil, {1, 2, 3}} {
		for _, r := range []trustRule{trusted, pinned, {any: true}} {
			if err := r.accept(bad, now); err == nil {
				t.Errorf("%v took %v for a certificate", r, bad)
			}
		}
	}
}

func TestOwnIdentity(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	ids := make(chan *ownIdentity, 2)
	for range 2 { // two connections that start at once
		go func() {
			id, err := loadIdentity(dir, "urn:test:us", "us")
			if err != nil {
				t.Error(err)
			}
			ids <- id
		}()
	}
	a, b := <-ids, <-ids
	if a == nil || b == nil {
		t.FailNow()
	}
	if !bytes.Equal(a.der, b.der) || !a.key.Equal(b.key) {
		t.Error("two drivers have two certificates in one folder")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v; want own/ alone", left, err)
	}
	info, err := os.Stat(filepath.Join(dir, "own", "key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	c, err := x509.ParseCertificate(a.der)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.URIs) != 1 || c.URIs[0].String() != "urn:test:us" || len(c.DNSNames) != 1 || c.NotAfter.Before(time.Now().AddDate(9, 0, 0)) ||
		c.PublicKey.(*rsa.PublicKey).N.BitLen() != 2048 {
		t.Errorf("the certificate is for %v, %v, until %v", c.URIs, c.DNSNames, c.NotAfter)
	}
	if _, err := loadIdentity(dir, "urn:test:else", "us"); err == nil || !strings.Contains(err.Error(), "the application URI is urn:test:else") {
		t.Errorf("with another application URI: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "own", "cert.der")); err != nil {
		t.Fatal(err)
	}
	if _, err := loadIdentity(dir, "urn:test:us", "us"); err == nil || !strings.Contains(err.Error(), "there is a key.pem without a cert.der") {
		t.Errorf("without the certificate: %v", err)
	}
}

func TestTokenPolicy(t *testing.T) {
	t.Parallel()
	const none, b256 = ua.SecurityPolicyURINone, ua.SecurityPolicyURIBasic256Sha256
	user := func(uri string) *ua.UserTokenPolicy {
		return &ua.UserTokenPolicy{PolicyID: uri, TokenType: ua.UserTokenTypeUserName, SecurityPolicyURI: uri}
	}
	cert := func(uri string) *ua.UserTokenPolicy {
		return &ua.UserTokenPolicy{PolicyID: uri, TokenType: ua.UserTokenTypeCertificate, SecurityPolicyURI: uri}
	}
	anon := &ua.UserTokenPolicy{TokenType: ua.UserTokenTypeAnonymous}
	for _, c := range []struct {
		policy string
		mode   ua.MessageSecurityMode
		tokens []*ua.UserTokenPolicy
		kind   ua.UserTokenType
		want   string // the policy's URI, or "error: …"
	}{
		{none, ua.MessageSecurityModeNone, []*ua.UserTokenPolicy{anon}, ua.UserTokenTypeAnonymous, none},
		{none, ua.MessageSecurityModeNone, []*ua.UserTokenPolicy{user(""), nil}, ua.UserTokenTypeUserName, "error: the server would have the password in clear"},
		{none, ua.MessageSecurityModeNone, []*ua.UserTokenPolicy{user(none)}, ua.UserTokenTypeUserName, "error: the server would have the password in clear"},
		{none, ua.MessageSecurityModeNone, []*ua.UserTokenPolicy{user(none), user(b256)}, ua.UserTokenTypeUserName, b256},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{user(none)}, ua.UserTokenTypeUserName, "error: the server would have the password in clear"},
		{b256, ua.MessageSecurityModeSignAndEncrypt, []*ua.UserTokenPolicy{user(none)}, ua.UserTokenTypeUserName, none},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{user("")}, ua.UserTokenTypeUserName, b256},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{user(ua.SecurityPolicyURIBasic128Rsa15)}, ua.UserTokenTypeUserName, "error: the server protects a user name with the policy Basic128Rsa15, which is not safe"},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{cert(none)}, ua.UserTokenTypeCertificate, "error: the server wants no signature"},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{cert("")}, ua.UserTokenTypeCertificate, b256},
		{b256, ua.MessageSecurityModeSign, []*ua.UserTokenPolicy{anon, anon}, ua.UserTokenTypeUserName, "error: the server does not accept a user name; it accepts anonymous clients"},
		{b256, ua.MessageSecurityModeSign, nil, ua.UserTokenTypeUserName, "error: the server's endpoint lists no way to authenticate"},
	} {
		_, got, err := tokenPolicy(&ua.EndpointDescription{SecurityPolicyURI: c.policy, SecurityMode: c.mode, UserIdentityTokens: c.tokens}, c.kind)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && !(strings.HasPrefix(c.want, "error: ") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s over %s/%v: %s; want %s", tokenName(c.kind), c.policy, c.mode, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	eps := []*ua.EndpointDescription{
		nil,
		{SecurityPolicyURI: ua.SecurityPolicyURIBasic256, SecurityMode: ua.MessageSecurityModeSign, TransportProfileURI: uaTCPProfile},
		{SecurityPolicyURI: ua.SecurityPolicyURIBasic256Sha256, SecurityMode: ua.MessageSecurityModeSign},
		{SecurityPolicyURI: ua.SecurityPolicyURINone, SecurityMode: ua.MessageSecurityModeNone, TransportProfileURI: "http://opcfoundation.org/UA-Profile/Transport/https-uabinary"},
	}
	if e, err := choose(eps, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSign); err != nil || e != eps[2] {
		t.Error(e, err)
	}
	const want = "the server does not offer None/None; it offers Basic256/Sign, Basic256Sha256/Sign"
	if _, err := choose(eps, ua.SecurityPolicyURINone, ua.MessageSecurityModeNone); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestAnyCertificateIsSaidLoudly(t *testing.T) {
	t.Parallel()
	p := startPeer(t, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSignAndEncrypt, nil)
	var out bytes.Buffer
	d := newDriver(t, Config{URL: p.url, Policy: "Basic256Sha256", ServerCert: "any", PKIDir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(&out, nil))}, clockItem())
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "ANY SERVER CERTIFICATE IS ACCEPTED") || !strings.Contains(s, hex.EncodeToString(fingerprint(p.cert))) {
		t.Errorf("the log says %s", s)
	}
}

// TestHostileHandshake connects to servers whose Acknowledge is made to harm.
func TestHostileHandshake(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"chunks of 4 GB":    "ACKF\x1c\x00\x00\x00" + "\x00\x00\x00\x00" + "\xff\xff\xff\xff" + "\xff\xff\xff\xff" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00",
		"chunks of nothing": "ACKF\x1c\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00",
		"an error":          "ERRF\x10\x00\x00\x00" + "\x00\x00\x7d\x80" + "\x00\x00\x00\x00",
		"not OPC UA":        "HTTP/1.1 400 Bad Request\r\n\r\n",
		"nothing":           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				if _, err := c.Read(make([]byte, 1024)); err == nil {
					_, _ = c.Write([]byte(answer))
				}
			}()
			d := newDriver(t, Config{URL: "opc.tcp://" + l.Addr().String()}, clockItem())
			if err := d.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "the OPC UA handshake failed") {
				t.Errorf("Connect: %v", err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	ok := Config{URL: "opc.tcp://plc:4840"}
	with := func(f func(*Config)) Config {
		c := ok
		f(&c)
		return c
	}
	for _, c := range []struct {
		cfg  Config
		want string // "" for none
	}{
		{ok, ""},
		{Config{URL: "opc.tcp://plc/path"}, ""},
		{Config{}, `url "" is not of the form opc.tcp://host:port`},
		{Config{URL: "http://plc"}, `url "http://plc" is not of the form`},
		{Config{URL: "opc.tcp://u:p@plc"}, `is not of the form`},
		{with(func(c *Config) { c.Policy = "Basic256" }), `security policy "Basic256" is unknown, allowed are None, Basic256Sha256`},
		{with(func(c *Config) { c.Mode = "Sign" }), `security policy None does not go with mode Sign`},
		{with(func(c *Config) { c.Policy = "Basic256Sha256" }), `security policy Basic256Sha256 needs a PKI folder`},
		{with(func(c *Config) { c.Policy, c.PKIDir = "Basic256Sha256", "x" }), ""},
		{with(func(c *Config) { c.Policy, c.Mode, c.PKIDir = "Basic256Sha256", "None", "x" }), `does not go with mode None`},
		{with(func(c *Config) { c.Mode = "sign" }), `security mode "sign" is unknown, allowed are None, Sign, SignAndEncrypt`},
		{with(func(c *Config) { c.ServerCert = "all" }), `server certificate rule "all" is unknown, allowed are trusted, fingerprint:SHA256HEX, any`},
		{with(func(c *Config) { c.ServerCert = "fingerprint:abcd" }), `is not fingerprint: and 64 hexadecimal digits`},
		{with(func(c *Config) { c.ServerCert = "fingerprint:" + strings.Repeat("AB:", 31) + "AB" }), ""},
		{with(func(c *Config) { c.Auth.Password = "x" }), `a password is given without a user name`},
		{with(func(c *Config) { c.Auth.Cert = []byte("x") }), `needs a certificate and its key`},
		{with(func(c *Config) { c.Auth.Cert, c.Auth.Key = []byte("x"), []byte("x") }), `there is no certificate in PEM or DER`},
		{with(func(c *Config) { c.Auth.User, c.Auth.Key = "u", []byte("x") }), `only one can be used`},
		{with(func(c *Config) { c.RequestTimeout = -1 }), `RequestTimeout -1ns is negative`},
		{with(func(c *Config) { c.ApplicationURI = "no uri" }), `application URI "no uri" is not a URI`},
	} {
		_, err := New(c.cfg, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v; want %q", c.cfg, err, c.want)
		}
	}
}

func TestKeyPair(t *testing.T) {
	t.Parallel()
	a, err := loadIdentity(t.TempDir(), "urn:a", "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := loadIdentity(t.TempDir(), "urn:b", "b")
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(a.key)
	for _, key := range [][]byte{pkcs1, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1})} {
		if der, k, err := keyPair(a.der, key); err != nil || !bytes.Equal(der, a.der) || !k.Equal(a.key) {
			t.Error(err)
		}
	}
	if _, _, err := keyPair(b.der, pkcs1); err == nil || err.Error() != "the key does not belong to the certificate" {
		t.Error(err)
	}
	if _, _, err := keyPair(a.der, []byte("x")); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestServerHangsUp has a server refuse a channel, as one does that does not
// trust our certificate.
func TestServerHangsUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		ack := "ACKF\x1c\x00\x00\x00" + "\x00\x00\x00\x00" + "\xff\xff\x00\x00" + "\xff\xff\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
		for _, answer := range []string{ack, "ERRF\x14\x00\x00\x00" + "\x00\x00\x13\x80" + "\x04\x00\x00\x00" + "Nein"} {
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				return
			}
			if _, err := c.Write([]byte(answer)); err != nil {
				return
			}
		}
	}()
	d := newDriver(t, Config{URL: "opc.tcp://" + l.Addr().String()}, clockItem())
	const want = "cannot open a secure channel: the server closed the connection"
	if err := d.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Connect: %v\nwant %s", err, want)
	}
}

package opcua

import (
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// Config says how to reach a server. The zero value of each field but URL is
// its default.
type Config struct {
	URL string // opc.tcp://host:port

	Policy string // None (default), Basic256Sha256, Aes128Sha256RsaOaep, Aes256Sha256RsaPss
	Mode   string // None, Sign, SignAndEncrypt; the default is None for the policy None, else SignAndEncrypt

	// ServerCert says which certificate the server may have: "trusted"
	// (default: one of the files in PKIDir/trusted), "fingerprint:" and the
	// SHA-256 of its DER in hexadecimal, or "any".
	ServerCert string

	// PKIDir is the folder of certificates: own/ (ours, made when it is first
	// needed), trusted/, rejected/. Needed with a security policy, or where a
	// password is to be encrypted.
	PKIDir string

	Auth Auth

	WatchdogSilence time.Duration // how long the session may be silent; 10 s
	ConnectTimeout  time.Duration // for TCP and its handshake; 5 s
	RequestTimeout  time.Duration // for each service request; 4 s
	SessionTimeout  time.Duration // what the server is asked to keep an idle session for; 60 s

	ApplicationURI  string // ours, in the certificate too; urn:HOST:holdfast
	ApplicationName string // Holdfast

	Log *slog.Logger // nil: nothing is logged
}

// Auth is who we are to the server: nobody (the zero value), a user with a
// password, or a user with a certificate.
type Auth struct {
	User     string
	Password string
	Cert     []byte // X.509, in PEM or DER
	Key      []byte // RSA private key, in PEM or DER (PKCS #1 or #8)
}

// settings are a checked Config.
type settings struct {
	Config
	host      string // host:port
	policyURI string
	mode      ua.MessageSecurityMode
	trust     trustRule
	userCert  []byte // DER
	userKey   *rsa.PrivateKey
	tokenLife time.Duration // of a channel's security token, which the library renews at 75 % of it
}

func policies() map[string]string {
	return map[string]string{
		"None":                ua.SecurityPolicyURINone,
		"Basic256Sha256":      ua.SecurityPolicyURIBasic256Sha256,
		"Aes128Sha256RsaOaep": ua.SecurityPolicyURIAes128Sha256RsaOaep,
		"Aes256Sha256RsaPss":  ua.SecurityPolicyURIAes256Sha256RsaPss,
	}
}

// policyName returns the configured word for a policy's URI.
func policyName(uri string) string {
	for name, u := range policies() {
		if u == uri {
			return name
		}
	}
	_, name, ok := strings.Cut(uri, "#")
	if !ok {
		return fmt.Sprintf("%q", uri)
	}
	return name
}

func modes() map[string]ua.MessageSecurityMode {
	return map[string]ua.MessageSecurityMode{
		"None": ua.MessageSecurityModeNone, "Sign": ua.MessageSecurityModeSign, "SignAndEncrypt": ua.MessageSecurityModeSignAndEncrypt,
	}
}

func modeName(m ua.MessageSecurityMode) string {
	for name, n := range modes() {
		if n == m {
			return name
		}
	}
	return fmt.Sprint(uint32(m))
}

// check returns cfg with its defaults, or what is wrong with it. It opens and
// reads nothing.
func check(cfg Config) (settings, error) {
	s := settings{Config: cfg, tokenLife: time.Hour}
	var err error
	if s.host, err = hostPort(cfg.URL); err != nil {
		return s, err
	}
	if err := s.checkSecurity(); err != nil {
		return s, err
	}
	if err := s.checkAuth(); err != nil {
		return s, err
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"WatchdogSilence", &s.WatchdogSilence, 10 * time.Second},
		{"ConnectTimeout", &s.ConnectTimeout, 5 * time.Second},
		{"RequestTimeout", &s.RequestTimeout, 4 * time.Second},
		{"SessionTimeout", &s.SessionTimeout, 60 * time.Second},
	} {
		if *d.v < 0 {
			return s, fmt.Errorf("%s %v is negative", d.name, *d.v)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if s.ApplicationURI == "" {
		s.ApplicationURI = "urn:" + hostname() + ":holdfast"
	}
	if u, err := url.Parse(s.ApplicationURI); err != nil || u.Scheme == "" {
		return s, fmt.Errorf("application URI %q is not a URI", s.ApplicationURI)
	}
	if s.ApplicationName == "" {
		s.ApplicationName = "Holdfast"
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

func hostPort(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "opc.tcp" || u.Hostname() == "" || u.User != nil {
		return "", fmt.Errorf("url %q is not of the form opc.tcp://host:port", s)
	}
	port := u.Port()
	if port == "" {
		port = "4840" // the port registered for opc.tcp
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil || h == "" {
		return "localhost"
	}
	return h
}

func (s *settings) checkSecurity() error {
	if s.Policy == "" {
		s.Policy = "None"
	}
	var ok bool
	if s.policyURI, ok = policies()[s.Policy]; !ok {
		return fmt.Errorf("security policy %q is unknown, allowed are None, Basic256Sha256, Aes128Sha256RsaOaep, Aes256Sha256RsaPss", s.Policy)
	}
	if s.Mode == "" {
		s.Mode = "SignAndEncrypt"
		if s.Policy == "None" {
			s.Mode = "None"
		}
	}
	if s.mode, ok = modes()[s.Mode]; !ok {
		return fmt.Errorf("security mode %q is unknown, allowed are None, Sign, SignAndEncrypt", s.Mode)
	}
	if (s.Policy == "None") != (s.Mode == "None") {
		return fmt.Errorf("security policy %s does not go with mode %s: the policy None needs the mode None, any other one Sign or SignAndEncrypt", s.Policy, s.Mode)
	}
	if s.mode != ua.MessageSecurityModeNone && s.PKIDir == "" {
		return fmt.Errorf("security policy %s needs a PKI folder", s.Policy)
	}
	return s.checkServerCert()
}

func (s *settings) checkServerCert() error {
	switch word := s.ServerCert; {
	case word == "" || word == "trusted":
		s.trust = trustRule{dir: s.PKIDir}
	case word == "any":
		s.trust = trustRule{dir: s.PKIDir, any: true}
	case strings.HasPrefix(word, "fingerprint:"):
		hexed := strings.ReplaceAll(strings.TrimPrefix(word, "fingerprint:"), ":", "")
		sum, err := hex.DecodeString(hexed)
		if err != nil || len(sum) != 32 {
			return fmt.Errorf("server certificate %q is not fingerprint: and 64 hexadecimal digits, the SHA-256 of the certificate", word)
		}
		s.trust = trustRule{dir: s.PKIDir, fingerprint: sum}
	default:
		return fmt.Errorf("server certificate rule %q is unknown, allowed are trusted, fingerprint:SHA256HEX, any", word)
	}
	return nil
}

func (s *settings) checkAuth() error {
	a := s.Auth
	switch {
	case a.User != "" && (len(a.Cert) > 0 || len(a.Key) > 0):
		return errors.New("a user name and a certificate are given for authentication; only one can be used")
	case a.User == "" && a.Password != "":
		return errors.New("a password is given without a user name")
	case (len(a.Cert) > 0) != (len(a.Key) > 0):
		return errors.New("authentication by certificate needs a certificate and its key")
	case len(a.Cert) > 0:
		var err error
		if s.userCert, s.userKey, err = keyPair(a.Cert, a.Key); err != nil {
			return fmt.Errorf("cannot use the user certificate: %w", err)
		}
	}
	return nil
}

// checkItem says whether a tag can be one of this driver's, and returns its address.
func checkItem(it tag.Item) (address, error) {
	a, err := parseAddress(it.Address)
	if err != nil {
		return a, fmt.Errorf("tag %s: %w", it.Path, err)
	}
	if it.Type == tag.TypeBCD16 || it.Type == tag.TypeBCD32 {
		return a, fmt.Errorf("tag %s: type %s is one of Modbus registers, OPC UA has none such", it.Path, it.Type)
	}
	return a, nil
}

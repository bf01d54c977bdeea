package opcua

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"
)

// minNonce is the shortest server nonce that a password may be encrypted with
// (OPC 10000-4, 5.6.2.2).
const minNonce = 32

// identityToken is what ActivateSession tells of who we are.
type identityToken struct {
	token     any
	signature *ua.SignatureData
}

// identify makes the token of s.Auth for the endpoint e. cert and nonce are
// those of CreateSession's response.
func identify(s settings, c *channel, e *ua.EndpointDescription, cert, nonce []byte) (identityToken, error) {
	t := identityToken{signature: &ua.SignatureData{}}
	kind := ua.UserTokenTypeAnonymous
	switch {
	case s.Auth.User != "":
		kind = ua.UserTokenTypeUserName
	case s.userCert != nil:
		kind = ua.UserTokenTypeCertificate
	}
	policy, uri, err := tokenPolicy(e, kind)
	if err != nil {
		return t, err
	}
	// The library appends to these slices.
	cert, nonce = slices.Clip(cert), slices.Clip(nonce)
	switch kind {
	case ua.UserTokenTypeAnonymous:
		t.token = &ua.AnonymousIdentityToken{PolicyID: policy.PolicyID}
		return t, nil
	case ua.UserTokenTypeCertificate:
		t.token = &ua.X509IdentityToken{PolicyID: policy.PolicyID, CertificateData: s.userCert}
		t.signature.Signature, t.signature.Algorithm, err = c.sc.NewUserTokenSignature(uri, cert, nonce)
		return t, err
	}
	if err := s.maySendPassword(e, uri, cert, nonce); err != nil {
		return t, err
	}
	user := &ua.UserNameIdentityToken{PolicyID: policy.PolicyID, UserName: s.Auth.User}
	user.Password, user.EncryptionAlgorithm, err = c.sc.EncryptUserPassword(uri, s.Auth.Password, cert, nonce)
	t.token = user
	return t, err
}

// maySendPassword returns nil where a password may be sent: over an encrypted
// channel (whose certificate has passed the rule), or encrypted for a
// certificate that passes the rule now.
func (s settings) maySendPassword(e *ua.EndpointDescription, uri string, cert, nonce []byte) error {
	if uri == ua.SecurityPolicyURINone {
		return nil // tokenPolicy saw that the channel encrypts
	}
	if len(nonce) < minNonce {
		return fmt.Errorf("the server's nonce has %d bytes, %d are needed to encrypt the password", len(nonce), minNonce)
	}
	if e.SecurityMode != ua.MessageSecurityModeNone {
		return nil
	}
	if err := s.trust.accept(cert, time.Now()); err != nil {
		return fmt.Errorf("cannot encrypt for the server: %w", err)
	}
	return nil
}

// tokenPolicy chooses the endpoint's token policy for kind, and returns the
// security policy that protects the secret with it: that of the token, else the
// channel's. Policies under which the secret would be readable on the wire are
// passed over.
func tokenPolicy(e *ua.EndpointDescription, kind ua.UserTokenType) (*ua.UserTokenPolicy, string, error) {
	var offered []string
	var passed error
	for _, p := range e.UserIdentityTokens {
		if p == nil {
			continue
		}
		if p.TokenType != kind {
			offered = append(offered, tokenName(p.TokenType))
			continue
		}
		uri := p.SecurityPolicyURI
		if uri == "" {
			uri = e.SecurityPolicyURI
		}
		if err := protects(e, kind, uri); err != nil {
			passed = err
			continue
		}
		return p, uri, nil
	}
	if passed != nil {
		return nil, "", passed
	}
	if len(offered) == 0 {
		return nil, "", errors.New("the server's endpoint lists no way to authenticate")
	}
	slices.Sort(offered)
	return nil, "", fmt.Errorf("the server does not accept %s; it accepts %s", tokenName(kind), strings.Join(slices.Compact(offered), ", "))
}

// protects returns nil where a token of kind is safe under the policy uri.
func protects(e *ua.EndpointDescription, kind ua.UserTokenType, uri string) error {
	switch uri {
	case ua.SecurityPolicyURIBasic256Sha256, ua.SecurityPolicyURIAes128Sha256RsaOaep, ua.SecurityPolicyURIAes256Sha256RsaPss,
		ua.SecurityPolicyURIBasic256: // the last one for old servers: its RSA-OAEP is that of Basic256Sha256
		return nil
	case ua.SecurityPolicyURINone:
		switch {
		case kind == ua.UserTokenTypeAnonymous,
			kind == ua.UserTokenTypeUserName && e.SecurityMode == ua.MessageSecurityModeSignAndEncrypt:
			return nil
		case kind == ua.UserTokenTypeUserName:
			return errors.New("the server would have the password in clear over a channel that is not encrypted; configure a security policy with the mode SignAndEncrypt")
		}
		return errors.New("the server wants no signature with the user certificate, which would prove nothing")
	}
	if kind == ua.UserTokenTypeAnonymous {
		return nil
	}
	return fmt.Errorf("the server protects %s with the policy %s, which is not safe or not known", tokenName(kind), policyName(uri))
}

func tokenName(k ua.UserTokenType) string {
	switch k {
	case ua.UserTokenTypeAnonymous:
		return "anonymous clients"
	case ua.UserTokenTypeUserName:
		return "a user name"
	case ua.UserTokenTypeCertificate:
		return "a user certificate"
	case ua.UserTokenTypeIssuedToken:
		return "an issued token"
	}
	return fmt.Sprintf("token type %d", k)
}

package opcuatest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const applicationURI = "urn:holdfast:opcuatest"

// identity is the server's application instance certificate, as the two PEM
// files that the library wants.
type identity struct {
	der               []byte
	certFile, keyFile string
}

// newIdentity makes a self-signed certificate for host in dir.
func newIdentity(dir, host string) (identity, error) {
	key, err := fullKey()
	if err != nil {
		return identity{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return identity{}, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "opcuatest", Organization: []string{"Holdfast"}},
		URIs:         []*url.URL{{Scheme: "urn", Opaque: "holdfast:opcuatest"}},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = append(t.IPAddresses, ip)
	} else if host != "" {
		t.DNSNames = append(t.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return identity{}, err
	}
	id := identity{der: der, certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem")}
	if err := os.WriteFile(id.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return identity{}, err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return id, os.WriteFile(id.keyFile, keyPEM, 0o600)
}

// fullKey makes an RSA key whose private exponent has all its 256 bytes: the
// library takes their number for the size of a cipher block, and with a shorter
// one (one key in 256) it cannot decrypt a password.
func fullKey() (*rsa.PrivateKey, error) {
	for range 20 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		if len(key.D.Bytes()) == key.Size() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("cannot make a key with a full private exponent")
}

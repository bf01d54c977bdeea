package opcua

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// ownValidity is how long a certificate of ours is made for: as long as the box
// is likely to stand, for nobody renews it there.
const ownValidity = 20 * 365 * 24 * time.Hour

// ownIdentity is our application instance certificate and its key.
type ownIdentity struct {
	der []byte
	key *rsa.PrivateKey
}

// loadIdentity returns the identity in dir/own, which it makes where there is
// none. Several drivers may share dir.
func loadIdentity(dir, appURI, appName string) (*ownIdentity, error) {
	own := filepath.Join(dir, "own")
	id, err := readIdentity(own, appURI)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeIdentity(dir, own, appURI, appName); err == nil {
			id, err = readIdentity(own, appURI)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use our certificate in %s: %w", own, err)
	}
	return id, nil
}

// readIdentity returns fs.ErrNotExist only where both files are missing.
func readIdentity(own, appURI string) (*ownIdentity, error) {
	cert, certErr := os.ReadFile(filepath.Join(own, "cert.der"))
	key, keyErr := os.ReadFile(filepath.Join(own, "key.pem"))
	switch {
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return nil, certErr
	case errors.Is(certErr, fs.ErrNotExist):
		return nil, errors.New("there is a key.pem without a cert.der; take it away to have both made anew")
	case errors.Is(keyErr, fs.ErrNotExist):
		return nil, errors.New("there is a cert.der without a key.pem; take it away to have both made anew")
	case certErr != nil || keyErr != nil:
		return nil, errors.Join(certErr, keyErr)
	}
	der, rsaKey, err := keyPair(cert, key)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if len(c.URIs) == 0 || c.URIs[0].String() != appURI {
		return nil, fmt.Errorf("it is made for %v, and the application URI is %s; take the folder away to have another one made", c.URIs, appURI)
	}
	if err := checkValidity(c, time.Now()); err != nil {
		return nil, err
	}
	return &ownIdentity{der: der, key: rsaKey}, nil
}

// makeIdentity writes a new key and a self-signed certificate (OPC 10000-6,
// 6.2.2) to own, both or none: they appear with one rename, which fails where
// another driver was quicker.
func makeIdentity(dir, own, appURI, appName string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "own-")
	if err != nil {
		return err
	}
	if err := writeIdentity(tmp, appURI, appName); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, own); err != nil {
		rest := os.RemoveAll(tmp)
		if _, statErr := os.Stat(filepath.Join(own, "key.pem")); statErr == nil {
			return rest
		}
		return errors.Join(err, rest)
	}
	return nil
}

func writeIdentity(dir, appURI, appName string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	uri, err := url.Parse(appURI)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: appName, Organization: []string{"Holdfast"}},
		URIs:         []*url.URL{uri},
		DNSNames:     []string{hostname()},
		NotBefore:    time.Now().Add(-24 * time.Hour), // the clocks of PLCs
		NotAfter:     time.Now().Add(ownValidity),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, "cert.der"), der, 0o644)
}

// writeSynced writes a new file and has it on disk before it returns.
func writeSynced(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// keyPair reads a certificate and its RSA key, each in PEM or DER, and checks
// that they belong together.
func keyPair(cert, key []byte) ([]byte, *rsa.PrivateKey, error) {
	ders := certificates(cert)
	if len(ders) == 0 {
		return nil, nil, errors.New("there is no certificate in PEM or DER")
	}
	c, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return nil, nil, err
	}
	if b, _ := pem.Decode(key); b != nil {
		key = b.Bytes
	}
	var private any
	if private, err = x509.ParsePKCS8PrivateKey(key); err != nil {
		if private, err = x509.ParsePKCS1PrivateKey(key); err != nil {
			return nil, nil, errors.New("the key is neither PKCS #8 nor PKCS #1, in PEM or DER")
		}
	}
	k, ok := private.(*rsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("the key is a %T, and OPC UA's policies need RSA", private)
	}
	if !k.PublicKey.Equal(c.PublicKey) {
		return nil, nil, errors.New("the key does not belong to the certificate")
	}
	return c.Raw, k, nil
}

// certificates returns the certificates in a file's contents, PEM or DER.
func certificates(data []byte) [][]byte {
	var ders [][]byte
	for rest := data; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type == "CERTIFICATE" {
			ders = append(ders, b.Bytes)
		}
	}
	if len(ders) > 0 {
		return ders
	}
	cs, err := x509.ParseCertificates(data)
	if err != nil {
		return nil
	}
	for _, c := range cs {
		ders = append(ders, c.Raw)
	}
	return ders
}

func checkValidity(c *x509.Certificate, now time.Time) error {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return fmt.Errorf("it is valid from %s to %s, and now it is %s",
			c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

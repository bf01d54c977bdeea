package opcua

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxRejected bounds what PKIDir/rejected holds, so that a peer with ever new
// certificates cannot fill the disk.
const maxRejected = 100

// trustRule decides which server certificates are accepted: those in
// dir/trusted, or one fingerprint, or any.
type trustRule struct {
	dir         string
	fingerprint []byte // SHA-256
	any         bool
}

// fingerprint is the SHA-256 of a certificate in DER.
func fingerprint(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

// leafFingerprint is for messages: the SHA-256 of the first certificate of a chain.
func leafFingerprint(chain []byte) []byte {
	if ders := certificates(chain); len(ders) > 0 {
		return fingerprint(ders[0])
	}
	return fingerprint(chain)
}

// accept returns nil where the server may have this certificate (the first one
// of chain, in DER). A refusal says how to allow it.
func (r trustRule) accept(chain []byte, now time.Time) error {
	cs, err := x509.ParseCertificates(chain)
	if err != nil || len(cs) == 0 {
		return errors.New("the server has no readable certificate")
	}
	c := cs[0]
	if k, ok := c.PublicKey.(*rsa.PublicKey); !ok || k.Size() < 256 || k.Size() > 512 {
		return errors.New("the server's certificate has no RSA key of 2048 to 4096 bits, as the policies need")
	}
	if r.any {
		return nil
	}
	sum := fingerprint(c.Raw)
	if r.fingerprint != nil {
		if subtle.ConstantTimeCompare(r.fingerprint, sum) != 1 {
			return fmt.Errorf("the server's certificate has the fingerprint %s, not the configured %s", hex.EncodeToString(sum), hex.EncodeToString(r.fingerprint))
		}
	} else if err := r.trusted(c, sum); err != nil {
		return err
	}
	if err := checkValidity(c, now); err != nil {
		return fmt.Errorf("the server's certificate is out of date: %w", err)
	}
	return nil
}

// trusted compares c with the files in dir/trusted, and keeps it in
// dir/rejected where none of them is it.
func (r trustRule) trusted(c *x509.Certificate, sum []byte) error {
	if r.dir == "" {
		return errors.New("there is no PKI folder to find trusted certificates in")
	}
	folder := filepath.Join(r.dir, "trusted")
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the trusted certificates: %w", err)
	}
	var unread []error
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".der", ".pem", ".crt", ".cer":
		default:
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			unread = append(unread, err)
			continue
		}
		for _, der := range certificates(data) {
			if bytes.Equal(der, c.Raw) {
				return nil
			}
		}
	}
	kept, err := r.reject(c.Raw, sum)
	if err != nil {
		unread = append(unread, fmt.Errorf("cannot keep it: %w", err))
	}
	return errors.Join(fmt.Errorf("the server's certificate is not trusted: %s, SHA-256 %s%s",
		c.Subject, hex.EncodeToString(sum), r.advice(kept, folder)), errors.Join(unread...))
}

// reject stores a refused certificate and returns its file.
func (r trustRule) reject(der, sum []byte) (string, error) {
	folder := filepath.Join(r.dir, "rejected")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(folder, hex.EncodeToString(sum)+".der")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	if len(entries) >= maxRejected {
		return "", fmt.Errorf("%s is full", folder)
	}
	return file, os.WriteFile(file, der, 0o644)
}

func (r trustRule) advice(kept, trusted string) string {
	if kept == "" {
		return ""
	}
	return fmt.Sprintf("; compare that with the device, and if it is the same, move %s to %s", kept, trusted)
}

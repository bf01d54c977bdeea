package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxCredential is the longest credential, as systemd limits it (systemd.exec(5)).
const maxCredential = 1 << 20

// Credential returns the secret of that name: the content of
// $CREDENTIALS_DIRECTORY/name (systemd.exec(5), LoadCredential=) or, where that
// variable is unset, of the file credentials/name beside the configuration. One
// line end after the secret is not part of it.
func (c *Config) Credential(name string) (string, error) {
	if !isName(name) {
		return "", errors.New("cannot read a credential: its name is not of [A-Za-z0-9_.-]")
	}
	file := credentialFile(c.File, name)
	if err := usable(file); err != nil {
		return "", fmt.Errorf("cannot read credential %s in %s: %w", name, filepath.Dir(file), err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read credential %s: %w", name, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// credentialFile returns where the credential of that name is kept.
func credentialFile(config, name string) string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		return filepath.Join(dir, name)
	}
	return filepath.Join(filepath.Dir(config), "credentials", name)
}

// usable looks at a credential's or a certificate's file without reading it.
// The error does not name the file: where a secret stands in place of a name,
// that would show it.
func usable(file string) error {
	st, err := os.Stat(file)
	switch {
	case err != nil:
		return errors.New(cause(err))
	case !st.Mode().IsRegular():
		return errors.New("not a file")
	case st.Size() == 0:
		return errors.New("the file is empty")
	case st.Size() > maxCredential:
		return fmt.Errorf("the file has %d bytes, at most %d are allowed", st.Size(), maxCredential)
	}
	return nil
}

// isName reports whether s can name a connection, a scan class, a database, a
// queue or a credential: one or more of [A-Za-z0-9_.-], and not a folder.
func isName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 128 {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
		default:
			return false
		}
	}
	return true
}

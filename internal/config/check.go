package config

import (
	"path/filepath"
	"strings"

	"holdfast/internal/nearest"
)

// maxSocket is the longest path of a unix socket: sun_path has 108 bytes, the
// last of which is 0 (unix(7)).
const maxSocket = 107

// check looks at what takes more than one key to judge. It adds no fault to a
// value that has one already, nor to one that refers to such a value.
func (d *decoder) check(c *Config, drivers map[string]DriverChecks) {
	if n := len(c.API.Socket); n > maxSocket && !d.bad["api"+separator+"socket"] {
		d.complain(path("api").key("socket"), "%s has %d bytes, allowed at most %d", quote(c.API.Socket), n, maxSocket)
	}
	reserve := path("journal").key("reserve")
	if j := c.Journal; j.Memory > 0 && j.Reserve > j.Memory/2 && d.right(reserve) {
		d.complain(reserve, "%s, allowed at most half of memory, %s", showSize(j.Reserve), showSize(j.Memory/2))
	}
	for i := range c.Connections {
		d.checkConnection(c, &c.Connections[i], drivers[c.Connections[i].Driver])
	}
	for i := range c.Databases {
		d.checkDatabase(c, &c.Databases[i])
	}
	d.checkTags(c, drivers)
}

// noSuch notes that the name at p names nothing.
func (d *decoder) noSuch(p path, what, name string, known []string) {
	if d.lost || what == "tag" && d.lostTags {
		return
	}
	msg := quote(name) + ", no such " + what
	if near := nearest.Word(name, known); near != "" {
		msg += ", nearest " + quote(near)
	}
	const most = 12
	switch {
	case len(known) == 0:
		msg += "; there is none"
	case len(known) <= most:
		msg += "; allowed: " + strings.Join(known, ", ")
	}
	d.complain(p, "%s", msg)
}

// checkCredential looks for a credential's file. It shows where it looked, and
// not for what: the name may be the secret itself, put there by mistake.
func (d *decoder) checkCredential(c *Config, p path, name string) {
	if !d.right(p) {
		return
	}
	file := credentialFile(c.File, name)
	if err := usable(file); err != nil {
		d.complain(p, "cannot use the credential of that name in %s: %v", filepath.Dir(file), err)
	}
}

func (d *decoder) checkDatabase(c *Config, b *Database) {
	p := path("databases").key(b.Name)
	if b.Driver == "" {
		return
	}
	dsn, credential := p.key("dsn"), p.key("dsn_credential")
	if b.Driver == "sqlite" {
		if d.given(credential) {
			d.complainKey(credential, "not allowed with sqlite, allowed dsn")
		} else if !d.given(dsn) {
			d.complainKey(p, "missing key %q", "dsn")
		}
		if base := filepath.Base(b.DSN); d.right(dsn) && filepath.Dir(b.DSN) == c.DataDir && (base == "journal.db" || base == "history.db") {
			d.complain(dsn, "%s, allowed any other file: this one is the engine's own", quote(base))
		}
		return
	}
	if d.given(dsn) {
		if d.right(dsn) {
			d.complainKey(dsn, "not allowed with %s: it may hold a password; put it into a credential and name that by dsn_credential", b.Driver)
		}
	} else if !d.given(credential) {
		d.complainKey(p, "missing key %q", "dsn_credential")
	}
	d.checkCredential(c, credential, b.DSNCredential)
}

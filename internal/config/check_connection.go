package config

import "strings"

func (d *decoder) checkConnection(c *Config, n *Connection, driver DriverChecks) {
	p := path("connections").key(n.Name)
	if n.Driver == "" || n.Driver == DriverSim {
		return
	}
	if url := p.key("url"); d.right(url) && driver.URL != nil {
		if err := driver.URL(n.URL); err != nil {
			d.complain(url, "%s", bare(err, "url"))
		}
	}
	if low, high := p.key("reconnect").key("min"), p.key("reconnect").key("max"); n.Reconnect.Min > n.Reconnect.Max && !d.bad[low] && !d.bad[high] {
		if d.given(low) {
			d.complain(low, "%s, allowed at most max, %s", showDuration(n.Reconnect.Min), showDuration(n.Reconnect.Max))
		} else {
			d.complain(high, "%s, allowed at least min, %s", showDuration(n.Reconnect.Max), showDuration(n.Reconnect.Min))
		}
	}
	switch n.Driver {
	case DriverModbus:
		d.checkUnit(p, n)
		d.checkLateAnswer(p, n)
	case DriverOPCUA:
		d.checkSecurity(p.key("security"), n.OPCUA.Security)
		auth := p.key("auth")
		d.checkCredential(c, auth.key("password_credential"), n.OPCUA.Auth.PasswordCredential)
		d.checkCredential(c, auth.key("key_credential"), n.OPCUA.Auth.KeyCredential)
		if cert := auth.key("cert"); d.right(cert) {
			if err := usable(n.OPCUA.Auth.Cert); err != nil {
				d.complain(cert, "cannot use that file: %v", err)
			}
		}
	}
}

// checkUnit knows the addresses of a serial line: 1 to 247, and 0 for
// broadcast, which no device answers (Modbus over Serial Line V1.02, 2.2). Over
// TCP all 256 are in use (Messaging on TCP/IP Implementation Guide V1.0b, 4.4.2).
func (d *decoder) checkUnit(p path, n *Connection) {
	if _, rtu := framing(n.URL); !rtu || d.bad[p.key("url")] || !d.right(p.key("unit_id")) {
		return
	}
	switch unit := n.Modbus.UnitID; {
	case unit == 0:
		d.complain(p.key("unit_id"), "0, allowed 1 to 247 on a serial line: 0 is broadcast, which no device answers")
	case unit > 247:
		d.complain(p.key("unit_id"), "%d, allowed 1 to 247 on a serial line", unit)
	}
}

// framing returns the scheme of a Modbus URL, and whether it is one of those in
// RTU framing.
func framing(url string) (scheme string, rtu bool) {
	scheme, _, _ = strings.Cut(url, "://")
	return scheme, strings.HasPrefix(scheme, "rtu")
}

// checkLateAnswer also takes it from those that have no use for it: where
// answers carry a transaction identifier, a late one is nobody's anyway.
func (d *decoder) checkLateAnswer(p path, n *Connection) {
	late, timeout := p.key("late_answer"), p.key("timeout")
	_, rtu := framing(n.URL)
	switch m := &n.Modbus; {
	case !d.right(p.key("url")) || d.bad[late] || d.bad[timeout]:
	case !rtu:
		m.LateAnswer = 0
	case m.LateAnswer < m.Timeout && d.given(late):
		d.complain(late, "%s, allowed at least timeout, %s", showDuration(m.LateAnswer), showDuration(m.Timeout))
	case m.LateAnswer < m.Timeout:
		d.complain(timeout, "%s, allowed at most late_answer, %s", showDuration(m.Timeout), showDuration(m.LateAnswer))
	}
}

func (d *decoder) checkSecurity(p path, s Security) {
	policy, mode, cert := p.key("policy"), p.key("mode"), p.key("server_cert")
	if !d.given(p) || d.bad[policy] || d.bad[mode] {
		return
	}
	switch {
	case s.Policy == "None" && s.Mode != "None":
		d.complain(mode, "%s, allowed None with policy None", quote(s.Mode))
	case s.Policy != "None" && s.Mode == "None":
		d.complain(mode, "%s, allowed Sign or SignAndEncrypt with policy %s", quote(s.Mode), s.Policy)
	case s.Policy == "None" && d.right(cert):
		d.complainKey(cert, "not allowed with policy None: nothing proves who the server is")
	}
}

// checkAuth asks for one form of a user, and the whole of it.
func (d *decoder) checkAuth(p path) {
	has := func(name string) bool { return d.given(p.key(name)) }
	// A refused password or key stands for its credential: it has its fault.
	user, password := has("user"), has("password_credential") || has("password")
	cert, key := has("cert"), has("key_credential") || has("key")
	switch {
	case (user || password) && (cert || key), !user && !password && !cert && !key:
		if !d.bad[p] {
			d.complainKey(p, "%s, allowed anonymous, {user, password_credential} or {cert, key_credential}", forms(user || password))
		}
	case user && !password:
		d.complainKey(p, "missing key %q", "password_credential")
	case password && !user:
		d.complainKey(p, "missing key %q", "user")
	case cert && !key:
		d.complainKey(p, "missing key %q", "key_credential")
	case key && !cert:
		d.complainKey(p, "missing key %q", "cert")
	}
}

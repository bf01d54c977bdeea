package config

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"holdfast/gateway/tag"
)

func connections() kind[[]Connection] {
	return named(isName, nameAllowed, namePattern, connection(),
		func(c *Connection, name string, at Pos) { c.Name, c.Pos = name, at })
}

// connection is a mapping whose keys depend on its driver.
func connection() kind[Connection] {
	names := []string{DriverModbus, DriverOPCUA, DriverSim}
	driver := oneOf(names, same)
	kinds := map[string]kind[Connection]{
		DriverModbus: modbusKeys(driver), DriverOPCUA: opcuaKeys(driver), DriverSim: object(driverKey(driver)),
	}
	return kind[Connection]{
		decode: func(d *decoder, p path, n *yaml.Node, c *Connection) {
			if n.Kind != yaml.MappingNode {
				d.wrong(p, n, "a mapping with a driver")
				return
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value != "driver" {
					continue
				}
				key, val := n.Content[i], n.Content[i+1]
				var name string
				if d.simple(p.key("driver"), val) {
					driver.decode(d, p.key("driver"), val, &name)
				}
				if name == "" { // its other keys cannot be judged
					d.places[p.key("driver")] = place{d.pos(key), d.pos(val)}
					return
				}
				k := kinds[name]
				k.absent(c)
				k.decode(d, p, n, c)
				return
			}
			d.complainKey(p, "missing key %q, allowed %s", "driver", wordList(names, "or"))
		},
		schema: func() schema {
			var variants []schema
			for _, n := range names {
				s := kinds[n].schema()
				s["properties"].(schema)["driver"] = schema{"const": n}
				variants = append(variants, s)
			}
			return schema{"oneOf": variants}
		},
	}
}

func driverKey(driver kind[string]) key[Connection] {
	return must(at("driver", "", driver, func(c *Connection) *string { return &c.Driver }))
}

func urlKey(doc string) key[Connection] {
	return must(at("url", doc, withoutUser(words("a URL")), func(c *Connection) *string { return &c.URL }))
}

// withoutUser refuses a URL that may hold a password, without showing it.
func withoutUser(k kind[string]) kind[string] {
	inner := k.decode
	k.decode = func(d *decoder, p path, n *yaml.Node, v *string) {
		if n.Kind == yaml.ScalarNode && hasUser(n.Value) {
			d.fault(p, d.pos(n), "a user before the host, allowed a URL without one: secrets are never inline")
			return
		}
		inner(d, p, n, v)
	}
	return k
}

func reconnectKey() key[Connection] {
	return at("reconnect", "The pause between two attempts to connect doubles from min to max.", object(
		at("min", "", period(10*time.Millisecond, day, 500*time.Millisecond), func(r *Reconnect) *time.Duration { return &r.Min }),
		at("max", "", period(10*time.Millisecond, day, 30*time.Second), func(r *Reconnect) *time.Duration { return &r.Max }),
	), func(c *Connection) *Reconnect { return &c.Reconnect })
}

func orderKind() kind[tag.Order] {
	return oneOf([]string{"ABCD", "CDAB", "BADC", "DCBA"}, func(s string) tag.Order { return tag.Order(s) })
}

func modbusKeys(driver kind[string]) kind[Connection] {
	type demote struct {
		after    int
		pause, m time.Duration
	}
	return object(driverKey(driver),
		urlKey("tcp:// udp:// tcp+tls:// rtu:///dev/serial/by-id/…?baud=19200&parity=even rtuovertcp:// rtuoverudp://"),
		at("unit_id", "Unit identifier: 0 to 255 over TCP and UDP, 1 to 247 on a serial line.",
			or(whole[uint8](0, 255), 1, 1), func(c *Connection) *uint8 { return &c.Modbus.UnitID }),
		at("order", "The order of the bytes of a value of several registers; a tag may override it.",
			or(orderKind(), tag.ABCD, "ABCD"), func(c *Connection) *tag.Order { return &c.Modbus.Order }),
		at("timeout", "Of one request.", period(time.Millisecond, 10*time.Minute, time.Second),
			func(c *Connection) *time.Duration { return &c.Modbus.Timeout }),
		at("late_answer", "rtu://, rtuovertcp:// and rtuoverudp:// only: how late after its request an answer may come, at least timeout. After a failure, and at the start, nothing is asked before.",
			period(time.Millisecond, 10*time.Minute, 5*time.Second), func(c *Connection) *time.Duration { return &c.Modbus.LateAnswer }),
		at("limits", "Of one read request.", object(
			at("registers", "", or(whole[int](1, 125), 125, 125), func(l *Limits) *int { return &l.Registers }),
			at("coils", "", or(whole[int](1, 2000), 2000, 2000), func(l *Limits) *int { return &l.Coils }),
			at("max_gap", "Registers or coils that nobody asked for, read to join two blocks.",
				or(whole[int](0, 1999), 0, 0), func(l *Limits) *int { return &l.MaxGap }),
		), func(c *Connection) *Limits { return &c.Modbus.Limits }),
		at("delay_between", "Pause between requests on the link.", period(0, time.Minute, 0),
			func(c *Connection) *time.Duration { return &c.Modbus.DelayBetween }),
		later[Connection]("demote", "A unit that fails again and again is asked rarely.", object(
			at("after", "Failures in a row.", or(whole[int](1, 1000), 3, 3), func(d *demote) *int { return &d.after }),
			at("for", "", period(time.Millisecond, day, 10*time.Second), func(d *demote) *time.Duration { return &d.pause }),
			at("max", "", period(time.Millisecond, day, 5*time.Minute), func(d *demote) *time.Duration { return &d.m }))),
		reconnectKey(),
	)
}

func opcuaKeys(driver kind[string]) kind[Connection] {
	return object(driverKey(driver),
		urlKey("opc.tcp://host:port/path"),
		at("security", "Left out: None, and only where the server offers it.", securityKeys(), func(c *Connection) *Security { return &c.OPCUA.Security }),
		at("auth", "The session's user: anonymous, or {user, password_credential}, or {cert, key_credential}.",
			authKeys(), func(c *Connection) *Auth { return &c.OPCUA.Auth }),
		at("acquire", "By subscription, or by reading at the scan class's pace.",
			or(oneOf([]string{"subscribe", "poll"}, func(s string) bool { return s == "subscribe" }), true, "subscribe"),
			func(c *Connection) *bool { return &c.OPCUA.Subscribe }),
		at("watchdog", "", object(
			at("silence", "Without a publish response for so long, the session counts as lost.",
				period(100*time.Millisecond, time.Hour, 10*time.Second), func(u *OPCUA) *time.Duration { return &u.Silence }),
		), func(c *Connection) *OPCUA { return &c.OPCUA }),
		at("timeouts", "", object(
			at("connect", "", period(10*time.Millisecond, 10*time.Minute, 5*time.Second), func(t *Timeouts) *time.Duration { return &t.Connect }),
			at("request", "", period(10*time.Millisecond, 10*time.Minute, 4*time.Second), func(t *Timeouts) *time.Duration { return &t.Request }),
			at("session", "The server ends a session that is silent for so long.", period(time.Second, day, time.Minute), func(t *Timeouts) *time.Duration { return &t.Session }),
		), func(c *Connection) *Timeouts { return &c.OPCUA.Timeouts }),
		reconnectKey(),
	)
}

// securityKeys has one default for the whole left out, and others for its keys.
func securityKeys() kind[Security] {
	k := object(
		at("policy", "", or(oneOf([]string{"None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"}, same), "Basic256Sha256", "Basic256Sha256"),
			func(s *Security) *string { return &s.Policy }),
		at("mode", "", or(oneOf([]string{"None", "Sign", "SignAndEncrypt"}, same), "SignAndEncrypt", "SignAndEncrypt"), func(s *Security) *string { return &s.Mode }),
		at("server_cert", "trusted: a file in pki/trusted of data_dir; fingerprint: and the SHA-256 in hexadecimal; any: not checked, said loudly at each start.",
			or(serverCert(), "trusted", "trusted"), func(s *Security) *string { return &s.ServerCert }),
	)
	inner, defaults := k.decode, k.absent
	k.absent = func(s *Security) { *s = Security{Policy: "None", Mode: "None"} }
	k.decode = func(d *decoder, p path, n *yaml.Node, s *Security) {
		if isNull(n) {
			d.wrong(p, n, "a mapping; left out: no security")
			return
		}
		defaults(s)
		inner(d, p, n, s)
		if s.Policy == "None" && !d.given(p.key("mode")) {
			s.Mode = "None"
		}
		if s.Policy == "None" && !d.given(p.key("server_cert")) {
			s.ServerCert = ""
		}
	}
	sch := k.schema
	k.schema = func() schema { return notNull(sch()) }
	return k
}

func serverCert() kind[string] {
	return scalar("trusted, any or fingerprint: and 64 hexadecimal digits",
		schema{"type": "string", "pattern": "^(trusted|any|fingerprint:([0-9a-fA-F]{2}:?){32})$"},
		func(t text) (string, bool) {
			digits, isFingerprint := strings.CutPrefix(t.value, "fingerprint:")
			if !isFingerprint {
				return t.value, t.value == "trusted" || t.value == "any"
			}
			digits = strings.ReplaceAll(digits, ":", "")
			sum, err := hex.DecodeString(digits)
			return "fingerprint:" + strings.ToLower(digits), err == nil && len(sum) == sha256.Size
		})
}

// authKeys takes the word anonymous, or a mapping in one of two forms.
func authKeys() kind[Auth] {
	const inline = "secrets are never inline, put it into a credential and name it by "
	k := object(
		at("user", "", words("a user's name"), func(a *Auth) *string { return &a.User }),
		at("password_credential", "The credential that holds the password.", credential(), func(a *Auth) *string { return &a.PasswordCredential }),
		at("cert", "File of the user's certificate, relative to this file.", filePath("a file"), func(a *Auth) *string { return &a.Cert }),
		at("key_credential", "The credential that holds the certificate's private key.", credential(), func(a *Auth) *string { return &a.KeyCredential }),
		refused[Auth]("password", inline+"password_credential"),
		refused[Auth]("key", inline+"key_credential"),
	)
	inner, sch := k.decode, k.schema
	k.decode = func(d *decoder, p path, n *yaml.Node, a *Auth) {
		switch {
		case n.Kind == yaml.ScalarNode && n.Value == "anonymous":
		case n.Kind != yaml.MappingNode:
			d.fault(p, d.pos(n), "allowed anonymous, {user, password_credential} or {cert, key_credential}")
		default:
			inner(d, p, n, a)
			d.checkAuth(p)
		}
	}
	k.schema = func() schema {
		s := notNull(sch())
		s["dependentRequired"] = schema{"user": []string{"password_credential"}, "password_credential": []string{"user"},
			"cert": []string{"key_credential"}, "key_credential": []string{"cert"}}
		s["minProperties"], s["maxProperties"] = 2, 2
		return schema{"oneOf": []schema{{"const": "anonymous"}, s}}
	}
	return k
}

// urlPrefix is where http.request may go. Without the slash after the host,
// https://host would be a prefix of https://host.example.org.
func urlPrefix() kind[string] {
	return withoutUser(scalar("a URL prefix with a path, such as https://host/", schema{"type": "string", "pattern": "^https?://[^/@?#]+/[^?#]*$"},
		func(t text) (string, bool) {
			u, err := url.Parse(t.value)
			return t.value, err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Path != "" &&
				u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(t.value, " #?")
		}))
}

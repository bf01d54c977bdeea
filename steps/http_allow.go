package steps

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"holdfast/engine"
)

// allowed is the list of URL prefixes that requests may go to; none: all.
type allowed []prefix

type prefix struct {
	scheme, host string // host in lower case, with its port
	path         string // without a "/" at its end
	text         string // as configured
}

// parseAllow reads prefixes of the form scheme://host[:port][/path].
func parseAllow(list []string) (allowed, error) {
	var rules allowed
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("cannot read allowed URL: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("cannot use allowed URL %q: it has to be http:// or https://, a host, perhaps a port and a path, and nothing else", u.Redacted())
		}
		rules = append(rules, prefix{scheme: u.Scheme, host: hostPort(u), path: strings.TrimRight(cleanPath(u), "/"), text: s})
	}
	return rules, nil
}

// check returns a StepError NotAllowed for a URL that no prefix permits.
func (l allowed) check(u *url.URL) error {
	if len(l) == 0 {
		return nil
	}
	at := cleanPath(u)
	names := make([]string, len(l))
	for i, p := range l {
		if u.Scheme == p.scheme && hostPort(u) == p.host && (at == p.path || strings.HasPrefix(at, p.path+"/")) {
			return nil
		}
		names[i] = p.text
	}
	return engine.Errorf("NotAllowed", "%s is not among the URLs that the configuration allows: %s", place(u), strings.Join(names, ", "))
}

// hostPort returns the host in lower case with its port, also where the port
// is the scheme's own.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// cleanPath returns the path as a server may come to see it, decoded and
// without dot segments, so that none leads out of an allowed prefix. Some
// servers take a backslash for a slash.
func cleanPath(u *url.URL) string {
	return path.Clean("/" + strings.ReplaceAll(u.Path, `\`, "/"))
}

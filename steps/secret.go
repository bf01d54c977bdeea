package steps

import (
	"context"
	"net/http"
	"strings"

	"holdfast/engine"
	"holdfast/engine/value"
)

// Secrets looks up what a credential holds. It is asked each time that one is
// sent, so that a credential may be exchanged.
type Secrets func(name string) (string, error)

// reveal returns what is to be sent for a value. used remembers what secrets
// hold, so that conceal can take it out of messages.
func (s Secrets) reveal(v any, used *concealer) (any, error) {
	name, ok := v.(value.Secret)
	if !ok {
		return v, nil
	}
	if s == nil {
		return nil, engine.Errorf("NoSuchSecret", "%s: there are no credentials", name)
	}
	text, err := s(string(name))
	if err != nil {
		return nil, engine.Errorf("NoSuchSecret", "%s: %v", name, err)
	}
	if text != "" {
		*used = append(*used, text, name.String())
	}
	return text, nil
}

// concealer is what secrets hold, each followed by what to show instead.
type concealer []string

// text returns s without what secrets hold.
func (c concealer) text(s string) string {
	if len(c) == 0 {
		return s
	}
	return strings.NewReplacer(c...).Replace(s)
}

// secretHeaders are the names of the headers of a request that hold secrets.
type secretHeaders struct{}

// withSecretHeaders returns ctx for a request of which these headers hold secrets.
func withSecretHeaders(ctx context.Context, names []string) context.Context {
	return context.WithValue(ctx, secretHeaders{}, names)
}

// keepSecrets takes secrets out of a request that was redirected to another host.
func keepSecrets(r *http.Request, first *http.Request) {
	if r.URL.Scheme == first.URL.Scheme && r.URL.Host == first.URL.Host {
		return
	}
	names, _ := r.Context().Value(secretHeaders{}).([]string)
	for _, name := range names {
		r.Header.Del(name)
	}
}

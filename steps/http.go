package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"holdfast/engine"
	"holdfast/engine/value"
)

const (
	maxAnswer    = 8 << 20 // bytes of an answer's body
	maxRedirects = 10
)

// HTTPSteps returns http.request. It goes only where allow permits: URL
// prefixes, compared by scheme, host, port and whole path segments; none
// permits everything. The error names a prefix that is not one.
func HTTPSteps(allow []string) ([]engine.Step, error) { return httpSteps(allow, nil) }

// httpSteps is HTTPSteps with secrets: among the headers they are sent, to the
// first host only.
func httpSteps(allow []string, secrets Secrets) ([]engine.Step, error) {
	rules, err := parseAllow(allow)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return engine.Errorf("HTTPError", "%s was redirected %d times", place(via[0].URL), maxRedirects)
		}
		keepSecrets(r, via[0])
		return rules.check(r.URL)
	}}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		client.Transport = t.Clone()
	}
	return []engine.Step{&requestStep{described{"http.request", []engine.Param{required("method"), required("url"),
		optional("headers", nil), optional("params", nil), optional("data", nil), optional("json_body", nil),
		optional("timeout_ms", int64(10000))}}, client, rules, secrets}}, nil
}

// requestStep is http.request.
type requestStep struct {
	described
	client  *http.Client
	rules   allowed
	secrets Secrets
}

// Effect reports whether the method may change something.
func (r requestStep) Effect(a engine.Args) bool {
	method, err := a.String("method")
	return err != nil || !safe(strings.ToUpper(method))
}

// safe reports whether a method is a mere question (RFC 9110, 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// Run returns {"status", "text", "headers"} of the final answer, whatever its status.
func (r requestStep) Run(ctx context.Context, a engine.Args) (any, error) {
	timeout, err := a.Millis("timeout_ms")
	if err != nil {
		return nil, err
	}
	if timeout == 0 {
		return nil, engine.Errorf("BadArgument", "timeout_ms is 0, not a number of milliseconds above 0")
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := newRequest(limited, a, r.secrets)
	if err != nil {
		return nil, err
	}
	if err := r.rules.check(req.URL); err != nil {
		return nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, failedRequest(ctx, limited, req, a, err)
	}
	defer func() { _ = res.Body.Close() }() // what there was to read has been read by then
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, failedRequest(ctx, limited, req, a, err)
	}
	if len(body) > maxAnswer {
		return nil, engine.Errorf("HTTPError", "the answer of %s is longer than %d bytes, the most that a step may hold", place(req.URL), maxAnswer)
	}
	return value.NewMap(
		"status", int64(res.StatusCode),
		"text", decodeText(body, res.Header.Get("Content-Type")),
		"headers", headerMap(res.Header),
	), nil
}

// Resolved takes the status of the answer, or a dict of status, text and headers
// as the step itself would have returned; what it leaves out is empty.
func (r requestStep) Resolved(_ engine.Args, given any) (any, error) {
	out := value.NewMap("status", given, "text", "", "headers", &value.Map{})
	if m, ok := given.(*value.Map); ok {
		for _, p := range m.Pairs {
			name, _ := p.Key.(string)
			if _, known := out.Get(name); !known {
				return nil, fmt.Errorf("the value has %s, allowed are status, text, headers", value.Short(p.Key, 60))
			}
			out.Set(name, p.Value)
		}
	}
	status, _ := out.Get("status")
	text, _ := out.Get("text")
	headers, _ := out.Get("headers")
	_, isText := text.(string)
	_, isMap := headers.(*value.Map)
	if n, ok := status.(int64); !ok || n < 100 || n > 599 || !isText || !isMap {
		return nil, fmt.Errorf("the value has to be the status of the answer, 100 to 599, or what the step returns, as in --value 200 or --value '{\"status\": 200, \"text\": \"…\"}'")
	}
	return out, nil
}

// failedRequest makes a step's failure of a transport's error.
func failedRequest(ctx, limited context.Context, req *http.Request, a engine.Args, err error) error {
	var failure *engine.StepError
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, whose query may hold a secret
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &failure):
		return failure
	case limited.Err() != nil:
		return engine.Errorf("Timeout", "%s %s: no answer within %v ms", req.Method, place(req.URL), a.Value("timeout_ms"))
	}
	return engine.Errorf("ConnectionFailed", "%s %s: %v", req.Method, place(req.URL), err)
}

// place shows where a URL leads, without user, query and fragment.
func place(u *url.URL) string { return fmt.Sprintf("%s://%s%s", u.Scheme, u.Host, u.EscapedPath()) }

// headerMap returns headers by canonical name, sorted; several of one name are joined by ", ".
func headerMap(h http.Header) *value.Map {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	m := &value.Map{}
	for _, name := range names {
		m.Set(name, decodeText([]byte(strings.Join(h[name], ", ")), ""))
	}
	return m
}

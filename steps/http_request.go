package steps

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/engine"
	"holdfast/engine/value"
)

// newRequest builds the request that the arguments describe, as Python's
// requests would: params are added to the URL's query, data is sent as it is or
// as a form, json_body as JSON.
func newRequest(ctx context.Context, a engine.Args, secrets Secrets) (*http.Request, error) {
	method, err := a.String("method")
	if err != nil {
		return nil, err
	}
	method = strings.ToUpper(method)
	if !token(method) {
		return nil, engine.Errorf("BadArgument", "method is %.40q, not an HTTP method", method)
	}
	u, err := target(a)
	if err != nil {
		return nil, err
	}
	body, contentType, err := payload(a)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, engine.Errorf("BadURL", "%v", err)
	}
	if body == "" {
		req.Body, req.GetBody = http.NoBody, nil
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "holdfast")
	if !safe(method) {
		req.Header.Set("Idempotency-Key", a.Key.String())
	}
	hidden, err := setHeaders(req, a, secrets)
	return req.WithContext(withSecretHeaders(ctx, hidden)), err
}

// target returns the URL with the params.
func target(a engine.Args) (*url.URL, error) {
	text, err := a.String("url")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, engine.Errorf("BadURL", "%v", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, engine.Errorf("BadURL", "%q is not a URL of the form http://host/path or https://host/path", u.Redacted())
	}
	if a.Value("params") == nil {
		return u, nil
	}
	var query string
	if s, ok := a.Value("params").(string); ok {
		query = s
	} else if query, err = form(a.Value("params")); err != nil {
		return nil, engine.Errorf("BadArgument", "params: %v", err)
	}
	if u.RawQuery != "" && query != "" {
		query = u.RawQuery + "&" + query
	} else if query == "" {
		query = u.RawQuery
	}
	u.RawQuery = query
	return u, nil
}

// payload returns the body and its content type; "" where the author has to say it.
func payload(a engine.Args) (body, contentType string, err error) {
	data, doc := a.Value("data"), a.Value("json_body")
	if data != nil && doc != nil {
		return "", "", engine.Errorf("BadArgument", "both data and json_body are given, a request has one body")
	}
	if doc != nil {
		if err := strictJSON(doc); err != nil {
			return "", "", engine.Errorf("BadArgument", "json_body: %v", err)
		}
		b, err := value.AppendJSON(nil, doc)
		if err != nil {
			return "", "", engine.Errorf("BadArgument", "json_body: %v", err)
		}
		return string(b), "application/json", nil
	}
	switch data := data.(type) {
	case nil:
		return "", "", nil
	case string:
		return data, "", nil
	case []byte:
		return string(data), "", nil
	}
	if body, err = form(data); err != nil {
		return "", "", engine.Errorf("BadArgument", "data: %v", err)
	}
	return body, "application/x-www-form-urlencoded", nil
}

// form encodes a dict, or a list of pairs, as a form in their order. None is
// left out; a list as a value gives its name several times.
func form(v any) (string, error) {
	var pairs []value.Pair
	switch v := v.(type) {
	case *value.Map:
		pairs = v.Pairs
	case *value.Struct:
		pairs = v.Pairs
	default:
		l, ok := elements(v)
		if !ok {
			return "", fmt.Errorf("a dict, a list of pairs or a string is needed")
		}
		for i, e := range l {
			pair, ok := elements(e)
			if !ok || len(pair) != 2 {
				return "", fmt.Errorf("[%d] is not a pair", i)
			}
			pairs = append(pairs, value.Pair{Key: pair[0], Value: pair[1]})
		}
	}
	var b strings.Builder
	for _, p := range pairs {
		name, err := word(p.Key)
		if err != nil {
			return "", err
		}
		values, ok := elements(p.Value)
		if !ok {
			values = []any{p.Value}
		}
		for _, v := range values {
			if v == nil {
				continue
			}
			s, err := word(v)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(s))
		}
	}
	return b.String(), nil
}

func elements(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case value.Tuple:
		return v, true
	}
	return nil, false
}

// word writes a scalar as Python's str does.
func word(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case *big.Int:
		return v.String(), nil
	case float64:
		b, err := value.AppendJSON(nil, v)
		return strings.Trim(string(b), `"`), err
	case value.Secret:
		return "", fmt.Errorf("%s can be sent as a header only", v)
	}
	return "", fmt.Errorf("a %T is not a string, number or bool", v)
}

// strictJSON refuses what JSON has no form for.
func strictJSON(v any) error {
	var in []any
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("JSON has no %v", v)
		}
	case []byte:
		return fmt.Errorf("JSON has no bytes")
	case value.Secret:
		return fmt.Errorf("%s can be sent as a header only", v)
	case value.Set:
		return fmt.Errorf("JSON has no set")
	case []any:
		in = v
	case value.Tuple:
		in = v
	case *value.Map:
		for _, p := range v.Pairs {
			in = append(in, p.Value)
		}
	case *value.Struct:
		return strictJSON(&v.Map)
	}
	for _, e := range in {
		if err := strictJSON(e); err != nil {
			return err
		}
	}
	return nil
}

// setHeaders sets the author's headers over the step's own, and returns the names
// of those that hold secrets. None takes one away.
func setHeaders(req *http.Request, a engine.Args, secrets Secrets) (hidden []string, err error) {
	headers, err := a.Map("headers")
	if err != nil || headers == nil {
		return nil, err
	}
	for _, p := range headers.Pairs {
		name, ok := p.Key.(string)
		if !ok || !token(name) {
			return nil, engine.Errorf("BadArgument", "headers: %.40q is not the name of a header", fmt.Sprint(p.Key))
		}
		if p.Value == nil {
			req.Header.Del(name)
			continue
		}
		v, err := secrets.reveal(p.Value, new(concealer))
		if err != nil {
			return nil, err
		}
		if _, ok := p.Value.(value.Secret); ok {
			hidden = append(hidden, name)
		}
		text, ok := v.(string)
		if !ok || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, engine.Errorf("BadArgument", "headers: the value of %s is not a string on one line", name)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = text
			continue
		}
		req.Header.Set(name, text)
	}
	return hidden, nil
}

// token reports whether s is a token of HTTP (RFC 9110, 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// decodeText returns a body as text. It is taken as UTF-8 where it is that,
// unless Content-Type says ISO-8859-1; else as ISO-8859-1, which has a character
// for every byte.
func decodeText(body []byte, contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	charset := ""
	if err == nil {
		charset = strings.ToLower(params["charset"])
	}
	if charset != "iso-8859-1" && charset != "latin1" && utf8.Valid(body) {
		return strings.TrimPrefix(string(body), "\ufeff")
	}
	runes := make([]rune, len(body))
	for i, c := range body {
		runes[i] = rune(c)
	}
	return string(runes)
}

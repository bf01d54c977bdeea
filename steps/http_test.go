package steps

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
)

func newHTTP(t *testing.T, allow ...string) engine.Step {
	t.Helper()
	list, err := HTTPSteps(allow)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Seen", "one")
	w.Header().Add("X-Seen", "two")
	w.WriteHeader(http.StatusTeapot)
	for _, s := range []string{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), r.Header.Get("X-Mine"), string(body)} {
		if _, err := io.WriteString(w, s+"|"); err != nil {
			return
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(srv.Close)
	request := newHTTP(t)
	for _, c := range []struct {
		name string
		args []any
		want string
	}{
		{"get", []any{"method", "get", "url", "/a?b=1"}, "GET|/a?b=1|||||"},
		{"params", []any{"method", "GET", "url", "/a?b=1", "params", value.NewMap("z", int64(1), "a", "x y&", "n", nil, "l", []any{true, 1.5})},
			"GET|/a?b=1&z=1&a=x+y%26&l=True&l=1.5|||||"},
		{"params as text", []any{"method", "GET", "url", "/a", "params", "q=1&r"}, "GET|/a?q=1&r|||||"},
		{"no params", []any{"method", "GET", "url", "/a?b=1", "params", &value.Map{}}, "GET|/a?b=1|||||"},
		{"json", []any{"method", "POST", "url", "/a", "json_body", value.NewMap("b", int64(1), "a", []any{nil, 2.0, "ä"})},
			`POST|/a|application/json|box/run-1/7||{"b":1,"a":[null,2.0,"ä"]}|`},
		{"text", []any{"method", "PUT", "url", "/a", "data", "raw", "headers", value.NewMap("x-mine", "yes", "content-type", "text/plain")},
			"PUT|/a|text/plain|box/run-1/7|yes|raw|"},
		{"bytes", []any{"method", "POST", "url", "/a", "data", []byte("raw")}, "POST|/a||box/run-1/7||raw|"},
		{"form", []any{"method", "POST", "url", "/a", "data", value.NewMap("k", "ü", "m", []any{int64(1), int64(2)})},
			"POST|/a|application/x-www-form-urlencoded|box/run-1/7||k=%C3%BC&m=1&m=2|"},
		{"form of pairs", []any{"method", "POST", "url", "/a", "data", []any{value.Tuple{"k", "v"}, []any{"k", "w"}}},
			"POST|/a|application/x-www-form-urlencoded|box/run-1/7||k=v&k=w|"},
		{"own key", []any{"method", "DELETE", "url", "/a", "headers", value.NewMap("Idempotency-Key", "mine")}, "DELETE|/a||mine|||"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := call(t, request, c.args...)
			a.Values.Set("url", srv.URL+a.Value("url").(string))
			res, err := request.Run(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			m := res.(*value.Map)
			status, _ := m.Get("status")
			text, _ := m.Get("text")
			if status != int64(418) || text != c.want {
				t.Errorf("got  %v %v\nwant %s", status, text, c.want)
			}
			headers, _ := m.Get("headers")
			if seen, _ := headers.(*value.Map).Get("X-Seen"); seen != "one, two" {
				t.Errorf("X-Seen is %v", seen)
			}
		})
	}
	a := call(t, request, "method", "POST", "url", srv.URL)
	a.Key.Inner = 3
	res, err := request.Run(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := res.(*value.Map).Get("text"); !strings.Contains(text.(string), "|box/run-1/7/3|") {
		t.Errorf("the key of a request within a user step: %v", text)
	}
}

func TestRequestEffect(t *testing.T) {
	t.Parallel()
	request := newHTTP(t)
	for method, want := range map[any]bool{"GET": false, "head": false, "Options": false, "POST": true, "DELETE": true, "FETCH": true, int64(1): true} {
		a := call(t, request, "method", method, "url", "http://127.0.0.1/")
		if got := request.(engine.Effector).Effect(a); got != want {
			t.Errorf("%v is an effect: %v", method, got)
		}
	}
}

func TestRequestBadArguments(t *testing.T) {
	t.Parallel()
	request := newHTTP(t, "http://127.0.0.1:1/ok")
	for _, c := range []struct {
		kind, message string
		args          []any
	}{
		{"BadURL", `"ftp://127.0.0.1/" is not a URL of the form http://host/path or https://host/path`, []any{"url", "ftp://127.0.0.1/"}},
		{"BadURL", `"mes/orders" is not a URL of the form http://host/path or https://host/path`, []any{"url", "mes/orders"}},
		{"BadURL", `parse "http://[::1": missing ']' in host`, []any{"url", "http://[::1"}},
		{"BadArgument", "url is 5, not a string", []any{"url", int64(5)}},
		{"BadArgument", `method is "GET IT", not an HTTP method`, []any{"method", "get it"}},
		{"BadArgument", "timeout_ms is 0, not a number of milliseconds above 0", []any{"timeout_ms", int64(0)}},
		{"BadArgument", "both data and json_body are given, a request has one body", []any{"data", "a", "json_body", "b"}},
		{"BadArgument", "json_body: JSON has no NaN", []any{"json_body", []any{value.NewMap("a", math.NaN())}}},
		{"BadArgument", "json_body: JSON has no bytes", []any{"json_body", value.Tuple{[]byte("a")}}},
		{"BadArgument", "data: [0] is not a pair", []any{"data", []any{"ab"}}},
		{"BadArgument", "params: a dict, a list of pairs or a string is needed", []any{"params", int64(1)}},
		{"BadArgument", "headers is [], not a dict", []any{"headers", []any{}}},
		{"BadArgument", `headers: "a b" is not the name of a header`, []any{"headers", value.NewMap("a b", "c")}},
		{"BadArgument", "headers: the value of X is not a string on one line", []any{"headers", value.NewMap("X", "a\r\nEvil: b")}},
		{"NotAllowed", "http://127.0.0.1:1/no is not among the URLs that the configuration allows: http://127.0.0.1:1/ok", []any{"url", "http://user:secret@127.0.0.1:1/no?token=1"}},
	} {
		args := append([]any{"method", "POST", "url", "http://127.0.0.1:1/ok"}, c.args...)
		m := value.NewMap()
		for i := 0; i < len(args); i += 2 {
			m.Set(args[i].(string), args[i+1]) // the later one counts
		}
		var kv []any
		for _, p := range m.Pairs {
			kv = append(kv, p.Key, p.Value)
		}
		_, err := request.Run(t.Context(), call(t, request, kv...))
		fails(t, err, c.kind, c.message)
	}
}

func TestRequestFailures(t *testing.T) {
	t.Parallel()
	release := make(chan struct{}) // closed at the end: lets hanging answers go
	mux := http.NewServeMux()
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/stall", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.CopyN(w, zeros{}, maxAnswer+1); err != nil {
			return // the client has had enough
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		if _, err := io.WriteString(w, "half"); err != nil {
			return
		}
	})
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("/secret/x", http.StatusFound))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + gone.Addr().String()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	allow := []string{dead}
	for _, path := range []string{"/hang", "/stall", "/long", "/cut", "/loop", "/away"} {
		allow = append(allow, srv.URL+path)
	}
	request := newHTTP(t, allow...)
	for _, c := range []struct{ url, kind, contains string }{
		{srv.URL + "/hang?token=secret", "Timeout", "POST " + srv.URL + "/hang: no answer within 50 ms"},
		{srv.URL + "/stall", "Timeout", "no answer within 50 ms"},
		{srv.URL + "/long", "HTTPError", "is longer than 8388608 bytes"},
		{srv.URL + "/cut", "ConnectionFailed", "unexpected EOF"},
		{srv.URL + "/loop", "HTTPError", "was redirected 10 times"},
		{srv.URL + "/away", "NotAllowed", "/secret/x is not among"},
		{dead, "ConnectionFailed", "connection refused"},
	} {
		t.Run(strings.TrimPrefix(c.url, srv.URL), func(t *testing.T) {
			t.Parallel()
			ms := int64(60000)
			if c.kind == "Timeout" {
				ms = 50
			}
			_, err := request.Run(t.Context(), call(t, request, "method", "POST", "url", c.url, "timeout_ms", ms))
			e := fails(t, err, c.kind, "")
			if !strings.Contains(e.Message, c.contains) || strings.Contains(e.Message, "secret=") || e.Unknown {
				t.Errorf("got %q, unknown %v", e.Message, e.Unknown)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestRequestCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("the run was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		cancel(why)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	request := newHTTP(t)
	_, err := request.Run(ctx, call(t, request, "method", "POST", "url", srv.URL))
	if !errors.Is(err, why) || asked.Load() != 1 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, url string
		want       bool
	}{
		{"https://mes.example.com/", "https://mes.example.com/", true},
		{"https://mes.example.com/", "https://mes.example.com", true},
		{"https://mes.example.com", "https://MES.example.com:443/a/b?c", true},
		{"https://mes.example.com/", "http://mes.example.com/", false},
		{"https://mes.example.com/", "https://mes.example.com:444/", false},
		{"https://mes.example.com/", "https://mes.example.com.evil.example/", false},
		{"https://mes.example.com/", "https://mes.example.com@evil.example/", false},
		{"https://mes.example.com/", "https://evil.example/https://mes.example.com/", false},
		{"https://mes.example.com/", `https://evil.example\@mes.example.com/`, false},
		{"https://mes.example.com/", "https://user:pw@mes.example.com/", true},
		{"https://mes.example.com/api", "https://mes.example.com/api", true},
		{"https://mes.example.com/api", "https://mes.example.com/api/v1", true},
		{"https://mes.example.com/api/", "https://mes.example.com/api/v1", true},
		{"https://mes.example.com/api", "https://mes.example.com/apiary", false},
		{"https://mes.example.com/api", "https://mes.example.com/api/../admin", false},
		{"https://mes.example.com/api", "https://mes.example.com/api/%2e%2e/admin", false},
		{"https://mes.example.com/api", "https://mes.example.com/api/..%2fadmin", false},
		{"https://mes.example.com/api", `https://mes.example.com/api/..%5cadmin`, false},
		{"https://mes.example.com/api", "https://mes.example.com/x/../api/v1", true},
		{"http://[::1]:8080/a", "http://[::1]:8080/a/b", true},
		{"http://10.0.0.1:8080", "http://10.0.0.1/", false},
	} {
		request := newHTTP(t, c.allow)
		u, err := target(call(t, request, "method", "GET", "url", c.url))
		if err == nil {
			err = request.(*requestStep).rules.check(u)
		}
		if (err == nil) != c.want {
			t.Errorf("%s with %s: %v", c.url, c.allow, err)
		}
	}
	for _, bad := range []string{"mes.example.com", "https://", "ftp://a/", "https://u@a/", "https://a/?q", "https://a/#f", "https://a:b/"} {
		if _, err := HTTPSteps([]string{bad}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, contentType, want string }{
		{"grün", "text/plain; charset=utf-8", "grün"},
		{"\ufeffgrün", "", "grün"},
		{"gr\xfcn", "text/plain; charset=ISO-8859-1", "grün"},
		{"gr\xfcn", "text/plain", "grün"},
		{"gr\xc3\xbcn", "text/plain; charset=latin1", "gr\u00c3\u00bcn"},
		{"", "bad;;", ""},
	} {
		if got := decodeText([]byte(c.body), c.contentType); got != c.want {
			t.Errorf("%q as %q is %q, want %q", c.body, c.contentType, got, c.want)
		}
	}
}

// A form reads back as the pairs that it was made of.
func FuzzForm(f *testing.F) {
	f.Add("k", "v", "w")
	f.Add("a b&=", "ä\x00", "%2f+")
	f.Add("", "\xff", "")
	f.Fuzz(func(t *testing.T, name, first, second string) {
		text, err := form(value.NewMap(name, []any{first, nil, second}))
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.ParseQuery(text)
		if err != nil || len(back) != 1 || !slices.Equal(back[name], []string{first, second}) {
			t.Errorf("%q is %v, %v", text, back, err)
		}
	})
}

package steps

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
)

// credentials holds one secret.
func credentials(name string) (string, error) {
	if name == "mes-token" {
		return "hunter2-hunter2", nil
	}
	return "", errors.New("no such file")
}

func requestWithSecrets(t *testing.T) engine.Step {
	t.Helper()
	list, err := httpSteps(nil, credentials)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// A secret among the headers is sent as what it holds, and to the first host
// only.
func TestSecretHeader(t *testing.T) {
	t.Parallel()
	var other *httptest.Server
	var mu sync.Mutex
	seen := map[string]http.Header{}
	note := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen[name+r.URL.Path] = r.Header.Clone()
			mu.Unlock()
			switch r.URL.Path {
			case "/here":
				http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
			case "/there":
				http.Redirect(w, r, other.URL+"/end", http.StatusTemporaryRedirect)
			}
		}
	}
	first := httptest.NewServer(note("first"))
	t.Cleanup(first.Close)
	other = httptest.NewServer(note("other"))
	t.Cleanup(other.Close)
	request := requestWithSecrets(t)
	for _, path := range []string{"/here", "/there"} {
		if _, err := request.Run(t.Context(), call(t, request, "method", "POST", "url", first.URL+path,
			"headers", value.NewMap("X-Token", value.Secret("mes-token"), "X-Mine", "yes"))); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for at, want := range map[string]string{"first/here": "hunter2-hunter2", "first/end": "hunter2-hunter2", "first/there": "hunter2-hunter2", "other/end": ""} {
		if h := seen[at]; h.Get("X-Token") != want || h.Get("X-Mine") != "yes" {
			t.Errorf("%s saw %v", at, h)
		}
	}
}

// Where a secret cannot be sent it is an error that has its name.
func TestSecretRefused(t *testing.T) {
	t.Parallel()
	request, plain := requestWithSecrets(t), newHTTP(t)
	secret := value.Secret("mes-token")
	for _, c := range []struct {
		step engine.Step
		args []any
		want string
	}{
		{request, []any{"headers", value.NewMap("X-Token", value.Secret("none"))}, "NoSuchSecret: secret(none): no such file"},
		{plain, []any{"headers", value.NewMap("X-Token", secret)}, "NoSuchSecret: secret(mes-token): there are no credentials"},
		{request, []any{"json_body", value.NewMap("k", []any{secret})}, "BadArgument: json_body: secret(mes-token) can be sent as a header only"},
		{request, []any{"data", value.NewMap("k", secret)}, "BadArgument: data: k: secret(mes-token) can be sent as a header only"},
		{request, []any{"params", value.NewMap("k", secret)}, "BadArgument: params: k: secret(mes-token) can be sent as a header only"},
	} {
		_, err := c.step.Run(t.Context(), call(t, c.step, append([]any{"method", "POST", "url", "http://127.0.0.1:1/"}, c.args...)...))
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	_, err := request.Run(t.Context(), call(t, request, "method", "GET", "url", secret))
	if want := `BadArgument: url is "secret(mes-token)", not a string`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := fromPlain(secret); err == nil {
		t.Error("a tag took a secret")
	}
}

// A secret among the arguments of a statement is sent as what it holds; what is
// recorded of the step, and what a database says of it, has its name.
func TestSecretArgument(t *testing.T) {
	t.Parallel()
	b := sqliteBench(t)
	b.all.secrets = credentials
	if _, err := b.update.Run(t.Context(), call(t, b.update, "dbName", "plain", "sql", "CREATE TABLE t (k)")); err != nil {
		t.Fatal(err)
	}
	args := call(t, b.update, "dbName", "once", "sql", "INSERT INTO t VALUES (?)", "args", []any{value.Secret("mes-token")})
	if _, err := b.update.Run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	if n, err := b.ask(t, "SELECT count(*) AS n FROM t WHERE k = ?", value.Secret("mes-token")); err != nil || value.Short(n, 100) != `[{"n":1}]` {
		t.Errorf("found %s, %v", value.Short(n, 100), err)
	}
	if _, err := b.ask(t, "SELECT ?", value.Secret("none")); err == nil || err.Error() != "NoSuchSecret: secret(none): no such file" {
		t.Errorf("got %v", err)
	}
	s, err := b.all.statement(args)
	if err != nil {
		t.Fatal(err)
	}
	err = s.failed(t.Context(), errors.New(`invalid input syntax for type integer: "hunter2-hunter2"`))
	if want := `invalid input syntax for type integer: "secret(mes-token)"`; !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	b.all.secrets = func(string) (string, error) { return "another", nil } // exchanged meanwhile
	if again, err := b.all.statement(args); err != nil || again.key != s.key {
		t.Errorf("the step's place depends on what its secret holds: %v", err)
	}
}

package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/user"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/internal/control"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
)

// over is an HTTP client of a socket.
func over(network, address string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}}
}

// ask makes a request and returns the answer's status and body.
func ask(t *testing.T, c *http.Client, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://holdfast"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

func TestRequestsAreStrict(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	c := over("unix", d.Socket)
	for _, r := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/runs", `{"workflow": "test.count", "ID": "x"}`, 400, `unknown key "ID", allowed are`},
		{"POST", "/v1/runs", `{"workflow": "test.count", "workflow": "test.idle"}`, 400, `key "workflow" stands twice`},
		{"POST", "/v1/runs", `{"workflow": "test.count"} {}`, 400, "more than one JSON value"},
		{"POST", "/v1/runs", `["test.count"]`, 400, "not a JSON object"},
		{"POST", "/v1/runs", ``, 400, "not one JSON document"},
		{"POST", "/v1/runs", `{"workflow": 5}`, 400, "workflow is a number, not a string"},
		{"POST", "/v1/runs", `{"workflow": "test.count", "inputs": 5}`, 400, "the inputs are not a JSON object"},
		{"POST", "/v1/runs", `{"workflow": "test.count", "timeout_ms": -1}`, 400, "timeout_ms is -1"},
		{"POST", "/v1/runs", `{"workflow": "test.count", "timeout_ms": 9223372036854775807}`, 400, "timeout_ms is"},
		{"POST", "/v1/runs", `{"workflow": "` + strings.Repeat("x", 1<<20) + `"}`, 400, "more than 1048576 bytes"},
		{"POST", "/v1/runs", `{"workflow": "test.none"}`, 404, "no such workflow"},
		{"GET", "/v1/runs?stauts=RUNNING", "", 400, `unknown parameter "stauts"`},
		{"GET", "/v1/runs?status=running", "", 400, `status is "running"`},
		{"GET", "/v1/runs?limit=-1", "", 400, `limit is "-1"`},
		{"GET", "/v1/runs?since=now", "", 400, `since is "now"`},
		{"GET", "/v1/runs/none/steps", "", 404, "no such run"},
		{"GET", "/v1/runs/none/steps?from=x", "", 400, `from is "x"`},
		{"GET", "/v1/runs/none/steps?from=4294967296", "", 400, `from is "4294967296", not a whole number from 0 to 4294967295`},
		{"GET", "/v1/runs/none/steps?limit=10001", "", 400, `limit is "10001", not a whole number from 0 to 10000`},
		{"GET", "/v1/runs/none/steps?after=1", "", 400, `unknown parameter "after"`},
		{"GET", "/v1/runs/none/log?limit=-1", "", 400, `limit is "-1"`},
		{"GET", "/v1/runs/none", "", 404, "no such run"},
		{"GET", "/v1/runs/none/commands/x", "", 400, `message is "x"`},
		{"GET", "/v1/runs/none/commands/1?wait_ms=99999999999", "", 400, `wait_ms is`},
		{"POST", "/v1/runs/none/commands", `{"command": "FLY"}`, 400, `unknown command "FLY"`},
		{"POST", "/v1/runs/none/resolve", `{"decision": "yes"}`, 400, `the decision is "yes"`},
		{"POST", "/v1/commands", `{"command": "HOLD"}`, 400, "selected either by all"},
		{"POST", "/v1/commands", `{"command": "HOLD", "all": true, "partition": "p"}`, 400, "selected either by all"},
		{"GET", "/v1/tags/values", "", 400, "0 tags are named"},
		{"GET", "/v1/tags/confirm?path=line/count&value=%7B%7D", "", 400, "value: "},
		{"GET", "/v1/tags/confirm?path=line/count&value=70000", "", 400, "outside the range of uint16"},
		{"POST", "/v1/tags/write", `{"path": "line/count", "value": 1}`, 409, "line/count"},
		{"POST", "/v1/tags/write", `{"path": "line/name"}`, 400, "line/name"},
		{"DELETE", "/v1/runs", "", 400, "/v1/runs has no method DELETE, only"},
		{"GET", "/v2/runs", "", 400, "there is nothing at /v2/runs"},
	} {
		status, body := ask(t, c, r.method, r.path, r.body)
		var e wire.Error
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%s %s: %v: %s", r.method, r.path, err, body)
		}
		if status != r.status || status != e.Code.Kind().Status || !strings.Contains(e.Message, r.want) {
			t.Errorf("%s %s %.80s: %d %+v, want %d %q", r.method, r.path, r.body, status, e, r.status, r.want)
		}
	}
}

// TestActorIsTheSocketsPeer finds the user of this process in the record of a command.
func TestActorIsTheSocketsPeer(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	d := controltest.Start(t, nil)
	got := make(chan string, 1)
	err = d.Engine.Register(engine.Workflow{Name: "test.actor", Commands: engine.ByScript, Program: actorProgram(got)})
	if err != nil {
		t.Fatal(err)
	}
	c := over("unix", d.Socket)
	if status, body := ask(t, c, "POST", "/v1/runs", `{"workflow": "test.actor", "id": "a1"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := ask(t, c, "POST", "/v1/runs/a1/commands", `{"command": "stop", "reason": "because"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if actor, want := <-got, me.Username+" (uid "+me.Uid+")"; actor != want {
		t.Errorf("the actor is %q, want %q", actor, want)
	}
}

// actorProgram tells who sent the first command.
type actorProgram chan string

func (p actorProgram) Run(_ context.Context, r *engine.Run) (any, error) {
	raw, err := r.Recv("cmd", time.Hour)
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(*value.Map); ok {
		actor, _ := m.Get("actor")
		name, _ := actor.(string)
		p <- name
	}
	return nil, nil
}

// TestOtherWaysInMayOnlyLook serves the API over TCP, where nobody has an identity.
func TestOtherWaysInMayOnlyLook(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := control.New(control.Config{Engine: d.Engine, Tags: d.Gateway, Links: d.Gateway})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	c := over("tcp", l.Addr().String())
	if status, body := ask(t, c, "GET", "/v1/tags/values?path=line/count", ""); status != 200 || !bytes.Contains(body, []byte(`"value":7`)) {
		t.Errorf("%d %s", status, body)
	}
	for path, body := range map[string]string{"/v1/runs": `{"workflow": "test.count"}`, "/v1/tags/write": `{"path": "line/name", "value": "x"}`, "/v1/commands": `{"command": "STOP", "all": true}`} {
		if status, body := ask(t, c, "POST", path, body); status != 409 || !bytes.Contains(body, []byte("this takes the access level operator")) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSlowRequestsAreGivenUp(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	c, err := net.Dial("unix", d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := io.ReadAll(c); err != nil { // the server closes the connection
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
}

// waiting is an engine that tells when somebody waits.
type waiting struct {
	control.Engine
	begun chan struct{}
}

func (e waiting) Fate(ctx context.Context, r engine.Receipt) (engine.Fate, error) {
	e.begun <- struct{}{}
	return e.Engine.Fate(ctx, r)
}

func (e waiting) Await(ctx context.Context, id string, version uint64) (uint64, bool, error) {
	if version > 0 {
		e.begun <- struct{}{}
	}
	return e.Engine.Await(ctx, id, version)
}

// TestStopEndsWaitsAndStreams has one wait and one stream open when the daemon stops.
func TestStopEndsWaitsAndStreams(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	if _, err := d.Engine.Start(t.Context(), engine.StartRequest{Workflow: "test.deaf", ID: "d1"}); err != nil {
		t.Fatal(err)
	}
	receipt, err := d.Engine.Command(t.Context(), "d1", isa88.Hold, "", "")
	if err != nil {
		t.Fatal(err)
	}
	e := waiting{d.Engine, make(chan struct{}, 100)}
	path := controltest.Socket(t)
	l := listen(t, path)
	s := control.New(control.Config{Engine: e, Tags: d.Gateway, Links: d.Gateway})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	answers := make(chan string, 2)
	for _, what := range []string{fmt.Sprintf("commands/%d?wait_ms=3600000", receipt.Message), "follow"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://holdfast/v1/runs/d1/"+what, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			resp, err := over("unix", path).Do(req)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				b = []byte(err.Error())
			}
			answers <- string(b)
		}()
		<-e.begun
	}
	stop()
	for range 2 {
		if a := <-answers; !strings.Contains(a, `"code":"try_again","message":"the daemon is stopping"`) {
			t.Errorf("the answer is %s", a)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
	"holdfast/internal/client"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
)

// wantCode fails the test unless err is of a kind, with the exit code that it means.
func wantCode(t *testing.T, err error, code wire.Code, words string) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, words) {
		t.Errorf("the error is %#v, want %s: %q", err, code, words)
	}
}

// peer is a daemon that answers each connection as a test says.
func peer(t *testing.T, answer func(net.Conn)) (socket string, connections *atomic.Int64) {
	t.Helper()
	socket = controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				answer(c)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return socket, connections
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text) // a client that has gone is what some tests are about
	}
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	_, err := client.New(path).Status(t.Context())
	wantCode(t, err, wire.Unreachable, "no daemon listens at "+path)
	_, err = client.New(path).WriteTag(t.Context(), "a", tag.Int(1))
	wantCode(t, err, wire.Unreachable, "no daemon listens at "+path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = client.New(path).Start(ctx, wire.Start{}); !errors.Is(err, context.Canceled) {
		t.Errorf("before anything was sent the error is %v", err)
	}
}

// TestNoAnswer: the daemon goes away in the middle. What acts is unknown then,
// what asks is not; neither is sent twice.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"nothing": "", "half a head": "HTTP/1.1 200 OK\r\nContent-", "half a body": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"path\":",
		"half an error": "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\n{\"code\":",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, n := peer(t, say(answer))
			c := client.New(socket)
			_, err := c.WriteTag(t.Context(), "a", tag.Int(1))
			wantCode(t, err, wire.Unknown, "it may or may not have been met")
			_, err = c.Start(t.Context(), wire.Start{Workflow: "w"})
			wantCode(t, err, wire.Unknown, "no answer came")
			_, err = c.Tags(t.Context())
			wantCode(t, err, wire.Unreachable, "did not answer")
			if n.Load() != 3 {
				t.Errorf("3 requests made %d connections", n.Load())
			}
		})
	}
}

func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
	socket, _ := peer(t, say(head+"what"))
	_, err := client.New(socket).Tags(t.Context())
	wantCode(t, err, wire.Failed, "cannot be read")
	_, err = client.New(socket).WriteTag(t.Context(), "a", tag.Int(1))
	wantCode(t, err, wire.Unknown, "cannot be read")
	socket, _ = peer(t, say("HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"))
	_, err = client.New(socket).Tags(t.Context())
	wantCode(t, err, wire.Failed, "answered with HTTP status 301")
	socket, _ = peer(t, say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"tag\":{\"path\":\"a\"}}\n{\"error\":{\"code\":\"try_again\",\"message\":\"m\"}}\n"))
	var got []string
	err = client.New(socket).WatchTags(t.Context(), []string{"a"}, func(t wire.Tag) error {
		got = append(got, t.Path)
		return nil
	})
	wantCode(t, err, wire.TryAgain, "m")
	if len(got) != 1 || got[0] != "a" {
		t.Errorf("got %v", got)
	}
	socket, _ = peer(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"tag"))
	err = client.New(socket).WatchTags(t.Context(), []string{"a"}, func(wire.Tag) error { return nil })
	wantCode(t, err, wire.Unreachable, "did not answer")
}

// TestInterrupted: the caller's ctx ends while the daemon is silent.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	got := make(chan struct{})
	socket, _ := peer(t, func(c net.Conn) {
		got <- struct{}{}
		_, _ = c.Read(make([]byte, 1)) // until the client has gone
	})
	interrupted := func(call func(context.Context) error) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-got
			cancel()
		}()
		return call(ctx)
	}
	c := client.New(socket)
	err := interrupted(func(ctx context.Context) error {
		_, err := c.WriteTag(ctx, "a", tag.Int(1))
		return err
	})
	wantCode(t, err, wire.Unknown, "was sent")
	err = interrupted(func(ctx context.Context) error {
		_, err := c.Show(ctx, "r")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a question that was interrupted is %v", err)
	}
}

func TestRunsOverTheSocket(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	c, ctx := client.New(d.Socket), t.Context()
	inputs, err := value.Encode(value.NewMap("n", 2.5))
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Start(ctx, wire.Start{Workflow: "test.count", Inputs: wire.Value(inputs), ID: "c.1"})
	if err != nil || st != (engine.Started{ID: "c.1"}) {
		t.Fatalf("%+v, %v", st, err)
	}
	var last engine.RunInfo
	entries := 0
	err = c.Follow(ctx, "c.1", func(l wire.Line) error {
		if l.Entry != nil {
			entries++
		}
		if l.Run != nil {
			last = *l.Run
		}
		return nil
	})
	if err != nil || entries != 3 || last.Status != engine.Success {
		t.Fatalf("%d entries, %+v, %v", entries, last, err)
	}
	if b, err := last.Result.MarshalJSON(); err != nil || string(b) != `{"n":2.5}` {
		t.Errorf("the result is %s, %v", b, err)
	}
	if runs, err := c.Runs(ctx, engine.Filter{Workflow: "test.count", Since: time.Now().Add(-time.Hour), Limit: 5, Status: engine.Success}); err != nil || len(runs) != 1 {
		t.Errorf("%v, %v", runs, err)
	}
	enough := errors.New("enough")
	if err := c.FollowLog(ctx, "c.1", "log", func(wire.Line) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a reader that has enough gets %v", err)
	}
	for _, run := range []string{"", ".", "..", "c.2"} {
		err := c.Steps(ctx, run, nil)
		wantCode(t, err, wire.NotFound, "no ")
	}
	_, err = c.Command(ctx, "c.1", wire.Command{Command: isa88.Hold})
	wantCode(t, err, wire.Refused, "has ended")
}

// A page that leads to itself is no answer: the client does not go round for ever.
func TestPagesThatLeadNowhere(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"to itself": `{"steps": [{"seq": 4}], "next": 5}`, "empty": `{"steps": [], "next": 5}`} {
		socket, _ := peer(t, say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(page), page)))
		n := 0
		err := client.New(socket).Steps(t.Context(), "r", func(engine.StepInfo) error { n++; return nil })
		if wantCode(t, err, wire.Failed, "a page leads to itself"); n > 2 {
			t.Errorf("%s: %d steps", name, n)
		}
	}
}

func TestTagsOverTheSocket(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	c, ctx := client.New(d.Socket), t.Context()
	w, err := c.WriteTag(ctx, "line/speed_sp", tag.Float(0.1))
	if err != nil || w.Outcome != wire.OutcomeAccepted {
		t.Fatalf("%+v, %v", w, err)
	}
	ok, err := c.ConfirmTag(ctx, "line/speed_sp", tag.Float(0.1), w.At, 20*time.Second)
	if err != nil || !ok.Confirmed {
		t.Fatalf("%+v, %v", ok, err)
	}
	// A device that says yes and does nothing is not confirmed.
	d.Device.Answer(tag.Outcome{Result: tag.Accepted, Status: tag.Good}, true)
	if w, err = c.WriteTag(ctx, "line/speed_sp", tag.Float(7)); err != nil || w.Outcome != wire.OutcomeAccepted {
		t.Fatalf("%+v, %v", w, err)
	}
	ok, err = c.ConfirmTag(ctx, "line/speed_sp", tag.Float(7), w.At, 300*time.Millisecond)
	if got, _ := ok.Tag.Value.AsFloat(); err != nil || ok.Confirmed || float32(got) != 0.1 {
		t.Fatalf("%+v, %v", ok, err)
	}
	// What only comes later is still seen.
	go d.Device.Set("line/speed_sp", tag.Float(7))
	if ok, err = c.ConfirmTag(ctx, "line/speed_sp", tag.Float(7), w.At, 20*time.Second); err != nil || !ok.Confirmed {
		t.Fatalf("%+v, %v", ok, err)
	}
}

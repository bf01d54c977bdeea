package client_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/gateway/tag"
	"holdfast/internal/client"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
)

// brief is what tests give a daemon that never answers.
const brief = 50 * time.Millisecond

// TestSilentDaemon: a daemon that is stopped takes connections, and requests,
// and never answers. What was sent to act is then unknown, what asked is not.
func TestSilentDaemon(t *testing.T) {
	t.Parallel()
	unheard := controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(unheard), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", unheard) // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	untilGone := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	heard, _ := peer(t, untilGone)
	half, _ := peer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"run\":")
		untilGone(c)
	})
	for name, socket := range map[string]string{"unheard": unheard, "heard": heard, "half an answer": half} {
		c := client.New(socket).WithPatience(brief)
		ctx := t.Context()
		for what, act := range map[string]func() error{
			"Start":    func() error { _, err := c.Start(ctx, wire.Start{}); return err },
			"Command":  func() error { _, err := c.Command(ctx, "r", wire.Command{Command: isa88.Hold}); return err },
			"Commands": func() error { _, err := c.Commands(ctx, wire.Commands{All: true}); return err },
			"Send":     func() error { _, err := c.Send(ctx, "r", wire.Message{}); return err },
			"Cancel":   func() error { _, err := c.Cancel(ctx, "r", ""); return err },
			"Resolve":  func() error { _, err := c.Resolve(ctx, "r", wire.Resolve{}); return err },
			"WriteTag": func() error { _, err := c.WriteTag(ctx, "a", tag.Int(1)); return err },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				wantCode(t, act(), wire.Unknown, "does not answer: this one was sent, and may or may not be met")
			})
		}
		for what, ask := range map[string]func() error{
			"Status": func() error { _, err := c.Status(ctx); return err },
			"Show":   func() error { _, err := c.Show(ctx, "r"); return err },
			"Runs":   func() error { _, err := c.Runs(ctx, engine.Filter{}); return err },
			"Fate":   func() error { _, err := c.Fate(ctx, "r", 1, time.Hour); return err },
			"Follow": func() error { return c.Follow(ctx, "r", func(wire.Line) error { return nil }) },
		} {
			t.Run(name+"/"+what, func(t *testing.T) { wantCode(t, ask(), wire.Unreachable, "takes requests and does not answer") })
		}
		t.Run(name+"/Backup", func(t *testing.T) {
			_, err := c.Backup(ctx, io.Discard)
			wantCode(t, err, wire.Failed, "")
		})
	}
}

// TestSignsOfLife: an answer may take as long as the daemon says that it is at work.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	signs := func(c net.Conn, sign string) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 50 {
			<-tick.C
			_, _ = io.WriteString(c, sign)
		}
	}
	socket, _ := peer(t, func(c net.Conn) {
		signs(c, "HTTP/1.1 102 Processing\r\n\r\n")
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"path\":\"a\",\"x\":1}")
	})
	c := client.New(socket).WithPatience(500 * time.Millisecond) // the answer takes twice as long
	if w, err := c.WriteTag(t.Context(), "a", tag.Int(1)); err != nil || w.Path != "a" {
		t.Errorf("%+v, %v", w, err)
	}
	// An act on a run is not waited for without end, whatever the daemon says.
	_, err := c.Command(t.Context(), "r", wire.Command{Command: isa88.Hold})
	wantCode(t, err, wire.Unknown, "does not answer")
	socket, _ = peer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		signs(c, "{}\n")
		_, _ = io.WriteString(c, "{\"entry\":{\"seq\":7}}\n")
	})
	var seen uint32
	err = client.New(socket).WithPatience(500*time.Millisecond).FollowLog(t.Context(), "r", "log", func(l wire.Line) error {
		seen = l.Entry.Seq
		return nil
	})
	if err != nil || seen != 7 {
		t.Errorf("entry %d, %v", seen, err)
	}
}

// TestRealDaemonGivesSigns: a wait that is longer than a client's patience ends
// with its answer, and a stream in which nothing happens goes on.
func TestRealDaemonGivesSigns(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	if _, err := d.Engine.Start(t.Context(), engine.StartRequest{Workflow: "test.deaf", ID: "d1"}); err != nil {
		t.Fatal(err)
	}
	c := client.New(d.Socket).WithPatience(2 * time.Second)
	sent, err := c.Command(t.Context(), "d1", wire.Command{Command: isa88.Hold})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Fate(t.Context(), "d1", sent.Message, 3*time.Second); err != nil || s.Fate != nil || s.Outlook == nil {
		t.Errorf("%+v, %v", s, err)
	}
	enough, signs := errors.New("enough"), 0
	err = c.Follow(t.Context(), "d1", func(l wire.Line) error {
		if l == (wire.Line{}) {
			signs++
		}
		if signs == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("after %d signs: %v", signs, err)
	}
}

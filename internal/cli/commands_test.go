package cli_test

import (
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/internal/control/controltest"
)

// me is the user of this process, as operators are named.
func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username + " (uid " + u.Uid + ")"
}

// TestWhoWhenWhy: whose word holds a run, since when and why, is in each place
// where an operator looks.
func TestWhoWhenWhy(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.gate", "--id", "g1")
	hf(t, d.Socket, "hold", "g1", "--reason", "a leak", "--wait", "20s").want(t, 0, "g1  HOLD taken, state HELD", "")
	hf(t, d.Socket, "hold", "g1", "--reason", "twice", "--wait", "20s").want(t, 5, "g1  HOLD not allowed in HELD", "was not taken")
	who := me(t)
	shown := func(line string, args ...string) {
		t.Helper()
		r := hf(t, d.Socket, args...)
		if r.code != 0 || !regexp.MustCompile("(?m)"+strings.ReplaceAll(line, "WHO", regexp.QuoteMeta(who))).MatchString(r.out) {
			t.Errorf("%q does not show %q:\n%s%s", args, line, r.out, r.err)
		}
	}
	const at = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
	shown(`^g1 .* HELD .* held by WHO: a leak$`, "runs")
	shown(`^operator    WHO: HOLD at `+at+`, .* ago: a leak$`, "show", "g1")
	shown(`^at work on  rt.recv topic "go", up to `, "show", "g1")
	shown(`^`+at+`  HELD by WHO: a leak$`, "logs", "g1")
	shown(`^`+at+`  HOLD by WHO was not taken, not allowed in HELD: twice$`, "logs", "g1")
	shown(`^`+at+`  HOLD     WHO  taken, state HELD +`+at+`  a leak$`, "commands", "g1")
	shown(`^`+at+`  HOLD     WHO  not allowed in HELD, state HELD  `+at+`  twice$`, "commands", "g1")

	var run struct {
		Held, Operator *struct{ Command, Actor, Reason, At string }
	}
	hf(t, d.Socket, "show", "g1", "-o", "json").want(t, 0, "{", "").decode(t, &run)
	if w := run.Held; w == nil || *w != *run.Operator || w.Command != "HOLD" || w.Actor != who || w.Reason != "a leak" || w.At == "" {
		t.Errorf("held is %+v", w)
	}
	var all []map[string]any
	hf(t, d.Socket, "commands", "g1", "-o", "json").want(t, 0, "[", "").decode(t, &all)
	if len(all) != 2 || all[0]["command"] != "HOLD" || all[0]["actor"] != who || all[0]["reason"] != "a leak" || all[0]["taken"] != true || all[1]["fate"] != "not allowed in HELD" {
		t.Errorf("commands are %v", all)
	}
	var log []struct {
		Stream string
		Value  struct {
			Message string
			Extra   map[string]any
		}
	}
	hf(t, d.Socket, "logs", "g1", "-o", "json").want(t, 0, "[", "").decode(t, &log)
	if len(log) != 3 || log[1].Stream != "commands" || log[1].Value.Message != "HELD by "+who+": a leak" || log[1].Value.Extra["actor"] != who {
		t.Errorf("log is %+v", log)
	}

	f := goRun(t, d.Socket, "logs", "-f", "g1")
	f.out.await(t, "HELD by "+who+": a leak\n")
	hf(t, d.Socket, "resume", "g1", "--reason", "dry").want(t, 0, "g1  RESUME sent", "")
	f.out.await(t, "RESUMED by "+who+": dry\n")
	hf(t, d.Socket, "cancel", "g1", "--reason", "wrong batch").want(t, 0, "g1  is being cancelled", "")
	f.out.await(t, "CANCELLED by "+who+": wrong batch\n")
	f.ends(t, 0)
	if n := strings.Count(f.out.String(), "a leak"); n != 1 {
		t.Errorf("HELD is told %d times:\n%s", n, f.out.String())
	}
	shown(`^operator    WHO: CANCEL at `+at+`, .* ago: wrong batch$`, "show", "g1")
	shown(`CANCEL   WHO  taken`, "commands", "g1")
	start(t, d, "test.gate", "--id", "g2")
	hf(t, d.Socket, "commands", "g2").want(t, 0, "", "it has been sent no command\n")
	hf(t, d.Socket, "commands", "nix").want(t, 4, "", "holdfast: cannot list the commands to run nix: no such run")
}

// TestDoneByHand: an operator's word is told from what was read back.
func TestDoneByHand(t *testing.T) {
	t.Parallel()
	d := controltest.StartInDoubt(t)
	hf(t, d.Socket, "resolve", "doubtful", "done").want(t, 0, "doubtful  goes on", "")
	hf(t, d.Socket, "start", "test.doubt", "--id", "doubtful", "--wait").want(t, 0, "doubtful\n", "started before")
	hf(t, d.Socket, "steps", "doubtful").want(t, 0, "recovered, done by the word of "+me(t), "")
	hf(t, d.Socket, "logs", "doubtful").want(t, 0, "resolved with done by "+me(t), "")
}

// TestSelectionIsWaitedForAtOnce: one request tells all runs, one asks for all
// their fates.
func TestSelectionIsWaitedForAtOnce(t *testing.T) {
	t.Parallel()
	const runs = 40
	d := controltest.Start(t, nil)
	for range runs {
		start(t, d, "test.idle", "batch=1")
	}
	start(t, d, "test.deaf", "--id", "deaf")
	socket, requests := counted(t, d.Socket)
	r := hf(t, socket, "stop", "--all", "--wait", "1s").want(t, 75, "41 of 41 runs told, taken by 40\n", "cannot stop run deaf: STOP is set; it waits for the script")
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
	if n := strings.Count(r.out, "STOP taken, state STOPPING\n"); n != runs {
		t.Errorf("taken by %d:\n%s", n, r.out)
	}
}

// counted is a socket that leads to another, and counts connections.
func counted(t *testing.T, to string) (socket string, connections *atomic.Int64) {
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
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			out, err := net.Dial("unix", to)
			if err != nil {
				t.Error(err)
				return
			}
			all.Go(func() {
				_, _ = io.Copy(out, in)
				_ = out.(*net.UnixConn).CloseWrite()
			})
			all.Go(func() {
				_, _ = io.Copy(in, out)
				_, _ = in.Close(), out.Close()
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
	return socket, connections
}

package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// reader is what a user sees. It tells when an expected text has come.
type reader struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen chan struct{} // closed once want was there
}

func waitFor(want string) *reader { return &reader{want: want, seen: make(chan struct{})} }

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(b)
	if r.want != "" && strings.Contains(r.text.String(), r.want) {
		r.want = ""
		close(r.seen)
	}
	return len(b), nil
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// patience bounds what a test waits for; a sound demo needs far less.
const patience = 2 * time.Minute

// until runs the demo until the user has read want, and then ends it with ^C.
func until(t *testing.T, dir, want string, terminal bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, warnings := waitFor(want), waitFor("")
	go func() {
		select {
		case <-out.seen:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := Run(ctx, Options{Dir: dir, Stdout: out, Stderr: warnings, Terminal: terminal, Version: "test", Bottles: 2})
	if err != nil || warnings.String() != "" {
		t.Fatalf("the demo ended with %v, warned %q, said\n%s", err, warnings, out)
	}
	if text := out.String(); !strings.Contains(text, want) {
		t.Fatalf("the demo has not said %q in %v, but\n%s", want, patience, text)
	}
	return out.String()
}

func mustHave(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("the demo did not say %q, but\n%s", p, text)
		}
	}
}

// The batch goes on where ^C has interrupted it, and the next one follows.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := until(t, dir, "batch 1: 1/2", false)
	mustHave(t, first, "Batch 1 of 2 bottles: run ", "export HOLDFAST_SOCKET=", "resume 2", "tags watch filler/level", "stopping")
	second := until(t, dir, "Batch 2 of 2 bottles", false)
	mustHave(t, second, "The last time this was stopped in order.", "Recovered 1 run, 0 of them held.", "after 1 of 2 bottles, and goes on from there.",
		"batch 1: 2/2", `SUCCESS, COMPLETE {"ok":true,"bottles":2,"batch_no":1}`)
	third := until(t, dir, "/2 batch 2", true)
	mustHave(t, third, "\r[", "Recovered 1 run")
}

// demoDir names the folder in which the test's own program is to run the demo
// instead of the tests, so that it can be killed.
const demoDir = "HOLDFAST_TEST_DEMO_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(demoDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := Run(context.Background(), Options{Dir: dir, Stdout: os.Stdout, Stderr: os.Stderr, Version: "test", Bottles: 2}); err != nil {
		panic(err)
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := waitFor("batch 1: 1/2")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), demoDir+"="+dir)
	child.Stdout, child.Stderr = out, out
	late := time.NewTimer(patience)
	defer late.Stop()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("the demo ended by itself, with %v:\n%s", err, out)
	case <-late.C:
		t.Errorf("the demo has not come to the first bottle in %v:\n%s", patience, out)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if t.Failed() {
		return
	}
	again := until(t, dir, "COMPLETE", false)
	mustHave(t, again, "The last time this was killed.", "Recovered 1 run, 0 of them held.", "stood at step ", "batch 1: 2/2",
		`SUCCESS, COMPLETE {"ok":true,"bottles":2,"batch_no":1}`)
	if strings.Contains(again, "batch 1: 1/2") {
		t.Errorf("it said again what it had said before:\n%s", again)
	}
}

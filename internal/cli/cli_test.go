package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/cli"
	"holdfast/internal/control/controltest"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// result is what a command line has come to.
type result struct {
	code     int
	out, err string
}

// deps are those of all tests: an environment that names the socket, UTC, and a
// composition root that says what it was asked for.
func deps(socket string) cli.Deps {
	return cli.Deps{
		Version: "v0.0.0-test",
		Serve: func(_ context.Context, o cli.ServeOptions) error {
			return &cli.BadConfig{Faults: []string{o.ConfigPath + ":3:1: unknown key \"tag\", did you mean tags?"}}
		},
		Demo: func(_ context.Context, o cli.DemoOptions) error {
			_, err := fmt.Fprintf(o.Stdout, "demo in %s, terminal %v\n", o.Dir, o.Terminal)
			return err
		},
		Check: func(path string, plan bool, out io.Writer) ([]string, error) {
			if _, err := fmt.Fprintf(out, "plan %v\n", plan); err != nil {
				return nil, err
			}
			if strings.Contains(path, "bad") {
				return []string{path + ":1:1: fault one", path + ":2:1: fault two"}, nil
			}
			return nil, nil
		},
		Schema:   func() []byte { return []byte(`{"type":"object"}`) },
		SocketOf: func(string) (string, error) { return "", errors.New("there is no configuration") },
		Getenv: func(key string) string {
			if key == "HOLDFAST_SOCKET" {
				return socket
			}
			return ""
		},
		Zone: time.UTC,
	}
}

func runIn(ctx context.Context, d cli.Deps, stdin string, args ...string) result {
	var out, errs bytes.Buffer
	code := cli.Run(ctx, args, strings.NewReader(stdin), &out, &errs, d)
	return result{code, out.String(), errs.String()}
}

// hf runs one command line against the daemon of a socket.
func hf(t *testing.T, socket string, args ...string) result {
	t.Helper()
	return runIn(t.Context(), deps(socket), "", args...)
}

// hfIn is hf with something on standard input.
func hfIn(t *testing.T, socket, stdin string, args ...string) result {
	t.Helper()
	return runIn(t.Context(), deps(socket), stdin, args...)
}

// want fails the test unless the command line ended with the code, and its
// streams hold the words. "" is an empty stream.
func (r result) want(t *testing.T, code int, out, errs string) result {
	t.Helper()
	holds := func(stream, words string) bool {
		return words == "" && stream == "" || words != "" && strings.Contains(stream, words)
	}
	if r.code != code || !holds(r.out, out) || !holds(r.err, errs) {
		t.Fatalf("exit code %d, want %d\nstdout, want %q:\n%s\nstderr, want %q:\n%s", r.code, code, out, r.out, errs, r.err)
	}
	return r
}

// decode reads the one JSON document that standard output holds.
func (r result) decode(t *testing.T, to any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(r.out))
	if err := dec.Decode(to); err != nil {
		t.Fatalf("standard output is not JSON: %v\n%s", err, r.out)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one document on standard output:\n%s", r.out)
	}
}

// start starts a run and returns its id.
func start(t *testing.T, d *controltest.Daemon, args ...string) string {
	t.Helper()
	r := hf(t, d.Socket, append([]string{"start"}, args...)...)
	r.want(t, 0, "\n", "")
	return strings.TrimSpace(r.out)
}

// golden compares text with a file below testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s\nwant:\n%s", path, text, want)
	}
}

// tap is a stream that a test can wait on.
type tap struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newTap() *tap { return &tap{more: make(chan struct{}, 1)} }

func (s *tap) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(b)
}

func (s *tap) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the stream holds the words.
func (s *tap) await(t *testing.T, words string) {
	t.Helper()
	for late := time.After(20 * time.Second); !strings.Contains(s.String(), words); {
		select {
		case <-s.more:
		case <-late:
			t.Fatalf("%q never came; got:\n%s", words, s)
		}
	}
}

// background is a command line that runs on.
type background struct {
	out, err  *tap
	interrupt context.CancelFunc
	code      chan int // gets the exit code
}

func goRun(t *testing.T, socket string, args ...string) *background {
	ctx, cancel := context.WithCancel(t.Context())
	b := &background{out: newTap(), err: newTap(), interrupt: cancel, code: make(chan int, 1)}
	go func() { b.code <- cli.Run(ctx, args, strings.NewReader(""), b.out, b.err, deps(socket)) }()
	t.Cleanup(cancel)
	return b
}

// ends waits for the end and checks the exit code.
func (b *background) ends(t *testing.T, code int) {
	t.Helper()
	select {
	case got := <-b.code:
		if got != code {
			t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", got, code, b.out, b.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it never ended\nstdout:\n%s\nstderr:\n%s", b.out, b.err)
	}
}

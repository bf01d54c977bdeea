package app

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const simple = `version: 1
data_dir: data
api: {socket: s}
connections:
  bench: {driver: sim}
tags:
  a: {connection: bench, address: x, type: int16, write: {}}
`

// folder makes a configuration with an empty folder of workflows.
func folder(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "workflows"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "holdfast.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// systemd hears READY after the recovery, WATCHDOG while all is well, and
// STOPPING before the end.
func TestNotify(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: sock, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", sock)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", "")
	path := folder(t, simple)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var log bytes.Buffer
	go func() { done <- Serve(ctx, Options{ConfigPath: path, Version: "test", Stderr: &log}) }()
	var heard []string
	buf := make([]byte, 4096)
	for len(heard) < 3 {
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		state, _, _ := strings.Cut(string(buf[:n]), "\n")
		heard = append(heard, state)
	}
	if heard[0] != "READY=1" || heard[1] != "WATCHDOG=1" || heard[2] != "WATCHDOG=1" {
		t.Errorf("systemd heard %q", heard)
	}
	stop()
	for state := ""; state != "STOPPING=1"; {
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		state = string(buf[:n])
	}
	if err := <-done; err != nil {
		t.Errorf("Serve ended with %v\n%s", err, log.String())
	}
}

// A configuration with faults opens nothing.
func TestServeBadConfig(t *testing.T) {
	t.Parallel()
	path := folder(t, strings.Replace(simple, "int16", "int17", 1))
	err := Serve(t.Context(), Options{ConfigPath: path, Stderr: os.Stderr})
	var bad *BadConfig
	if !errors.As(err, &bad) || len(bad.Faults) != 1 || !strings.Contains(bad.Faults[0], `int17`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder: %v", err)
	}
}

func TestCheckNamesMissingFolder(t *testing.T) {
	t.Parallel()
	path := folder(t, simple)
	if err := os.Remove(filepath.Join(filepath.Dir(path), "workflows")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	faults, err := Check(path, false, &out)
	if err != nil || len(faults) != 1 || !strings.HasSuffix(faults[0], "does not exist; make it, or name another") {
		t.Errorf("got %q, %v", faults, err)
	}
}

// check shows both forms of an address, and the requests of each scan.
func TestCheckPlan(t *testing.T) {
	t.Parallel()
	path := folder(t, `version: 1
data_dir: data
connections:
  plc: {driver: modbus, url: "tcp://127.0.0.1:1"}
tags:
  a: {connection: plc, address: "holding:100", type: uint16}
  b: {connection: plc, address: "40102", type: uint16}
`)
	var out bytes.Buffer
	faults, err := Check(path, true, &out)
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	for _, want := range []string{"holding:101  40102", "plc every 1s: 1 request for 2 tags", "read holding 100–101 (2 registers) for 2 tags"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// check says who handles the commands of each workflow, and why.
func TestCheckSaysWhoHandlesCommands(t *testing.T) {
	t.Parallel()
	path := folder(t, simple)
	workflowFile(t, path, "w.star", "@workflow\ndef polls(): getWorkflows().recvCommand()\n\n@workflow\ndef works(): pass\n\n@workflow(commands=\"script\")\ndef told(): pass\n")
	var out bytes.Buffer
	faults, err := Check(path, false, &out)
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	for _, want := range []string{
		"polls              w.star:2                  script    it reaches recvCommand at w.star:2\n",
		"works              w.star:5                  engine    it reaches no recvCommand\n",
		"told               w.star:8                  script    commands=\"script\"\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// check and a start judge safe states and literal paths by the tags of the
// configuration, and say where each stands; warnings are none of a start's
// business.
func TestCheckJudgesTags(t *testing.T) {
	t.Parallel()
	path := folder(t, strings.Replace(simple, "write: {}", "write: {max: 10}", 1)+"  ro: {connection: bench, address: y, type: bool}\n")
	workflowFile(t, path, "w.star", `@workflow(safe_state={"ro": True,
    "b": 1, "a": 3.5})
def w():
    if tags.read("aa"): pass

@workflow(safe_state={"a": 11})
def v(): pass
`)
	want := []string{
		"w.star:1:23: safe_state of w: ro: it has no write: section, so nobody may write it",
		`w.star:2:5: safe_state of w: b: no tag "b" is configured`,
		`w.star:2:13: safe_state of w: a: 3.5 is not a whole number, as int16 needs`,
		`w.star:4:18: tags.read: no tag "aa" is configured (did you mean a?)`,
		"w.star:6:23: safe_state of v: a: 11 is above max 10",
	}
	same := func(faults []string) {
		t.Helper()
		if len(faults) != len(want) {
			t.Errorf("faults are %q", faults)
		}
		for i, f := range faults {
			if !strings.HasSuffix(f, "/workflows/"+want[i]) {
				t.Errorf("got  %s\nwant %s", f, want[i])
			}
		}
	}
	var out bytes.Buffer
	faults, err := Check(path, false, &out)
	if err != nil {
		t.Fatal(err)
	}
	same(faults)
	if want := "warning: " + filepath.Dir(path) + "/workflows/w.star:4:17: this is always true: tags.read returns a dict; look at [\"quality\"] in it\n"; !strings.Contains(out.String(), want) {
		t.Errorf("notes are %q", out.String())
	}
	var bad *BadConfig
	if err := Serve(t.Context(), Options{ConfigPath: path, Stderr: os.Stderr}); !errors.As(err, &bad) {
		t.Fatalf("it served: %v", err)
	}
	same(bad.Faults)
}

// The workflows that are shipped have nothing to be warned of.
func TestShippedWorkflows(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	faults, err := Check("../../configs/holdfast.yaml", false, &out)
	if err != nil || len(faults) > 0 || strings.Contains(out.String(), "warning: ") || !strings.Contains(out.String(), "fill_batch.star:") {
		t.Errorf("faults %q, %v\n%s", faults, err, out.String())
	}
}

// README's first listing is as check wants it: every result is looked at.
func TestReadmeListing(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, listing, _ := strings.Cut(string(readme), "```python\n")
	listing, _, found := strings.Cut(listing, "```")
	if !found {
		t.Fatal("README has no listing")
	}
	path := folder(t, simple+`  filler/target: {connection: bench, address: t, type: float64, write: {}}
  filler/valve_cmd: {connection: bench, address: v, type: bool, write: {}}
  filler/full: {connection: bench, address: f, type: bool}
`)
	workflowFile(t, path, "readme.star", listing)
	var out bytes.Buffer
	faults, err := Check(path, false, &out)
	if err != nil || len(faults) > 0 || strings.Contains(out.String(), "warning: ") || !strings.Contains(out.String(), "readme.star:") {
		t.Errorf("faults %q, %v\n%s", faults, err, out.String())
	}
}

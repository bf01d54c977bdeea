package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/drivers/modbus/modbustest"
	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/internal/control/wire"
	"holdfast/internal/smallfs"
)

const fullConfig = `version: 1
data_dir: "%[1]s"
api: {socket: "%[1]s/s"}
connections:
  plc: {driver: modbus, url: "%[2]s", reconnect: {min: 10ms, max: 50ms}}
  press:
    driver: opcua
    url: opc.tcp://127.0.0.1:1
    reconnect: {min: 10ms, max: 50ms}
    security: {policy: Basic256Sha256, mode: SignAndEncrypt, server_cert: trusted}
tags:
  plc/a: {connection: plc, address: "holding:0", type: uint32, write: {kind: set}}
  plc/b: {connection: plc, address: "holding:10", type: uint32, write: {kind: pulse}}
  plc/c: {connection: plc, address: "holding:20", type: uint32, write: {kind: set}}
  plc/d: {connection: plc, address: "holding:30", type: uint32, write: {kind: set}}
  plc/stop: {connection: plc, address: "holding:100", type: uint16, scan: fast}
  plc/valve: {connection: plc, address: "holding:110", type: uint16, write: {kind: set}}
  press/x: {connection: press, address: "ns=2;s=x", type: bool}
`

const fullScript = `
rt = getWorkflows()

@workflow(name="count", safe_state={"plc/valve": 7})
def count(path):
    i = 0
    while tags.read("plc/stop")["value"] != 1:
        i += 1
        tags.write(path, i)
        rt.writeStream("pad", "x" * 4000)
    return i
`

// TestFullDisk runs the daemon with everything it writes, its socket too, on a
// file system of 16 MB, and fills that to the last byte, again and again: the
// daemon goes on living and says what is the matter, no effect begins, HOLD, STOP
// and ABORT are taken, the safe state is written, also after kill -9 and a start
// on the full disk. When there is room all goes on, and each value has been
// written once.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	fs := smallfs.Mount(t, 16<<20)
	if fs == nil {
		return
	}
	plc, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plc.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "workflows"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"holdfast.yaml": fmt.Sprintf(fullConfig, fs.Dir, plc.URL()), "workflows/count.star": fullScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := startDaemonAt(t, dir, filepath.Join(fs.Dir, "s"))
	addr := map[string]uint16{"a": 0, "b": 10, "c": 20, "d": 30}
	for id := range addr {
		d.start(id, "plc/"+id)
	}
	d.until("writes", func() bool { return len(written(plc, 0)) > 50 })
	fs.Fill(0)
	d.awaitNoRoom()
	d.still(plc)

	// HOLD and STOP, with the program itself.
	d.holdfast("hold", "a", "--wait", "30s")
	d.holdfast("stop", "c", "--wait", "30s")
	d.ends("c", isa88.Stopped)
	if n := len(written16(plc, 110)); n != 1 {
		t.Errorf("%d safe states", n)
	}
	if out := d.holdfast("status"); !strings.Contains(out, "NO ROOM: ") || !strings.Contains(out, "no new effects until there is") {
		t.Errorf("status:\n%s", out)
	}
	if code := d.exit("start", "count", "path=plc/a"); code != 75 {
		t.Errorf("a start exits with %d, want 75", code)
	}

	// Kill, and start on the full disk; twice.
	for range 2 {
		d.kill()
		fs.Fill(0)
		d = startDaemonAt(t, dir, filepath.Join(fs.Dir, "s"))
		d.awaitNoRoom()
		d.still(plc)
		d.holdfast("tags", "read", "plc/stop")
		if info, err := d.c.Show(t.Context(), "a"); err != nil || info.State != isa88.Held {
			t.Fatalf("run a is %+v, %v", info, err)
		}
	}
	d.holdfast("hold", "b", "--wait", "30s")
	d.holdfast("abort", "d", "--wait", "30s")
	d.ends("d", isa88.Aborted)
	if n := len(written16(plc, 110)); n != 2 {
		t.Errorf("%d safe states", n)
	}
	if err := d.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the daemon: %v", err)
	}

	// Room again.
	fs.Empty()
	d.until("room", func() bool {
		st, err := d.c.Status(t.Context())
		return err == nil && st.Engine.JournalRoom == "" && !slices.ContainsFunc(st.Engine.Alarms, func(a engine.Alarm) bool {
			return strings.Contains(a.Message, "no room")
		})
	})
	d.until("a certificate of our own", func() bool {
		_, err := os.Stat(filepath.Join(fs.Dir, "pki", "own", "cert.der"))
		return err == nil
	})
	d.holdfast("resume", "a", "--wait", "30s")
	d.holdfast("resume", "b", "--wait", "30s")
	before := len(written(plc, 0))
	d.until("writes", func() bool { d.answerDoubtOf("b", plc, 10); return len(written(plc, 0)) > before+10 })
	plc.SetHolding(100, 1)
	for _, id := range []string{"a", "b"} {
		d.until("the end of "+id, func() bool {
			d.answerDoubtOf("b", plc, 10)
			info, err := d.c.Show(t.Context(), id)
			if err == nil && info.Status.Ended() && info.Status != engine.Success {
				t.Fatalf("run %s is %+v", id, info)
			}
			return err == nil && info.Status == engine.Success
		})
	}
	for id, at := range addr {
		all := written(plc, at)
		again := checkCounted(t, id, all, 2)
		if id == "b" && again > 0 {
			t.Errorf("%d pulses were written twice", again)
		}
		t.Logf("run %s: %d values, %d written again after a kill", id, len(all)-again, again)
	}
	d.kill()
}

// written16 returns the values that were written at an address, in order.
func written16(plc *modbustest.Device, addr uint16) (out []uint16) {
	for _, w := range plc.Writes() {
		if w.Addr == addr {
			out = append(out, w.Values[0])
		}
	}
	return out
}

// until waits until ok holds.
func (p *process) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); sleepReal(p.t, 5*time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not in a minute\n%s", what, p.log.String())
		}
	}
}

func (p *process) awaitNoRoom() {
	p.t.Helper()
	p.until("an alarm", func() bool {
		st, err := p.c.Status(p.t.Context())
		if err != nil {
			p.t.Fatalf("%v\n%s", err, p.log.String())
		}
		return st.Engine.JournalRoom != "" && len(st.Engine.Alarms) > 0
	})
}

// still waits until the device sees no write any more, and fails if that does not last.
func (p *process) still(plc *modbustest.Device) {
	p.t.Helper()
	n, since := len(plc.Writes()), time.Now()
	p.until("no more writes", func() bool {
		if now := len(plc.Writes()); now != n {
			n, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
}

// holdfast runs the program as an operator does, and returns what it prints.
func (p *process) holdfast(args ...string) string {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("holdfast %v: %v\n%s\n%s", args, err, out, p.log.String())
	}
	return string(out)
}

func (p *process) exit(args ...string) int {
	p.t.Helper()
	var exit *exec.ExitError
	err := p.command(args...).Run()
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return exit.ExitCode()
}

func (p *process) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), p.cmd.Path, append(args, "--socket", p.socket)...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	return cmd
}

func (p *process) ends(id string, in isa88.State) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	p.until("the end of "+id, func() bool {
		info, err := p.c.Show(ctx, id)
		if err != nil {
			p.t.Fatalf("%v\n%s", err, p.log.String())
		}
		return info.Status.Ended() && info.State == in && len(info.SafeState) == 1 && info.SafeState[0].OK
	})
}

// answerDoubtOf is answerDoubt for another run and address.
func (p *process) answerDoubtOf(id string, plc *modbustest.Device, addr uint16) {
	p.t.Helper()
	info, err := p.c.Show(p.t.Context(), id)
	if err != nil || info.InDoubt == nil {
		return
	}
	var target uint32
	if err := json.Unmarshal(mustJSON(p.t, info.InDoubt.Target), &target); err != nil {
		p.t.Fatal(err)
	}
	decision := "retry"
	if w := written(plc, addr); len(w) > 0 && w[len(w)-1] == target {
		decision = "done"
	}
	var refused *wire.Error
	if _, err := p.c.Resolve(p.t.Context(), id, wire.Resolve{Decision: decision}); err != nil && !errors.As(err, &refused) {
		p.t.Fatal(err)
	}
}

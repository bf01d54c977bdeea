package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdfast/drivers/modbus/modbustest"
	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// kills is how often TestKill ends the daemon with SIGKILL.
const kills = 200

const killConfig = `version: 1
data_dir: data
api: {socket: s}
connections:
  plc: {driver: modbus, url: "%s", reconnect: {min: 10ms, max: 50ms}}
tags:
  plc/count: {connection: plc, address: "holding:0", type: uint32, write: {kind: set}}
  plc/pulse: {connection: plc, address: "holding:10", type: uint32, write: {kind: pulse}}
  plc/stop: {connection: plc, address: "holding:20", type: uint16, scan: slow}
`

const killScript = `
@workflow(name="count")
def count(path):
    i = 0
    while tags.read("plc/stop")["value"] != 1:
        i += 1
        tags.write(path, i)
    return i
`

// TestKill kills the daemon at random moments while two runs write counted
// values to a PLC. The PLC, which lives on, must see every value, in order. On
// the tag of kind set a value may come twice only where a kill fell between
// sending it and recording that; on the tag of kind pulse none ever does.
func TestKill(t *testing.T) {
	t.Parallel()
	plc, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plc.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "workflows"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"holdfast.yaml": fmt.Sprintf(killConfig, plc.URL()), "workflows/count.star": killScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	doubts := 0
	for n := range kills {
		d := startDaemon(t, dir)
		if n == 0 {
			d.start("set", "plc/count")
			d.start("pulse", "plc/pulse")
		}
		doubts += d.answerDoubt(plc)
		sleepReal(t, time.Duration(rng.IntN(40))*time.Millisecond)
		d.kill()
	}
	d := startDaemon(t, dir)
	doubts += d.answerDoubt(plc)
	plc.SetHolding(20, 1)
	for _, id := range []string{"set", "pulse"} {
		d.finish(id, plc)
	}
	d.kill()

	counts, pulses := written(plc, 0), written(plc, 10)
	again := checkCounted(t, "set", counts, kills+1)
	if twice := checkCounted(t, "pulse", pulses, 0); twice > 0 {
		t.Errorf("%d pulses were written twice", twice)
	}
	t.Logf("%d kills: %d values on the set tag, %d of them written again after a kill; %d pulses, none twice; %d times in doubt, and asked",
		kills, len(counts)-again, again, len(pulses), doubts)
}

// written returns the 32-bit values that were written at an address, in order.
func written(plc *modbustest.Device, addr uint16) []uint32 {
	var out []uint32
	for _, w := range plc.Writes() {
		if w.Addr == addr {
			out = append(out, uint32(w.Values[0])<<16|uint32(w.Values[1]))
		}
	}
	return out
}

// checkCounted checks that values are 1, 2, 3 … with at most most repetitions
// of the value just before, and returns how many there are.
func checkCounted(t *testing.T, name string, values []uint32, most int) (again int) {
	t.Helper()
	var last uint32
	for i, v := range values {
		switch v {
		case last + 1:
			last = v
		case last:
			again++
		default:
			t.Fatalf("%s: write %d is of %d, after %d", name, i, v, last)
		}
	}
	if last < kills/4 {
		t.Errorf("%s: only %d values were written", name, last)
	}
	if again > most {
		t.Errorf("%s: %d values were written again, at most %d kills can explain", name, again, most)
	}
	return again
}

// process is a daemon in a process of its own.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log bytes.Buffer
	c   *client.Client

	socket string
}

// startDaemon starts this test's program as a daemon, and waits until it is ready.
func startDaemon(t *testing.T, dir string) *process {
	t.Helper()
	return startDaemonAt(t, dir, filepath.Join(dir, "s"))
}

// startDaemonAt is startDaemon with another socket than s in dir.
func startDaemonAt(t *testing.T, dir, socket string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(self, "serve", "--config", filepath.Join(dir, "holdfast.yaml")), c: client.New(socket), socket: socket}
	p.cmd.Env = append(os.Environ(), asMain+"=1")
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		st, err := p.c.Status(ctx)
		if err == nil && st.State == wire.StateRunning {
			return p
		}
		if ctx.Err() != nil {
			t.Fatalf("the daemon did not come up: %v\n%s", err, p.log.String())
		}
		sleepReal(t, 2*time.Millisecond)
	}
}

func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Wait() // its error is the signal
}

func (p *process) start(id, path string) {
	p.t.Helper()
	in, err := value.Encode(value.NewMap("path", path))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.c.Start(p.t.Context(), wire.Start{Workflow: "count", ID: id, Inputs: wire.Value(in)}); err != nil {
		p.t.Fatalf("%v\n%s", err, p.log.String())
	}
}

// answerDoubt answers the question of the pulse's run as an operator does who
// looks at the machine: done if the pulse was seen, else retry.
func (p *process) answerDoubt(plc *modbustest.Device) (asked int) {
	p.t.Helper()
	info, err := p.c.Show(p.t.Context(), "pulse")
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.log.String())
	}
	if info.InDoubt == nil {
		return 0
	}
	var target uint32
	if err := json.Unmarshal(mustJSON(p.t, info.InDoubt.Target), &target); err != nil {
		p.t.Fatal(err)
	}
	decision := "retry"
	if w := written(plc, 10); len(w) > 0 && w[len(w)-1] == target {
		decision = "done"
	}
	_, err = p.c.Resolve(p.t.Context(), "pulse", wire.Resolve{Decision: decision})
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Code == wire.Refused {
		return 0 // the answer that was given before the kill has been taken meanwhile
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 1
}

// finish waits for a run's end.
func (p *process) finish(id string, plc *modbustest.Device) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		info, err := p.c.Show(ctx, id)
		if err != nil {
			p.t.Fatalf("%v\n%s", err, p.log.String())
		}
		if info.Status == engine.Success {
			return
		}
		if info.Status.Ended() {
			p.t.Fatalf("run %s is %+v", id, info)
		}
		p.answerDoubt(plc)
		sleepReal(p.t, 5*time.Millisecond)
	}
}

func mustJSON(t *testing.T, r value.Raw) []byte {
	t.Helper()
	b, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sleepReal waits in real time, between real processes.
func sleepReal(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

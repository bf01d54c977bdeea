package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdfast/drivers/modbus/modbustest"
	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/app"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// What was written is on disk when the write is answered: another process finds it.
func TestPlantKeepsWrites(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plant.json")
	p, err := openPlant(file, "", "")
	if err != nil {
		t.Fatal(err)
	}
	p.dev.SetHolding(holdingSpeedSP, words(0x42700000)...) // 60
	p.modbusWritten(modbustest.TableHolding, holdingSpeedSP, words(0x42700000))
	p.modbusWritten(modbustest.TableCoil, coilStart, []uint16{1, 1})
	p.opcuaWritten(varRecipe, "Cola")
	p.opcuaWritten(varBatchNo, uint32(9))
	p.opcuaWritten(varLamp, true)
	modbusAddr, opcuaAddr := p.dev.Addr(), strings.TrimPrefix(p.srv.URL(), "opc.tcp://")
	if p.failure != nil || p.close() != nil { // as after a kill: run has saved nothing
		t.Fatal(p.failure)
	}
	p, err = openPlant(file, modbusAddr, opcuaAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.dev.Addr() != modbusAddr || p.srv.URL() != "opc.tcp://"+opcuaAddr {
		t.Errorf("it moved to %s, %s", p.dev.Addr(), p.srv.URL())
	}
	want := line{SpeedSP: 60, Start: true, Valve: true, Recipe: "Cola", BatchNo: 9, Lamp: true, Temperature: roomTemp}
	if p.line != want || p.batchNo() != 9 {
		t.Errorf("got %+v, want %+v", p.line, want)
	}
	recipe, err := p.srv.Get(varRecipe)
	if err != nil || recipe != "Cola" || !p.dev.Coil(coilValve) || p.dev.Holding(holdingSpeedSP+1) != 0x4270 {
		t.Errorf("the devices hold %v, %v, %v, %x", recipe, err, p.dev.Coil(coilValve), p.dev.Holding(holdingSpeedSP+1))
	}
}

func TestPlantMovesFromTakenPorts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	p, err := openPlant(filepath.Join(t.TempDir(), "plant.json"), at, at)
	if err != nil {
		t.Fatal(err)
	}
	if p.dev.Addr() == at || strings.HasSuffix(p.srv.URL(), at) || p.close() != nil {
		t.Errorf("it is at %s and %s", p.dev.Addr(), p.srv.URL())
	}
}

func TestPlantUnreadable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plant.json")
	if err := os.WriteFile(file, []byte(`{"speed":"fast"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPlant(file, "", ""); err == nil || !strings.HasPrefix(err.Error(), "cannot read what the plant holds: ") {
		t.Errorf("got %v", err)
	}
}

// A plant that cannot keep what it is told ends the demo, instead of forgetting it.
func TestPlantCannotSave(t *testing.T) {
	t.Parallel()
	p, err := openPlant(filepath.Join(t.TempDir(), "gone", "plant.json"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.opcuaWritten(varLamp, true)
	if err := p.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot keep what the plant holds: ") {
		t.Errorf("got %v", err)
	}
}

// serve runs a daemon on a plant of its own until the test ends.
func serve(t *testing.T) *client.Client {
	t.Helper()
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPlant(f.path("plant.json"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.fill(p, "holdfast.sock"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var rooms sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		rooms.Wait()
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	ready, gone := make(chan *app.Status, 1), make(chan error, 1)
	rooms.Go(func() {
		if err := p.run(ctx); err != nil {
			t.Error(err)
		}
	})
	rooms.Go(func() {
		gone <- app.Serve(ctx, app.Options{ConfigPath: f.path("holdfast.yaml"), Version: "test", Stderr: io.Discard, Ready: func(s *app.Status) { ready <- s }})
	})
	select {
	case st := <-ready:
		return client.New(st.Socket)
	case err := <-gone:
		t.Fatalf("the daemon ended with %v", err)
	}
	return nil
}

// Each example runs to its end on the plant, with the gateway as it is shipped.
// TestDemo does so with fill_batch.
func TestExamples(t *testing.T) {
	t.Parallel()
	mes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Idempotency-Key") == "" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(mes.Close)
	c := serve(t)
	for _, e := range []struct {
		workflow string
		inputs   *value.Map
		result   string
	}{
		{"bottling.rinse", value.NewMap("times", int64(2), "open_ms", int64(100), "pause_ms", int64(100)), `{"times":2}`},
		{"bottling.report", value.NewMap("batch_no", int64(7), "bottles", int64(12), "url", mes.URL), `{"reported":true,"waiting":0}`},
		{"bottling.report", value.NewMap("batch_no", int64(8), "bottles", int64(12), "url", mes.URL+"/", "x", int64(1)), ""},
		{"demo.small", value.NewMap("duration_s", int64(1)), `{"ok":true}`},
		{"demo.retry", value.NewMap("x", "y"), `"y"`},
		{"demo.mailbox", value.NewMap("rounds", int64(2)), `{"holds":0}`},
	} {
		in, err := value.Encode(e.inputs)
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Start(t.Context(), wire.Start{Workflow: e.workflow, Inputs: wire.Value(in)})
		if e.result == "" {
			if err == nil {
				t.Errorf("%s took an input that it has not", e.workflow)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var last engine.RunInfo
		err = c.Follow(t.Context(), st.ID, func(l wire.Line) error {
			if l.Run != nil {
				last = *l.Run
			}
			return nil
		})
		if err != nil || last.Status != engine.Success || text(last.Result) != e.result {
			t.Errorf("%s: %v, ended as %+v", e.workflow, err, last)
		}
	}
}

package controltest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/gateway"
	"holdfast/gateway/tag"
	"holdfast/internal/control"
	"holdfast/internal/control/wire"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// Daemon is a daemon that runs until the test ends.
type Daemon struct {
	Socket  string
	Engine  *engine.Engine
	Gateway *gateway.Gateway
	Device  *Device

	other atomic.Pointer[func(context.Context, io.Writer) error] // in place of the journal's backup

	// Stop ends the daemon's API, as SIGTERM does, and returns when it has ended.
	Stop func()
}

// startedAt returns when each Daemon says that it was started.
func startedAt() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) }

// Start starts a Daemon. With ready not nil it recovers until ready is closed.
func Start(t testing.TB, ready <-chan struct{}) *Daemon {
	t.Helper()
	j := journaltest.Open(t)
	e, _ := newEngine(t, engine.Config{}, j, func() {})
	return serve(t, e, j, ready)
}

// StartBusy starts a Daemon that executes so many runs at once; more wait their turn.
func StartBusy(t testing.TB, workers int) *Daemon {
	t.Helper()
	j := journaltest.Open(t)
	e, _ := newEngine(t, engine.Config{Workers: workers}, j, func() {})
	return serve(t, e, j, nil)
}

// StartInDoubt starts a Daemon that comes back from a restart, and whose run
// "doubtful", of workflow test.doubt, is in doubt since.
func StartInDoubt(t testing.TB) *Daemon {
	t.Helper()
	j := journaltest.Open(t)
	begun := make(chan struct{})
	before, stop := newEngine(t, engine.Config{}, j, sync.OnceFunc(func() { close(begun) }))
	if _, err := before.Start(t.Context(), engine.StartRequest{Workflow: "test.doubt", ID: "doubtful"}); err != nil {
		t.Fatal(err)
	}
	<-begun
	stop()
	j = journaltest.Reopen(t, j)
	e, _ := newEngine(t, engine.Config{}, j, func() {})
	untilInDoubt(t, e, "doubtful")
	return serve(t, e, j, nil)
}

func untilInDoubt(t testing.TB, e *engine.Engine, id string) {
	t.Helper()
	for version := uint64(0); ; {
		now, ended, err := e.Await(t.Context(), id, version)
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Show(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if info.InDoubt != nil {
			return
		}
		if ended || info.Error != nil {
			t.Fatalf("run %s is not in doubt: %+v, %v", id, info, info.Error)
		}
		version = now
	}
}

func serve(t testing.TB, e *engine.Engine, j *journal.Journal, ready <-chan struct{}) *Daemon {
	t.Helper()
	d := &Daemon{Socket: Socket(t), Device: NewDevice()}
	d.Gateway = newGateway(t, d.Device)
	d.Engine = e
	server := control.New(control.Config{
		Engine: d.Engine, Tags: d.Gateway, Links: d.Gateway, Backup: d.backup(j), Version: "v0.0.0-test", StartedAt: startedAt(), SocketPath: d.Socket, Ready: ready,
	})
	l, err := control.Listen(d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	d.Stop = run(t, "control", func(ctx context.Context) error { return server.Run(ctx, l) })
	return d
}

// backup is the backup of j, if not another is set.
func (d *Daemon) backup(j *journal.Journal) control.Backup {
	return func(ctx context.Context, w io.Writer) (wire.Backup, error) {
		if f := d.other.Load(); f != nil {
			return wire.Backup{}, (*f)(ctx, w)
		}
		i, err := j.Backup(ctx, w)
		return wire.Backup{Journal: i.Journal, Time: i.Time, Frame: i.Frame, Runs: i.Runs, Entries: i.Entries, Bytes: i.Bytes}, err
	}
}

// FailBackups has f take the place of the journal's backups.
func (d *Daemon) FailBackups(f func(ctx context.Context, w io.Writer) error) { d.other.Store(&f) }

// Socket returns a path for a socket, short enough for one.
func Socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf") // a test's own folder may have too long a name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "run", "holdfast.sock")
}

// run runs f until the returned function is called, or the test ends.
func run(t testing.TB, name string, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// The tags of a Daemon: a setpoint with guards, a counter that the device moves,
// a name, and raw bytes.
func newGateway(t testing.TB, dev *Device) *gateway.Gateway {
	t.Helper()
	least, most := 0.0, 100.0
	tags := []gateway.Tag{
		{Path: "line/speed_sp", Item: tag.Item{Type: tag.TypeFloat32}, Units: "1/min", Write: &gateway.WriteRule{Min: &least, Max: &most}},
		{Path: "line/count", Item: tag.Item{Type: tag.TypeUint16}},
		{Path: "line/name", Item: tag.Item{Type: tag.TypeString, Length: 16}, Write: &gateway.WriteRule{}},
		{Path: "line/raw", Item: tag.Item{Type: tag.TypeBytes, Length: 4}, Write: &gateway.WriteRule{}},
	}
	for i := range tags {
		g := &tags[i]
		g.Connection, g.ScanClass = "plc1", "fast"
		g.Item.Handle, g.Item.Path, g.Item.Write = i, g.Path, g.Write != nil
		g.Item.Address = "place:" + string(g.Path)
		g.Item.Period = 20 * time.Millisecond
	}
	g, err := gateway.New(gateway.Config{
		Connections: []gateway.Connection{{Name: "plc1", DriverKind: "test", Driver: dev}}, Tags: tags, StartupGrace: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, "gateway", g.Run)
	return g
}

func newEngine(t testing.TB, cfg engine.Config, j *journal.Journal, begun func()) (e *engine.Engine, stop func()) {
	t.Helper()
	e, err := engine.New(cfg, j)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Register(workflows(begun)...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop = run(t, "engine", e.Run)
	for { // until it takes starts
		_, err := e.Start(t.Context(), engine.StartRequest{Workflow: "none"})
		var p *engine.Problem
		if errors.As(err, &p) && p.Code == engine.NotFound {
			return e, stop
		}
		runtime.Gosched()
	}
}

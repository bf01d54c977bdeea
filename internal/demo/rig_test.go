package demo

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/script"
	"holdfast/gateway"
	"holdfast/gateway/tag"
	"holdfast/internal/config"
	"holdfast/journal"
	"holdfast/steps"
)

// site is a line and what was written to it, over all lives of its gateway.
type site struct {
	mu     sync.Mutex
	line   line
	at     time.Time // up to when the line has moved
	writes []string  // "path value", in their order
}

// cable is a gateway.Driver that leads to a site, without a network. Both
// connections of the demo share it.
type cable struct {
	site *site
	lost func() bool // the power is gone: nothing reaches the site any more
}

func (w cable) Connect(context.Context) error { return nil }
func (w cable) Close() error                  { return nil }

func (w cable) Read(_ context.Context, items []tag.Item) ([]tag.Sample, error) {
	w.site.mu.Lock()
	defer w.site.mu.Unlock()
	w.site.move()
	out := make([]tag.Sample, len(items))
	for i, item := range items {
		out[i] = tag.Sample{Value: w.site.value(item.Path), Received: time.Now()}
	}
	return out, nil
}

func (w cable) Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	if w.lost() {
		<-ctx.Done()
		return nil, errors.New("the power is gone")
	}
	w.site.mu.Lock()
	defer w.site.mu.Unlock()
	w.site.move()
	out := make([]tag.Outcome, len(writes))
	for i, wr := range writes {
		w.site.write(wr.Item.Path, wr.Value)
		out[i].Result = tag.Accepted
	}
	return out, nil
}

// move lets the line catch up with the clock.
func (s *site) move() {
	now := time.Now()
	if now.Sub(s.at) > time.Minute {
		s.at = now.Add(-time.Minute) // it has long come to rest
	}
	for ; now.Sub(s.at) >= tick; s.at = s.at.Add(tick) {
		s.line.advance(tick)
	}
}

func (s *site) value(p tag.Path) tag.Value {
	l := &s.line
	switch p {
	case "filler/speed":
		return tag.Float(float64(l.Speed))
	case "filler/speed_sp":
		return tag.Float(float64(l.SpeedSP))
	case "filler/running":
		return tag.Bool(l.Running)
	case "filler/start":
		return tag.Bool(l.Start)
	case "filler/valve":
		return tag.Bool(l.Valve)
	case "filler/valve_open":
		return tag.Bool(l.ValveOpen)
	case "filler/full":
		return tag.Bool(l.full())
	case "filler/guard_closed":
		return tag.Bool(true)
	case "filler/bottles":
		return tag.Int(int64(l.Bottles))
	case "filler/level":
		return tag.Int(int64(math.Round(l.Level * levelScale)))
	case "press/recipe":
		return tag.String(l.Recipe)
	case "press/batch_no":
		return tag.Int(int64(l.BatchNo))
	case "press/lamp":
		return tag.Bool(l.Lamp)
	case "press/temperature":
		return tag.Float(tenths(l.Temperature))
	}
	return tag.None()
}

func (s *site) write(p tag.Path, v tag.Value) {
	l := &s.line
	on, _ := v.AsBool()
	number, _ := v.AsFloat()
	switch p {
	case "filler/speed_sp":
		l.SpeedSP = float32(number)
	case "filler/start":
		l.Start = on
	case "filler/valve":
		l.Valve = on
	case "press/recipe":
		l.Recipe, _ = v.AsString()
	case "press/batch_no":
		l.BatchNo = uint32(number)
	case "press/lamp":
		l.Lamp = on
	}
	s.writes = append(s.writes, string(p)+" "+v.String())
}

func (s *site) written() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.writes...)
}

// demoConfig is the demo's own configuration, with a folder that holds nothing.
func demoConfig(t *testing.T) *config.Config {
	t.Helper()
	f := &folder{dir: t.TempDir(), kept: kept{Written: map[string]string{}}}
	text, err := configText(map[string]string{"Dir": f.dir, "Socket": "s", "ModbusURL": "tcp://127.0.0.1:1502", "OPCUAURL": "opc.tcp://127.0.0.1:4840", "Press": "ns=1;s="})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.put("holdfast.yaml", text); err != nil {
		t.Fatal(err)
	}
	cfg, faults := config.Load(f.path("holdfast.yaml"), nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return cfg
}

// gatewayOf is the gateway of a configuration with all its links on one cable.
func gatewayOf(t *testing.T, cfg *config.Config, w cable) *gateway.Gateway {
	t.Helper()
	out := gateway.Config{StartupGrace: cfg.Engine.StartupGrace, Log: slog.New(slog.DiscardHandler)}
	handles := map[string]int{}
	for _, c := range cfg.Connections {
		out.Connections = append(out.Connections, gateway.Connection{Name: c.Name, DriverKind: c.Driver, Driver: w,
			ReconnectMin: c.Reconnect.Min, ReconnectMax: c.Reconnect.Max})
	}
	for _, ct := range cfg.Tags {
		g := gateway.Tag{Path: ct.Path, Connection: ct.Connection, ScanClass: ct.Scan, Units: ct.Units, Deadband: ct.Deadband,
			Item: tag.Item{Handle: handles[ct.Connection], Path: ct.Path, Address: ct.Address, Type: ct.Type, Period: ct.Period, Write: ct.Write != nil}}
		handles[ct.Connection]++
		if ct.Scale != nil {
			g.Scale = &tag.Scale{Factor: ct.Scale.Factor, Offset: ct.Scale.Offset}
		}
		if ct.Write != nil {
			g.Write = &gateway.WriteRule{Kind: ct.Write.Kind, Min: ct.Write.Min, Max: ct.Write.Max}
			for _, i := range ct.Write.Interlocks {
				g.Write.Interlocks = append(g.Write.Interlocks, gateway.Interlock{Tag: i.Tag, Equals: i.Equals, MaxAge: i.MaxAge})
			}
		}
		out.Tags = append(out.Tags, g)
	}
	g, err := gateway.New(out)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// box is one life of a gateway and an engine with the example workflows.
type box struct {
	t       *testing.T
	journal *journal.Journal
	engine  *engine.Engine
	dbs     *steps.Databases
	stop    context.CancelFunc
	rooms   sync.WaitGroup
}

// examples are the folder of the example workflows.
var examples = filepath.Join("..", "..", "configs", "workflows")

func boot(t *testing.T, dir string, cfg *config.Config, w cable, o journal.Options) *box {
	t.Helper()
	b := &box{t: t}
	g := gatewayOf(t, cfg, w)
	var err error
	var list []steps.Database
	for _, d := range cfg.Databases {
		list = append(list, steps.Database{Name: d.Name, Driver: d.Driver, DSN: filepath.Join(dir, filepath.Base(d.DSN)), ExactlyOnce: d.ExactlyOnce})
	}
	if b.dbs, err = steps.NewDatabases(list...); err != nil {
		t.Fatal(err)
	}
	lib, err := steps.All(steps.Config{Tags: g, StaleAfter: cfg.Engine.StaleAfter, Databases: b.dbs})
	if err != nil {
		t.Fatal(err)
	}
	front, err := script.New(script.Options{Steps: lib})
	if err != nil {
		t.Fatal(err)
	}
	wfs, faults := front.LoadDir(examples)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if b.journal, err = journal.Open(dir, o); err != nil {
		t.Fatal(err)
	}
	b.engine, err = engine.New(engine.Config{SafeWrite: steps.WriteConfirm(g, cfg.Engine.StaleAfter), Loader: front, Log: slog.New(slog.DiscardHandler)}, b.journal)
	if err == nil {
		err = b.engine.Register(wfs...)
	}
	if err == nil {
		_, err = b.engine.Recover(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	for _, run := range []func(context.Context) error{g.Run, b.engine.Run} {
		b.rooms.Go(func() {
			if err := run(ctx); err != nil && b.journal.Err() == nil {
				t.Error(err)
			}
		})
	}
	<-b.engine.Ready()
	return b
}

// end stops all rooms. The journal may have failed only where the power was to be cut.
func (b *box) end(cut bool) {
	b.t.Helper()
	b.stop()
	b.rooms.Wait()
	if err := b.dbs.Close(); err != nil {
		b.t.Error(err)
	}
	if err := b.journal.Close(); err != nil && !cut {
		b.t.Errorf("closing the journal: %v", err)
	}
}

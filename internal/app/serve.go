package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"holdfast/engine"
	"holdfast/gateway"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/journal"
	"holdfast/steps"
)

// BadConfig is the error of a configuration with faults; nothing was opened.
type BadConfig struct{ Faults []string }

// Error returns how many faults there are.
func (e *BadConfig) Error() string {
	return "the configuration has " + count(len(e.Faults), "fault")
}

// Options of Serve.
type Options struct {
	ConfigPath string
	Socket     string // "": as configured
	Version    string
	Stderr     io.Writer       // log
	Ready      func(b *Status) // called once, when all is up; may be nil
}

// Status tells what a start found.
type Status struct {
	Socket    string
	Recovered engine.Recovered
	Clean     bool // the journal was closed in order by the process before
}

// Serve runs the daemon until ctx ends, and returns nil when it ended in order.
func Serve(ctx context.Context, o Options) error {
	log := slog.New(slog.NewTextHandler(o.Stderr, nil))
	in, err := load(o.ConfigPath)
	if err != nil {
		return err
	}
	cfg := in.cfg
	if err := in.mayStart(); err != nil {
		return err
	}
	defer holdHeapFloor(os.Getenv)()
	for _, p := range in.passed {
		log.Info("passed over", "path", p.Path, "why", p.Why)
	}
	if o.Socket != "" {
		cfg.API.Socket = o.Socket
	}
	l, err := control.Listen(cfg.API.Socket)
	if err != nil {
		return err
	}
	d, err := open(cfg, o, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return d.run(ctx, l, o)
}

// daemon is the rooms, wired.
type daemon struct {
	cfg       *config.Config
	log       *slog.Logger
	journal   *journal.Journal
	gateway   *gateway.Gateway
	engine    *engine.Engine
	databases *steps.Databases
	server    *control.Server
	ready     chan struct{}
}

// open opens the journal and makes the rooms; nothing runs yet.
func open(cfg *config.Config, o Options, log *slog.Logger) (d *daemon, err error) {
	d = &daemon{cfg: cfg, log: log, ready: make(chan struct{})}
	if d.gateway, err = newGateway(cfg, log); err != nil {
		return nil, err
	}
	lib, dbs, err := library(cfg, d.gateway, claims{d})
	if err != nil {
		return nil, err
	}
	d.databases = dbs
	front, wfs, bad, err := workflows(cfg, lib, steps.Plant{Tags: d.gateway}, log)
	if err != nil {
		return nil, errors.Join(err, dbs.Close())
	}
	if err = os.MkdirAll(cfg.DataDir, 0o750); err == nil {
		d.journal, err = journal.Open(cfg.DataDir, journal.Options{Log: log, LogBytes: cfg.Journal.Memory, Reserve: cfg.Journal.Reserve,
			Retention: journal.Retention(cfg.Engine.Retention)})
	}
	if err != nil {
		return nil, errors.Join(err, dbs.Close())
	}
	d.engine, err = engine.New(engine.Config{Workers: cfg.Engine.Workers, SafeWrite: steps.WriteConfirm(d.gateway, cfg.Engine.StaleAfter), Loader: front, Log: log}, d.journal)
	if err == nil {
		err = d.engine.Register(wfs...)
	}
	if err != nil {
		return nil, errors.Join(err, dbs.Close(), d.journal.Close())
	}
	d.engine.NotLoaded(notLoaded(bad)...)
	d.server = control.New(control.Config{Engine: d.engine, Tags: d.gateway, Links: d.gateway, Version: o.Version,
		Backup: backupOf(d.journal), StartedAt: time.Now(), SocketPath: cfg.API.Socket, Ready: d.ready, Log: log})
	return d, nil
}

// claims tells the engine of the writes of its own steps, which are made before
// it is.
type claims struct{ d *daemon }

// Claim is the engine's.
func (c claims) Claim(ctx context.Context, tag, by string) (func(bool), error) {
	return c.d.engine.Claim(ctx, tag, by)
}

// run starts the rooms in order and stops them in reverse.
func (d *daemon) run(ctx context.Context, l net.Listener, o Options) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	control := room(ctx, fail, func(ctx context.Context) error { return d.server.Run(ctx, l) })
	found, err := d.engine.Recover(ctx)
	if err != nil {
		control.stop()
		return errors.Join(err, d.databases.Close(), d.journal.Close())
	}
	d.log.Info("recovered", "runs", found.Runs, "held", found.Held)
	gw := room(context.WithoutCancel(ctx), fail, d.gateway.Run)
	eng := room(context.WithoutCancel(ctx), fail, d.engine.Run)
	<-d.engine.Ready()
	close(d.ready)
	note := newNotifier(d.log)
	note.ready(fmt.Sprintf("%d runs recovered", found.Runs))
	if o.Ready != nil {
		report := d.journal.Report()
		o.Ready(&Status{Socket: d.cfg.API.Socket, Recovered: found, Clean: report.Clean && !report.Interrupted})
	}
	note.watch(ctx, d.healthy, fail)
	note.stopping()
	d.log.Info("stopping")
	control.stop()
	eng.stop()
	gw.stop()
	err = errors.Join(d.databases.Close(), d.journal.Close())
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, control.err, eng.err, gw.err)
}

// healthy is what the watchdog asks: a journal that has failed can only be
// opened anew, so the daemon ends, and is started again.
func (d *daemon) healthy() error {
	if err := d.journal.Err(); err != nil {
		return fmt.Errorf("the journal has failed: %w", err)
	}
	return nil
}

// part is a room at work.
type part struct {
	stop func() // ends it, and returns when it has
	err  error
}

// room runs f until stop is called; an end before that fails the daemon.
func room(ctx context.Context, fail context.CancelCauseFunc, f func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(ctx)
	p := &part{}
	var wg sync.WaitGroup
	wg.Go(func() {
		p.err = f(ctx)
		if ctx.Err() == nil {
			fail(fmt.Errorf("a part of the daemon has ended: %w", errors.Join(p.err, errEnded)))
		}
	})
	p.stop = func() { cancel(); wg.Wait() }
	return p
}

var errEnded = errors.New("without being asked to")

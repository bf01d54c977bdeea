package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"time"

	"holdfast/internal/app"
	"holdfast/internal/client"
)

// Options of Run.
type Options struct {
	Dir      string    // where the demo lives; "": holdfast-demo in the user's cache folder
	Stdout   io.Writer // what the user reads
	Stderr   io.Writer // warnings
	Terminal bool      // Stdout is one: progress is a bar that is drawn anew
	Version  string
	Bottles  int // of a batch; 0: 20
}

const defaultBottles = 20

// Run runs the demo until ctx ends, and returns nil when it ended in order.
func Run(ctx context.Context, o Options) (err error) {
	if o.Bottles == 0 {
		o.Bottles = defaultBottles
	}
	f, err := openFolder(o.Dir)
	if err != nil {
		return err
	}
	lock, err := f.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	p, err := openPlant(f.path("plant.json"), f.kept.Modbus, f.kept.OPCUA)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	socket, err := f.socket()
	if err != nil {
		return err
	}
	d := &demo{Options: o, folder: f, plant: p, socket: socket, show: screen{out: o.Stdout, terminal: o.Terminal}}
	changed, err := f.fill(p, d.socket)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		if _, err := fmt.Fprintf(o.Stderr, "holdfast: left as you have changed them: %q; the plant is at %s and %s\n", changed, p.dev.URL(), p.srv.URL()); err != nil {
			return err
		}
	}
	file, err := f.log()
	if err != nil {
		return fmt.Errorf("cannot open the demo's log: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// The press's server tells the standard logger about each client that leaves.
	defer log.SetOutput(log.Writer())
	log.SetOutput(file)
	return d.run(ctx, file)
}

// demo is a demo at work.
type demo struct {
	Options
	folder *folder
	plant  *plant
	socket string
	show   screen
}

// run runs the plant, the daemon on it, and a user of both, until ctx ends.
func (d *demo) run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var plant, daemon sync.WaitGroup
	var plantErr, daemonErr error
	plantCtx, stopPlant := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPlant()
	plant.Go(func() {
		plantErr = d.plant.run(plantCtx)
		fail(plantErr)
	})
	ready := make(chan *app.Status, 1)
	daemon.Go(func() {
		daemonErr = app.Serve(ctx, app.Options{ConfigPath: d.folder.path("holdfast.yaml"), Socket: d.socket, Version: d.Version,
			Stderr: out, Ready: func(s *app.Status) { ready <- s }})
		fail(daemonErr)
	})

	var err error
	select {
	case st := <-ready:
		err = d.operate(ctx, client.New(d.socket), st, began)
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		err = nil // what the user could not do any more is no news
	}
	d.show.line("")
	d.show.line("stopping")
	fail(nil)
	daemon.Wait()
	stopPlant()
	plant.Wait()
	return errors.Join(err, daemonErr, plantErr, d.show.failed)
}

// pause is how long the line stands still between two batches.
const pause = 3 * time.Second

// operate starts one batch after the other, and shows how they get on.
func (d *demo) operate(ctx context.Context, c *client.Client, st *app.Status, began time.Time) error {
	run, err := live(ctx, c)
	if err != nil {
		return err
	}
	if err := d.greet(ctx, c, st, run, began); err != nil {
		return err
	}
	for first := true; ; first = false {
		fresh := run == ""
		if fresh {
			if run, err = d.start(ctx, c); err != nil {
				return err
			}
		}
		switch {
		case first:
			d.hints(run)
		case !fresh:
			d.show.line("Run " + run + ", which somebody else has started")
		}
		if err := d.follow(ctx, c, run, began); err != nil {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		if run, err = live(ctx, c); err != nil {
			return err
		}
	}
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/app"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

const workflow = "bottling.fill_batch"

// live returns the newest run of the workflow that has not ended; "" if there is none.
func live(ctx context.Context, c *client.Client) (string, error) {
	for _, s := range []engine.Status{engine.Running, engine.Enqueued} {
		runs, err := c.Runs(ctx, engine.Filter{Workflow: workflow, Status: s, Limit: 1})
		if err != nil {
			return "", err
		}
		if len(runs) > 0 {
			return runs[0].ID, nil
		}
	}
	return "", nil
}

// start starts the next batch.
func (d *demo) start(ctx context.Context, c *client.Client) (string, error) {
	no := int64(d.plant.batchNo()) + 1
	inputs, err := value.Encode(value.NewMap("bottles", int64(d.Bottles), "batch_no", no))
	if err != nil {
		return "", err
	}
	st, err := c.Start(ctx, wire.Start{Workflow: workflow, Inputs: wire.Value(inputs)})
	if err != nil {
		return "", err
	}
	d.show.line(fmt.Sprintf("Batch %d of %d bottles: run %s", no, d.Bottles, st.ID))
	return st.ID, nil
}

// greet says what there is, and what the daemon has found of the time before.
func (d *demo) greet(ctx context.Context, c *client.Client, st *app.Status, run string, began time.Time) error {
	d.show.line(fmt.Sprintf(`A bottling line, simulated, and Holdfast on it. All of it lies in %s
  filler   Modbus TCP at %s
  press    OPC UA at %s
  log      %s
`, d.folder.dir, d.plant.dev.URL(), d.plant.srv.URL(), d.folder.path("holdfast.log")))
	if run == "" && st.Recovered.Runs == 0 {
		return nil
	}
	if st.Clean {
		d.show.line("The last time this was stopped in order.")
	} else {
		d.show.line("The last time this was killed.")
	}
	d.show.line(fmt.Sprintf("Recovered %s, %d of them held.", count(st.Recovered.Runs, "run"), st.Recovered.Held))
	if run == "" {
		return nil
	}
	stood, err := stoodAt(ctx, c, run, began)
	if err != nil {
		return err
	}
	d.show.line(fmt.Sprintf("Run %s stood at %s, and goes on from there.", run, stood))
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// stoodAt says how far a run had come before this process began, by its record.
func stoodAt(ctx context.Context, c *client.Client, run string, began time.Time) (string, error) {
	at, over := "its beginning", false
	if err := c.Steps(ctx, run, func(s engine.StepInfo) error {
		if over = over || s.StartedAt.After(began); !over {
			at = fmt.Sprintf("step %d, %s", s.Seq, s.Name)
		}
		return nil
	}); err != nil {
		return "", err
	}
	said := ""
	if err := c.Log(ctx, run, "log", func(e engine.LogEntry) error {
		if !e.Time.After(began) {
			said = saying(e)
		}
		return nil
	}); err != nil {
		return "", err
	}
	if said != "" {
		at += ", after " + said
	}
	return at, nil
}

// saying is one entry of the log in a few words.
func saying(e engine.LogEntry) string {
	p := progressOf(e.Value)
	if p.of == 0 {
		return fmt.Sprintf("%q", p.message)
	}
	return fmt.Sprintf("%d of %d bottles", p.done, p.of)
}

// hints says what to type in a second terminal.
func (d *demo) hints(run string) {
	hf := "holdfast"
	if exe, err := os.Executable(); err == nil {
		hf = commandFor(exe, os.Args[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nTry this in a second terminal:\n  export HOLDFAST_SOCKET=%s\n", d.socket)
	for _, h := range [][2]string{
		{"hold " + run, "after the bottle that is being filled"},
		{"resume " + run, "goes on"},
		{"stop " + run, "ends the batch"},
		{"show " + run, "the run; steps: what is on record of it"},
		{"logs -f " + run, "what the workflow says"},
		{"tags list", "all tags with their values"},
		{"tags watch filler/level", "one of them, as it changes"},
	} {
		fmt.Fprintf(&b, "  %-*s  # %s\n", len(hf)+len(run)+9, hf+" "+h[0], h[1])
	}
	fmt.Fprintf(&b, "Or kill -9 %d, and start the demo again. ^C ends it in order; then, too, the run goes on the next time.\n", os.Getpid())
	d.show.line(b.String())
}

// commandFor returns what to type for the program exe that was started as arg0.
func commandFor(exe, arg0 string) string {
	if strings.Contains(filepath.ToSlash(exe), "/go-build") {
		return "go run ./cmd/holdfast" // the program of go run is gone when it ends
	}
	if strings.ContainsRune(arg0, filepath.Separator) {
		return exe
	}
	return "holdfast" // it was found on the PATH
}

// follow shows how a run gets on, until it has ended.
func (d *demo) follow(ctx context.Context, c *client.Client, run string, began time.Time) error {
	var last engine.RunInfo
	err := c.Follow(ctx, run, func(l wire.Line) error {
		switch {
		case l.Entry != nil && l.Entry.Time.After(began):
			d.show.progress(progressOf(l.Entry.Value))
		case l.Run != nil:
			d.show.change(&last, l.Run)
			last = *l.Run
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !last.Status.Ended() {
		return errors.New("the daemon says no more of run " + run)
	}
	return d.show.failed
}

package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// startFlags are those of the verb start.
type startFlags struct {
	wire.Start
	input   string
	timeout time.Duration
	wait    bool
}

func (a *app) startVerb() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use: "start WORKFLOW [KEY=VALUE …]", Short: "start a run and print its id", Args: takes(1, -1),
		Long: "Starts a run and prints its id. A VALUE is JSON where it parses as JSON, else text.\n" +
			"A run that start has acknowledged is on disk: it goes on after a power cut.",
		Example: "  holdfast start demo.small duration_s=5 --wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.start(cmd, f, args)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.input, "input", "", "the inputs as a JSON object (- reads it from standard input); KEY=VALUE wins over it")
	fl.StringVar(&f.ID, "id", "", "the run's id; a second start with it answers with the first one's run")
	fl.StringVar(&f.Queue, "queue", "", "the queue to wait in")
	fl.StringVar(&f.Partition, "partition", "", "what the run belongs to, for hold --partition and the like")
	fl.IntVar(&f.Priority, "priority", 0, "its place in the queue; the lower, the sooner")
	fl.StringVar(&f.DedupID, "dedup-id", "", "while a run with it lives, a second start answers with that run")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the run after this time (30s); 0: the workflow's own limit")
	fl.BoolVar(&f.wait, "wait", false, "show progress, and end with the run's outcome")
	return cmd
}

func (a *app) start(cmd *cobra.Command, f startFlags, args []string) error {
	if f.timeout < 0 || f.timeout%time.Millisecond != 0 {
		return usage(cmd, "--timeout %s is not a number of milliseconds, 0 or more", f.timeout)
	}
	if f.input == "-" {
		b, err := io.ReadAll(a.in)
		if err != nil {
			return cannot("read the inputs", err)
		}
		f.input = string(b)
	}
	inputs, err := inputsOf(f.input, args[1:])
	if err != nil {
		return usage(cmd, "%v", err)
	}
	f.Inputs = wire.Value(inputs)
	f.Workflow, f.TimeoutMS = args[0], f.timeout.Milliseconds()
	c, err := a.client()
	if err != nil {
		return err
	}
	started, err := c.Start(cmd.Context(), f.Start)
	if err != nil {
		return cannot("start "+f.Workflow, err)
	}
	if a.json() {
		err = a.document(started)
	} else {
		err = a.print(started.ID + "\n")
	}
	if err != nil {
		return err
	}
	if started.Deduplicated && !a.json() {
		a.note("it had been started before")
	}
	if !f.wait {
		return nil
	}
	return a.await(cmd.Context(), c, started.ID)
}

// await shows the progress of a run until it has ended; a run that did not
// succeed is an error.
func (a *app) await(ctx context.Context, c *client.Client, id string) error {
	out := a.out
	if a.json() {
		out = a.err
	}
	p := &progress{out: out, terminal: a.terminal(out)}
	var last *engine.RunInfo
	err := c.Follow(ctx, id, func(l wire.Line) error {
		if l.Entry != nil {
			p.entry(*l.Entry)
		}
		if l.Run != nil {
			p.state(*l.Run, last)
			last = l.Run
		}
		return p.failed
	})
	p.close()
	what := "wait for run " + id
	switch {
	case interrupted(ctx, err):
		return cannotf(what, wire.Failed, "it goes on: holdfast show "+id+", holdfast stop "+id, "interrupted")
	case err != nil:
		return &failure{what: what, err: err, hint: "it is on disk, and goes on: holdfast show " + id}
	case last == nil || !last.Status.Ended():
		return cannotf(what, wire.Failed, "holdfast show "+id, "the daemon stopped telling of it")
	case last.Status != engine.Success:
		return cannotf("finish run "+id, wire.Failed, "holdfast show "+id+", holdfast steps "+id, "%s", outcomeText(*last))
	case a.json():
		return nil
	}
	return a.print(successText(*last))
}

func successText(r engine.RunInfo) string {
	s := string(r.Status)
	if r.StartedAt != nil && r.CompletedAt != nil {
		s += " after " + span(r.CompletedAt.Sub(*r.StartedAt))
	}
	if g := given(r.Result); g != "" {
		s += ": " + g
	}
	return s + "\n"
}

// outcomeText says how a run ended that did not succeed.
func outcomeText(r engine.RunInfo) string {
	s := fmt.Sprintf("it ended with %s", r.Status)
	if string(r.State) != string(r.Status) {
		s += fmt.Sprintf(", %s", r.State)
	}
	if r.Error != nil {
		s += ": " + errorText(r.Error)
	}
	return s
}

// errorText shows why a run ended, in one line.
func errorText(e *engine.RunError) string {
	s := e.Message
	if e.Type != "" {
		s = e.Type + ": " + s
	}
	if e.Step != "" {
		s = "step " + e.Step + ": " + s
	}
	return s
}

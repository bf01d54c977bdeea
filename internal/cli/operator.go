package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// operatorVerb is a command of the operator to runs.
type operatorVerb struct {
	command isa88.Command
	short   string
}

func (v operatorVerb) name() string { return strings.ToLower(string(v.command)) }

func operatorVerbs() []operatorVerb {
	return []operatorVerb{
		{isa88.Hold, "hold a run: it ends the step at work and begins no other"},
		{isa88.Resume, "let a held run go on"},
		{isa88.Stop, "end a run after the step at work, and write its safe state"},
		{isa88.Abort, "end a run at once, and write its safe state"},
		{isa88.Reset, "reset a run that has stopped or failed"},
	}
}

// mostWait is how long the daemon lets a command be waited for.
const mostWait = 24 * time.Hour

// operatorFlags are those of all operator verbs.
type operatorFlags struct {
	wire.Commands
	wait time.Duration
}

func (a *app) operatorVerb(v operatorVerb) *cobra.Command {
	var f operatorFlags
	cmd := &cobra.Command{
		Use: v.name() + " RUN | --all | --workflow W | --partition P", Short: v.short, Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Command = v.command
			several := f.All || f.Workflow != "" || f.Partition != ""
			switch {
			case several == (len(args) == 1):
				return usage(cmd, "it takes a RUN or a selection of runs")
			case f.All && (f.Workflow != "" || f.Partition != ""):
				return usage(cmd, "--all takes no further selection")
			case f.wait < 0:
				return usage(cmd, "--wait is negative")
			case f.wait > mostWait:
				return usage(cmd, "--wait is %s, at most %s are waited", f.wait, mostWait)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if several {
				return a.commandMany(cmd.Context(), c, v, f)
			}
			return a.commandOne(cmd.Context(), c, v, f, args[0])
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.Reason, "reason", "", "why; it is kept in the record")
	fl.DurationVar(&f.wait, "wait", 0, "wait so long (5s) until the command has been taken, and say what became of it, or what it waits for")
	fl.BoolVar(&f.All, "all", false, "all live runs")
	fl.StringVar(&f.Workflow, "workflow", "", "all live runs of a workflow")
	fl.StringVar(&f.Partition, "partition", "", "all live runs of a partition (not available yet)")
	return cmd
}

func (a *app) commandOne(ctx context.Context, c *client.Client, v operatorVerb, f operatorFlags, run string) error {
	what := v.name() + " run " + run
	sent, err := c.Command(ctx, run, wire.Command{Command: f.Command, Reason: f.Reason})
	if err != nil {
		return cannot(what, err)
	}
	what = v.name() + " run " + sent.Run
	all := []wire.Sent{sent}
	waitErr := a.awaitFates(ctx, c, all, f.wait)
	sent = all[0]
	if a.json() {
		err = a.document(sent)
	} else {
		err = a.print(sentText(sent) + "\n")
	}
	if err != nil {
		return err
	}
	if waitErr != nil {
		return cannot(what, waitErr)
	}
	return a.fateError(what, sent, f.wait)
}

// awaitFates waits until it is decided what becomes of the commands that were
// accepted, for all of them together and with one request. The commands are on
// disk, whatever the error.
func (a *app) awaitFates(ctx context.Context, c *client.Client, all []wire.Sent, wait time.Duration) error {
	var asked []engine.Receipt
	var places []int
	for i, s := range all {
		if s.Accepted {
			asked, places = append(asked, engine.Receipt{Run: s.Run, Message: s.Message}), append(places, i)
		}
	}
	if wait <= 0 || len(asked) == 0 {
		return nil
	}
	answers, err := c.Fates(ctx, asked, wait)
	if interrupted(ctx, err) {
		return &wire.Error{Code: wire.Failed, Message: "interrupted while waiting for the command to be taken", Hint: "it stays in the run's mailbox: holdfast commands " + asked[0].Run}
	}
	if err != nil {
		return err
	}
	for n, i := range places {
		all[i].Fate, all[i].Outlook = answers[n].Fate, answers[n].Outlook
	}
	return nil
}

// fateError is what a command has come to, where that is not what was wanted.
func (a *app) fateError(what string, s wire.Sent, wait time.Duration) error {
	switch {
	case s.Error != nil:
		return cannot(what, s.Error)
	case s.Fate != nil && !s.Fate.Taken:
		return cannotf(what, wire.Refused, "holdfast show "+s.Run, "%s was not taken: %s", s.Command, s.Fate.Fate)
	case s.Fate == nil && wait > 0:
		return cannotf(what, wire.TryAgain, fmt.Sprintf("it was not taken in %s, and stays in the run's mailbox: holdfast commands %s", wait, s.Run), "%s", a.outlookText(s.Command, s.Run, s.Outlook))
	}
	return nil
}

// sentText says what is known of a command.
func sentText(s wire.Sent) string {
	switch {
	case s.Error != nil:
		return fmt.Sprintf("%s  %s refused: %s", s.Run, s.Command, s.Error.Message)
	case s.Fate == nil:
		return fmt.Sprintf("%s  %s sent", s.Run, s.Command)
	}
	return fmt.Sprintf("%s  %s %s, state %s", s.Run, s.Command, s.Fate.Fate, s.Fate.State)
}

// commandMany gives the command to a selection. All runs are told before any is
// waited for, and the wait is for all of them together. The exit code is that of
// the first run that is not where the command leads, nor on its way there.
func (a *app) commandMany(ctx context.Context, c *client.Client, v operatorVerb, f operatorFlags) error {
	all, err := c.Commands(ctx, f.Commands)
	if err != nil {
		return cannot(v.name()+" the selected runs", err)
	}
	waitErr := cannot(v.name()+" the selected runs", a.awaitFates(ctx, c, all, f.wait))
	first := waitErr
	for i := range all {
		s := &all[i]
		if first == nil && !(s.Fate != nil && f.Command.Done(s.Fate.State)) {
			first = a.fateError(v.name()+" run "+s.Run, *s, f.wait)
		}
		if !a.json() {
			text := sentText(*s)
			if s.Fate == nil && s.Outlook != nil {
				text = s.Run + "  " + a.outlookText(s.Command, s.Run, s.Outlook)
			}
			if err := a.print(text + "\n"); err != nil {
				return err
			}
		}
	}
	if a.json() {
		if err := a.document(array(all)); err != nil {
			return err
		}
	}
	if err := a.summary(all, f.wait > 0); err != nil {
		return err
	}
	return first
}

// summary says how many runs of a selection were told, and, if that was waited
// for, how many have taken the command.
func (a *app) summary(all []wire.Sent, waited bool) error {
	told, taken := 0, 0
	for _, s := range all {
		if s.Accepted {
			told++
		}
		if s.Fate != nil && s.Fate.Taken {
			taken++
		}
	}
	if len(all) == 0 {
		a.note("there is no live run there")
	}
	if len(all) == 0 || a.json() {
		return nil
	}
	text := fmt.Sprintf("%d of %s told", told, plural(len(all), "run"))
	if waited {
		text += fmt.Sprintf(", taken by %d", taken)
	}
	return a.print(text + "\n")
}

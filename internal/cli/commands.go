package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

func (a *app) commandsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "commands RUN", Short: "list every command that a run was sent: who, when, why, its fate", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.RunCommands(cmd.Context(), args[0])
			if err != nil {
				return cannot("list the commands to run "+args[0], err)
			}
			if a.json() {
				return a.document(array(all))
			}
			if len(all) == 0 {
				a.note("it has been sent no command")
				return nil
			}
			t := newTable("GIVEN", "COMMAND", "BY", "FATE", "DECIDED", "REASON")
			for _, c := range all {
				decided := ""
				if c.DecidedAt != nil {
					decided = a.at(*c.DecidedAt)
				}
				t.row(a.at(c.GivenAt), c.Command, c.Actor, fateText(c), decided, oneLine(c.Reason))
			}
			return a.print(t.String())
		},
	}
}

// fateText is what has become of a command.
func fateText(c engine.CommandInfo) string {
	switch {
	case c.DecidedAt == nil && c.Fate == "":
		return "waits"
	case c.State == "":
		return c.Fate
	}
	return fmt.Sprintf("%s, state %s", c.Fate, c.State)
}

// done is what a run is when it has followed a command.
func done(command string) string {
	if answer, ok := strings.CutPrefix(command, "RESOLVE "); ok {
		return "resolved with " + answer
	}
	return map[string]string{"HOLD": "HELD", "RESUME": "RESUMED", "STOP": "STOPPED", "ABORT": "ABORTED", "CANCEL": "CANCELLED", "RESET": "reset"}[command]
}

// commandText says in a sentence what has become of a command.
func commandText(c engine.CommandInfo) string {
	var s string
	switch {
	case !c.Taken:
		s = c.Command + by(c.Actor) + " was not taken, " + c.Fate
	case isa88.Command(c.Command).Priority() < 0 || isa88.Command(c.Command).Done(c.State):
		s = done(c.Command) + by(c.Actor)
	default:
		s = c.Command + by(c.Actor) + ", handed to the script"
	}
	return s + because(c.Reason)
}

func by(actor string) string {
	if actor == "" {
		return " by an operator"
	}
	return " by " + actor
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + oneLine(reason)
}

// commandEntry is a command as an entry of a log: behind place seq.
func commandEntry(c engine.CommandInfo, seq uint32) engine.LogEntry {
	at := c.GivenAt
	if c.DecidedAt != nil {
		at = *c.DecidedAt
	}
	v, err := value.Encode(value.NewMap("ts", at.UTC().Format(time.RFC3339Nano), "message", commandText(c), "extra",
		value.NewMap("command", c.Command, "actor", c.Actor, "reason", c.Reason, "given_at", c.GivenAt.UTC().Format(time.RFC3339Nano), "taken", c.Taken, "fate", c.Fate)))
	if err != nil {
		v = nil // text and a bool can be encoded
	}
	return engine.LogEntry{Seq: seq, Stream: commandStream, Time: at, Value: v}
}

// commandStream is the stream of the entries that are commands.
const commandStream = "commands"

// interleaved puts commands that have had their fate in their place among the
// entries of a log, which come one after the other.
type interleaved struct {
	commands []engine.CommandInfo // that are still to come
	seq      uint32               // of the entry before
	show     func(engine.LogEntry) error
}

func interleave(commands []engine.CommandInfo, show func(engine.LogEntry) error) *interleaved {
	commands = slices.DeleteFunc(commands, func(c engine.CommandInfo) bool { return c.DecidedAt == nil })
	slices.SortStableFunc(commands, func(a, b engine.CommandInfo) int { return a.DecidedAt.Compare(*b.DecidedAt) })
	return &interleaved{commands: commands, show: show}
}

// entry shows an entry, behind the commands before it.
func (m *interleaved) entry(e engine.LogEntry) error {
	for len(m.commands) > 0 && m.commands[0].DecidedAt.Before(e.Time) {
		if err := m.next(); err != nil {
			return err
		}
	}
	m.seq = e.Seq
	return m.show(e)
}

func (m *interleaved) next() error {
	c := m.commands[0]
	m.commands = m.commands[1:]
	return m.show(commandEntry(c, m.seq))
}

// rest shows the commands behind the last entry.
func (m *interleaved) rest() error {
	for len(m.commands) > 0 {
		if err := m.next(); err != nil {
			return err
		}
	}
	return nil
}

// heldText says whose word holds a run, and why.
func heldText(w engine.Word, state isa88.State) string {
	switch {
	case w.Command == "":
		return "held" + because(w.Reason)
	case state == isa88.Holding:
		return "being held" + by(w.Actor) + because(w.Reason)
	}
	return "held" + by(w.Actor) + because(w.Reason)
}

// waitsText says what a run waits for at the step at work, and how long still.
func (a *app) waitsText(w *engine.Waiting) string {
	s := w.Step
	if w.For != "" {
		s += " " + w.For
	}
	if w.Until != nil {
		if left := w.Until.Sub(a.Now()); left > 0 {
			s += ", up to " + span(left) + " more"
		}
	}
	return s
}

// outlookText says what a command that is set waits for.
func (a *app) outlookText(command isa88.Command, run string, o *engine.Outlook) string {
	s := fmt.Sprintf("%s is set", command)
	if o == nil {
		return s
	}
	at := "the end of what the program computes"
	if o.Waits != nil {
		at = a.waitsText(o.Waits)
	}
	if o.Commands == "script" {
		s += "; it waits for the script to ask for it, which is at " + at
		if command == isa88.Stop && o.StopDue != nil {
			s += fmt.Sprintf("; the engine takes it in %s", span(o.StopDue.Sub(a.Now())))
		}
	} else {
		s += "; it waits for " + at
	}
	if command == isa88.Stop {
		s += fmt.Sprintf("; `holdfast abort %s` ends it now", run)
	}
	return s
}

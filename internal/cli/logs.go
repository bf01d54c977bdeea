package cli

import (
	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/control/wire"
)

// progressStream is the stream that rt.progress writes to.
const progressStream = "log"

func (a *app) logsVerb() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs RUN [-f]", Short: "show a run's log stream, and the commands that it was sent", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if follow {
				var seq uint32
				err := c.FollowLog(cmd.Context(), args[0], progressStream, func(l wire.Line) error {
					var e engine.LogEntry
					if l.Entry != nil {
						e = *l.Entry
						seq = e.Seq
					} else {
						e = commandEntry(*l.Command, seq)
					}
					if a.json() {
						return a.line(e)
					}
					return a.print(a.logLine(e))
				})
				if interrupted(cmd.Context(), err) {
					return nil
				}
				return cannot("follow the log of run "+args[0], err)
			}
			commands, err := c.RunCommands(cmd.Context(), args[0])
			if err != nil {
				return cannot("show the log of run "+args[0], err)
			}
			l := &jsonList{a: a}
			m := interleave(commands, func(e engine.LogEntry) error {
				if a.json() {
					return l.add(e, nil)
				}
				return a.print(a.logLine(e))
			})
			if err := c.Log(cmd.Context(), args[0], progressStream, m.entry); err != nil {
				return cannot("show the log of run "+args[0], err)
			}
			if err := m.rest(); err != nil {
				return err
			}
			if a.json() {
				return l.end()
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	return cmd
}

func (a *app) logLine(e engine.LogEntry) string {
	msg, _, _, _ := progressOf(e.Value)
	line := a.at(e.Time) + "  " + oneLine(msg)
	if e.Stream == commandStream {
		return line + "\n"
	}
	if v, err := value.Decode(e.Value); err == nil {
		if m, ok := v.(*value.Map); ok {
			if extra, ok := m.Get("extra"); ok && extra != nil {
				if b, err := value.Shown(extra); err == nil {
					line += "  " + string(b)
				}
			}
		}
	}
	return line + "\n"
}

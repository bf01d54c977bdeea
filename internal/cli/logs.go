package cli

import (
	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/engine/value"
)

// progressStream is the stream that rt.progress writes to.
const progressStream = "log"

func (a *app) logsVerb() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs RUN [-f]", Short: "show a run's log stream", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if follow {
				err := c.FollowLog(cmd.Context(), args[0], progressStream, func(e engine.LogEntry) error {
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
			l := &jsonList{a: a}
			err = c.Log(cmd.Context(), args[0], progressStream, func(e engine.LogEntry) error {
				if a.json() {
					return l.add(e, nil)
				}
				return a.print(a.logLine(e))
			})
			if err != nil {
				return cannot("show the log of run "+args[0], err)
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
	if v, err := value.Decode(e.Value); err == nil {
		if m, ok := v.(*value.Map); ok {
			if extra, ok := m.Get("extra"); ok && extra != nil {
				if b, err := value.AppendJSON(nil, extra); err == nil {
					line += "  " + string(b)
				}
			}
		}
	}
	return line + "\n"
}

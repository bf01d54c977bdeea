package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/engine"
)

func (a *app) alarmsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "alarms", Short: "list what needs a human", Args: takes(0, 0),
		Long: "Lists the alarms, oldest first. They are on record: a restart changes nothing about them. An alarm goes\nby itself when its cause is gone; a loss, which nothing undoes, when it is acknowledged.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.Alarms(cmd.Context())
			if err != nil {
				return cannot("list the alarms", err)
			}
			if a.json() {
				return a.document(array(all))
			}
			if len(all) == 0 {
				a.note("there is no alarm")
				return nil
			}
			return a.print(a.alarmsTable(all))
		},
	}
}

func (a *app) alarmsTable(all []engine.Alarm) string {
	t := newTable("ALARM", "SEVERITY", "SINCE", "ACKNOWLEDGED", "RUN", "MESSAGE")
	for _, al := range all {
		t.row(al.ID, string(al.Severity), a.at(al.Since), a.ackText(al), al.Run, oneLine(al.Message))
	}
	return t.String()
}

func (a *app) ackText(al engine.Alarm) string {
	if al.AcknowledgedAt == nil {
		return "no"
	}
	return fmt.Sprintf("by %s, %s", al.AcknowledgedBy, a.at(*al.AcknowledgedAt))
}

func (a *app) ackVerb() *cobra.Command {
	return &cobra.Command{
		Use: "ack ALARM", Short: "say that you know of an alarm", Args: takes(1, 1),
		Long: "Says that somebody knows of an alarm, by its name as holdfast alarms lists it. The alarm stays until its\ncause is gone; that of a loss ends with it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			al, err := c.Ack(cmd.Context(), args[0])
			if err != nil {
				return cannot("acknowledge "+args[0], err)
			}
			if a.json() {
				return a.document(al)
			}
			return a.print(fmt.Sprintf("%s  acknowledged %s\n", al.ID, a.ackText(al)))
		},
	}
}

package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

func (a *app) statusVerb() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "gateway, connections and engine at a glance", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return cannot("show the status", err)
			}
			if a.json() {
				st.Engine.Alarms, st.Engine.Obligations = array(st.Engine.Alarms), array(st.Engine.Obligations)
				return a.document(st)
			}
			return a.print(a.statusText(st))
		},
	}
}

func (a *app) statusText(st wire.Status) string {
	var b strings.Builder
	uptime := span(time.Duration(st.UptimeMS) * time.Millisecond)
	field(&b, "holdfast", fmt.Sprintf("%s, %s, up %s, since %s", st.Version, st.State, uptime, a.at(st.StartedAt)))
	field(&b, "socket", st.Socket)
	if e := st.Engine; st.State == wire.StateRunning {
		field(&b, "runs", fmt.Sprintf("%d running, %d enqueued, %d held, %d in doubt", e.Running, e.Enqueued, e.Held, e.InDoubt))
		if n := len(e.Obligations); n > 0 {
			field(&b, "owed", plural(n, "line")+" of safe states not written: holdfast obligations")
		}
		journal := "in order"
		if e.JournalRoom != "" {
			journal = "NO ROOM: " + oneLine(e.JournalRoom)
		}
		if e.JournalError != "" {
			journal = "FAILED: " + e.JournalError
		}
		field(&b, "journal", journal)
		j := e.Journal
		field(&b, "disk", fmt.Sprintf("%s written a day: effects and acknowledgements %s, records whose time had come %s, checkpoints %s, history %s",
			size(j.PerDay()), size(j.BarrierPerDay), size(j.TimerPerDay), size(j.CheckpointPerDay), size(j.HistoryPerDay)))
		field(&b, "crash", fmt.Sprintf("would make runs repeat up to %s of work without effect", span(time.Duration(j.RepeatMS)*time.Millisecond)))
	}
	field(&b, "tags", fmt.Sprintf("%d good, %d uncertain, %d bad", st.Tags.Good, st.Tags.Uncertain, st.Tags.Bad))
	if len(st.Connections) > 0 {
		t := newTable("CONNECTION", "DRIVER", "STATE", "SINCE", "LAST DATA", "REQUESTS", "ERRORS", "LAST ERROR")
		for _, l := range st.Connections {
			data := "never"
			if l.LastData != nil {
				data = a.ago(*l.LastData)
			}
			t.row(l.Name, l.Driver, l.State, a.at(l.Since), data, fmt.Sprint(l.Requests), fmt.Sprint(l.Errors), oneLine(l.LastError))
		}
		b.WriteString("\n" + t.String())
	}
	if len(st.Engine.Alarms) > 0 {
		b.WriteString("\n" + a.alarmsTable(st.Engine.Alarms))
	}
	return b.String()
}

func (a *app) workflowsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "workflows", Short: "list the registered workflows", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ws, err := c.Workflows(cmd.Context())
			if err != nil {
				return cannot("list the workflows", err)
			}
			if a.json() {
				for i := range ws {
					ws[i].Inputs = array(ws[i].Inputs)
				}
				return a.document(array(ws))
			}
			if len(ws) == 0 {
				a.note("no workflow is registered")
				return nil
			}
			t := newTable("WORKFLOW", "INPUTS", "COMMANDS", "WHY", "TIMEOUT", "FILE", "DESCRIPTION")
			for _, w := range ws {
				timeout := ""
				if w.TimeoutMS > 0 {
					timeout = span(time.Duration(w.TimeoutMS) * time.Millisecond)
				}
				t.row(w.Name, inputsText(w), string(w.Commands), w.CommandsWhy, timeout, w.File, short(w.Description, 60))
			}
			return a.print(t.String())
		},
	}
}

// inputsText shows a workflow's inputs as start takes them; KEY=… has to be given.
func inputsText(w engine.WorkflowInfo) string {
	var all []string
	for _, in := range w.Inputs {
		content := "…"
		if !in.Required {
			content = text(in.Default)
		}
		all = append(all, in.Name+"="+content)
	}
	if w.AnyInput {
		all = append(all, "any others")
	}
	return strings.Join(all, " ")
}

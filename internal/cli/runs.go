package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
)

func (a *app) runsVerb() *cobra.Command {
	var f engine.Filter
	var status, since string
	cmd := &cobra.Command{
		Use: "runs", Short: "list runs, newest first", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			statuses := []string{"ENQUEUED", "RUNNING", "SUCCESS", "ERROR", "CANCELLED"}
			if status = strings.ToUpper(status); status != "" && !slices.Contains(statuses, status) {
				return usage(cmd, "--status is %q, allowed are %s", status, strings.Join(statuses, ", "))
			}
			f.Status = engine.Status(status)
			if f.Limit < 1 {
				return usage(cmd, "--limit is %d, it takes 1 or more", f.Limit)
			}
			var ok bool
			if f.Since, ok = a.moment(since); !ok {
				return usage(cmd, "--since is %q, which is neither a duration (2h), a date (2026-01-31) nor an RFC 3339 time", since)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			runs, err := c.Runs(cmd.Context(), f)
			if err != nil {
				return cannot("list the runs", err)
			}
			if a.json() {
				return a.document(array(runs))
			}
			return a.print(a.runsTable(runs))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&status, "status", "", "only those ENQUEUED, RUNNING, SUCCESS, ERROR or CANCELLED")
	fl.StringVar(&f.Workflow, "workflow", "", "only those of a workflow")
	fl.StringVar(&since, "since", "", "only those started since: 2h, 2026-01-31, 2026-01-31T06:00:00Z")
	fl.IntVar(&f.Limit, "limit", 100, "how many at most")
	return cmd
}

// moment reads a point in time; the zero time for "".
func (a *app) moment(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return a.Now().Add(-d), true
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, time.DateTime} {
		if t, err := time.ParseInLocation(layout, s, a.Zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (a *app) runsTable(runs []engine.RunInfo) string {
	t := newTable("RUN", "WORKFLOW", "STATUS", "STATE", "CREATED", "TOOK", "PARTITION", "NOTE")
	for _, r := range runs {
		t.row(r.ID, r.Workflow, string(r.Status), string(r.State), a.at(r.CreatedAt), a.took(r.StartedAt, r.CompletedAt), r.Partition, noteText(r))
	}
	return t.String()
}

// noteText is the one thing about a run that a list has to say.
func noteText(r engine.RunInfo) string {
	switch {
	case r.InDoubt != nil:
		return "IN DOUBT: holdfast show " + r.ID
	case r.Held != nil:
		return short(heldText(*r.Held, r.State), 80)
	case r.Pending != nil:
		return short(r.Pending.Command+by(r.Pending.Actor)+" waits to be taken"+because(r.Pending.Reason), 80)
	case r.Error != nil:
		return short(errorText(r.Error), 60)
	}
	if msg, ok := r.Events["phase.last_message"]; ok && !r.Status.Ended() {
		return short(strings.Trim(text(msg), `"`), 60)
	}
	return ""
}

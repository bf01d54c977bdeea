package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/gateway/tag"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// confirmTime is how long write --confirm waits for the read-back.
const confirmTime = 10 * time.Second

func (a *app) tagsVerb() *cobra.Command {
	cmd := group("tags", "the tag table")
	cmd.AddCommand(a.tagsListVerb(), a.tagsReadVerb(), a.tagsWatchVerb(), a.tagsWriteVerb())
	return cmd
}

func (a *app) tagsListVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list all tags with what was last heard of them", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			tags, err := c.Tags(cmd.Context())
			if err != nil {
				return cannot("list the tags", err)
			}
			return a.showTags(tags)
		},
	}
}

func (a *app) tagsReadVerb() *cobra.Command {
	return &cobra.Command{
		Use: "read PATH…", Short: "read tags", Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			tags, err := c.ReadTags(cmd.Context(), args...)
			if err != nil {
				return cannot("read "+strings.Join(args, " "), err)
			}
			return a.showTags(tags)
		},
	}
}

func (a *app) showTags(tags []wire.Tag) error {
	if a.json() {
		return a.document(array(tags))
	}
	t := newTable("TAG", "VALUE", "UNITS", "QUALITY", "TIMESTAMP", "CONNECTION", "ADDRESS", "TYPE", "WRITE")
	for _, g := range tags {
		at, write := "", ""
		if g.Timestamp != nil {
			at = a.at(g.Timestamp.Time)
		}
		if g.Writable {
			write = "yes"
		}
		t.row(g.Path, short(tagText(g), 40), g.Units, g.Quality, at, g.Connection, g.Address, g.Type, write)
	}
	return a.print(t.String())
}

// tagText shows a tag's value; "-" where there is none.
func tagText(t wire.Tag) string {
	if t.Value.IsNone() {
		return "-"
	}
	return t.Value.String()
}

func (a *app) tagsWatchVerb() *cobra.Command {
	return &cobra.Command{
		Use: "watch PATH…", Short: "show each new sample of tags, until interrupted", Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			width := 0
			for _, path := range args {
				width = max(width, len(path))
			}
			err = c.WatchTags(cmd.Context(), args, func(t wire.Tag) error {
				if a.json() {
					return a.line(t)
				}
				return a.print(a.watchLine(t, width))
			})
			if interrupted(cmd.Context(), err) {
				return nil
			}
			return cannot("watch "+strings.Join(args, " "), err)
		},
	}
}

func (a *app) watchLine(t wire.Tag, width int) string {
	at := strings.Repeat(" ", len("15:04:05.000"))
	if t.Timestamp != nil {
		at = a.clock(t.Timestamp.Time)
	}
	line := fmt.Sprintf("%s  %-*s  %s", at, width, t.Path, tagText(t))
	if t.Units != "" {
		line += " " + t.Units
	}
	return line + "  " + t.Quality + "\n"
}

func (a *app) tagsWriteVerb() *cobra.Command {
	var confirm bool
	cmd := &cobra.Command{
		Use: "write PATH VALUE [--confirm]", Short: "write a tag, within its guards", Args: takes(2, 2),
		Long:        "Writes a tag, within the guards of its configuration. VALUE is JSON where it parses as JSON, else text.",
		Annotations: map[string]string{takesNumber: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := tagValue(args[1])
			if err != nil {
				return usage(cmd, "%v", err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.write(cmd.Context(), c, args[0], v, confirm)
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm", false, "wait until the tag reads back what was written, 10s at most")
	return cmd
}

// write writes a tag and says which of the outcomes it had.
func (a *app) write(ctx context.Context, c *client.Client, path string, v tag.Value, confirm bool) error {
	what := "write " + path
	w, err := c.WriteTag(ctx, path, v)
	if err != nil {
		return cannot(what, err)
	}
	failed := writeError(what, w)
	if failed == nil && confirm {
		confirmed, err := c.ConfirmTag(ctx, path, v, w.At, confirmTime)
		switch {
		case interrupted(ctx, err):
			failed = cannotf("confirm "+path, wire.Failed, "holdfast tags read "+path, "interrupted; the device had accepted the write")
		case err != nil:
			failed = cannot("confirm "+path, err)
		case !confirmed.Confirmed:
			failed = cannotf("confirm "+path, wire.Failed, "", "the device accepted the write, and reads back %s (%s) after %s",
				tagText(confirmed.Tag), confirmed.Tag.Quality, confirmTime)
		default:
			w.Outcome = wire.OutcomeConfirmed
		}
	}
	if a.json() {
		if err := a.document(w); err != nil {
			return err
		}
		return failed
	}
	if failed == nil || w.Outcome == wire.OutcomeAccepted {
		if err := a.print(fmt.Sprintf("%s = %s  %s (%s)\n", path, v, w.Outcome, w.Quality)); err != nil {
			return err
		}
	}
	return failed
}

// writeError is what a write has come to, where that is not acceptance.
func writeError(what string, w wire.Written) error {
	detail := w.Quality
	if w.Detail != "" {
		detail += ", " + w.Detail
	}
	switch {
	case w.Outcome == wire.OutcomeUnknown:
		return cannotf(what, wire.Unknown, "look before you repeat it: holdfast tags read "+w.Path,
			"it was sent and the device did not answer (%s): it may or may not have had its effect", detail)
	case w.Outcome == wire.OutcomeRejected && w.Retry:
		return cannotf(what, wire.TryAgain, "holdfast status shows the connection", "the device cannot be reached (%s); nothing was written", detail)
	case w.Outcome == wire.OutcomeRejected:
		return cannotf(what, wire.Refused, "", "the device rejected it (%s); nothing was written", detail)
	}
	return nil
}

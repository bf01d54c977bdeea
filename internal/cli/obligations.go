package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

func (a *app) obligationsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "obligations", Short: "list what is still owed of safe states", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.Obligations(cmd.Context())
			if err != nil {
				return cannot("list what is owed", err)
			}
			if a.json() {
				return a.document(array(all))
			}
			if len(all) == 0 {
				a.note("nothing is owed: every safe state that was due has been written, given up, or overtaken")
				return nil
			}
			t := newTable("OBLIGATION", "VALUE", "STATE", "SINCE", "ATTEMPTS", "WHY")
			for _, o := range all {
				t.row(o.ID, short(text(o.Value), 40), string(o.State), a.at(o.Since), fmt.Sprint(o.Attempts), oneLine(o.Why))
			}
			return a.print(t.String())
		},
	}
}

func (a *app) waiveVerb() *cobra.Command {
	w := wire.Waive{}
	cmd := &cobra.Command{
		Use: "waive OBLIGATION", Short: "give up what is owed of a safe state", Args: takes(1, 1),
		Long: "Gives up what is owed of a safe state, RUN:TAG as holdfast obligations lists it: the tag stays\nas it is, and the run shows that it was given up, by whom and why.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			w.Obligation = args[0]
			if err := c.Waive(cmd.Context(), w); err != nil {
				return cannot("give up "+args[0], err)
			}
			if a.json() {
				return a.document(w)
			}
			return a.print(args[0] + "  given up\n")
		},
	}
	cmd.Flags().StringVar(&w.Reason, "reason", "", "why; it is kept with the run")
	return cmd
}

// owedText says what is still to be written of a run's safe state.
func owedText(all []engine.Obligation) string {
	var lines []string
	for _, o := range all {
		lines = append(lines, fmt.Sprintf("%s = %s (%s): %s\n  to give it up: holdfast waive %s", o.Tag, text(o.Value), o.State, o.Why, o.ID))
	}
	return strings.Join(lines, "\n")
}

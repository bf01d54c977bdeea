package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/engine/value"
	"holdfast/internal/control/wire"
)

func (a *app) sendVerb() *cobra.Command {
	var topic string
	cmd := &cobra.Command{
		Use: "send RUN MESSAGE [--topic T]", Short: "put a message into a run's mailbox", Args: takes(2, 2),
		Long:        "Puts a message into a run's mailbox. MESSAGE is JSON, or a word W, which stands for {\"cmd\": W}.",
		Annotations: map[string]string{takesNumber: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := message(args[1])
			if err != nil {
				return usage(cmd, "%v", err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.Send(cmd.Context(), args[0], wire.Message{Topic: topic, Body: wire.Value(body)})
			if err != nil {
				return cannot("send to run "+args[0], err)
			}
			if a.json() {
				return a.document(r)
			}
			return a.print(fmt.Sprintf("%s  message %d sent\n", r.Run, r.Message))
		},
	}
	cmd.Flags().StringVar(&topic, "topic", "cmd", "the mailbox's topic")
	return cmd
}

func (a *app) cancelVerb() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "cancel RUN [--reason R]", Short: "end a run with CANCELLED", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			id, err := c.Cancel(cmd.Context(), args[0], reason)
			if err != nil {
				return cannot("cancel run "+args[0], err)
			}
			return a.acted(id, "is being cancelled")
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept in the record")
	return cmd
}

func (a *app) resolveVerb() *cobra.Command {
	var result string
	decisions := []string{"done", "retry", "fail"}
	cmd := &cobra.Command{
		Use: "resolve RUN done|retry|fail [--value JSON]", Short: "answer a run in doubt", Args: takes(2, 2),
		Long: "Answers the question of a run in doubt, which holdfast show shows.\n\n" +
			"  done   the step had its effect: go on (--value is the step's result)\n" +
			"  retry  it had none: do it again\n" +
			"  fail   it had none: the step fails",
		RunE: func(cmd *cobra.Command, args []string) error {
			r := wire.Resolve{Decision: args[1]}
			if !slices.Contains(decisions, r.Decision) {
				return usage(cmd, "the answer is %q, allowed are %s", r.Decision, strings.Join(decisions, ", "))
			}
			if cmd.Flags().Changed("value") {
				if r.Decision != "done" {
					return usage(cmd, "--value goes with done only")
				}
				v, err := value.FromJSON([]byte(result))
				if err != nil {
					return usage(cmd, "--value is not JSON: %v", err)
				}
				raw, err := value.Encode(v)
				if err != nil {
					return usage(cmd, "--value: %v", err)
				}
				r.Value = wire.Value(raw)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			id, err := c.Resolve(cmd.Context(), args[0], r)
			if err != nil {
				return cannot("resolve run "+args[0], err)
			}
			return a.acted(id, "goes on with the answer "+r.Decision)
		},
	}
	cmd.Flags().StringVar(&result, "value", "", "the step's result, with done")
	return cmd
}

// acted says what has been done to a run.
func (a *app) acted(id, what string) error {
	if a.json() {
		return a.document(wire.Done{Run: id})
	}
	return a.print(id + "  " + what + "\n")
}

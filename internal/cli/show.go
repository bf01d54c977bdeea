package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/engine"
)

func (a *app) showVerb() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "show one run", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.Show(cmd.Context(), args[0])
			if err != nil {
				return cannot("show run "+args[0], err)
			}
			if a.json() {
				return a.document(r)
			}
			return a.print(a.runText(r))
		},
	}
}

func (a *app) runText(r engine.RunInfo) string {
	var b strings.Builder
	field(&b, "run", r.ID)
	field(&b, "workflow", r.Workflow)
	field(&b, "status", string(r.Status))
	field(&b, "state", string(r.State))
	if r.Waits != nil {
		field(&b, "at work on", a.waitsText(r.Waits))
	} else {
		field(&b, "at work on", r.CurrentStep)
	}
	if r.Held != nil && r.Held.Command == "" {
		field(&b, "held", fmt.Sprintf("%s, since %s", oneLine(r.Held.Reason), a.at(r.Held.At)))
	}
	if w := r.Operator; w != nil {
		field(&b, "operator", fmt.Sprintf("%s: %s at %s, %s%s", w.Actor, w.Command, a.at(w.At), a.ago(w.At), because(w.Reason)))
	}
	if w := r.Pending; w != nil {
		field(&b, "waits", fmt.Sprintf("%s%s at %s%s", w.Command, by(w.Actor), a.at(w.At), because(w.Reason)))
	}
	field(&b, "commands", commandsText(r.Commands))
	field(&b, "created", a.at(r.CreatedAt))
	if r.StartedAt != nil {
		field(&b, "started", a.at(*r.StartedAt))
	}
	switch {
	case r.CompletedAt != nil:
		field(&b, "ended", fmt.Sprintf("%s, after %s", a.at(*r.CompletedAt), a.took(r.StartedAt, r.CompletedAt)))
	case r.StartedAt != nil:
		field(&b, "running for", a.took(r.StartedAt, nil))
	}
	if r.Deadline != nil {
		field(&b, "deadline", a.at(*r.Deadline))
	}
	if r.Queue != "default" {
		field(&b, "queue", r.Queue)
	}
	field(&b, "partition", r.Partition)
	if r.Priority != 0 {
		field(&b, "priority", fmt.Sprint(r.Priority))
	}
	field(&b, "dedup id", r.DedupID)
	if r.Recoveries > 0 {
		field(&b, "recovered", plural(r.Recoveries, "time"))
	}
	field(&b, "inputs", given(r.Inputs))
	var events []string
	for key, v := range r.Events {
		events = append(events, key+" = "+short(text(v), 200))
	}
	slices.Sort(events)
	field(&b, "events", strings.Join(events, "\n"))
	field(&b, "result", given(r.Result))
	if r.Error != nil {
		field(&b, "error", errorText(r.Error)+"\n"+r.Error.Traceback)
	}
	field(&b, "safe state", safeText(r.SafeState))
	field(&b, "still owed", owedText(r.Obligations))
	if r.InDoubt != nil {
		b.WriteString("\n" + doubtText(r))
	}
	return b.String()
}

func commandsText(m engine.CommandModeName) string {
	if m == "" {
		return ""
	}
	return "handled by the " + string(m)
}

func safeText(all []engine.SafeResult) string {
	var lines []string
	for _, s := range all {
		word := "written    "
		if !s.OK {
			word = "NOT WRITTEN"
		}
		line := fmt.Sprintf("%s %s = %s", word, s.Tag, text(s.Value))
		if s.Detail != "" {
			line += ": " + s.Detail
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// doubtText is the question that a run in doubt puts to the operator, with the
// answers to type.
func doubtText(r engine.RunInfo) string {
	d := r.InDoubt
	var b strings.Builder
	if d.Step == "" {
		b.WriteString("IN DOUBT: a part of what this run has recorded may be lost.\n")
		field(&b, "  why", d.Why)
		b.WriteString("Look at the machine, then answer with one of\n")
		fmt.Fprintf(&b, "  holdfast resolve %s retry   go on from what is on record: what was done since then is done again\n", r.ID)
		fmt.Fprintf(&b, "  holdfast resolve %s fail    end it with ERROR, and write its safe state\n", r.ID)
		return b.String()
	}
	what := "step " + d.Step
	if d.Tag != "" {
		what = fmt.Sprintf("step %s on %s", d.Step, d.Tag)
	}
	fmt.Fprintf(&b, "IN DOUBT: %s had begun, and whether it had its effect is not known.\n", what)
	if d.Why != "" {
		field(&b, "  why", d.Why)
	}
	if d.Tag != "" {
		field(&b, "  wanted", text(d.Target))
		field(&b, "  before", text(d.Before))
		field(&b, "  now", nowText(given(d.Now)))
	}
	b.WriteString("Look at the machine, then answer with one of\n")
	fmt.Fprintf(&b, "  holdfast resolve %s done    it had its effect: go on with the next step\n", r.ID)
	fmt.Fprintf(&b, "  holdfast resolve %s retry   it had none: do it again\n", r.ID)
	fmt.Fprintf(&b, "  holdfast resolve %s fail    it had none: the step fails\n", r.ID)
	return b.String()
}

func nowText(v string) string {
	if v == "" {
		return "not readable"
	}
	return v
}

func (a *app) stepsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "steps RUN", Short: "list a run's recorded steps in order", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			l := a.newList(stepsHead()...)
			if err := c.Steps(cmd.Context(), args[0], func(s engine.StepInfo) error { return l.add(&s, a.stepRow(&s)) }); err != nil {
				return cannot("list the steps of run "+args[0], err)
			}
			return l.end()
		},
	}
}

func stepsHead() []string {
	return []string{"SEQ", "STEP", "STATUS", "ARGS", "RESULT", "STARTED", "TOOK", "NOTE"}
}

func (a *app) stepRow(s *engine.StepInfo) []string {
	result := given(s.Result)
	if s.Error != nil {
		result = s.Error.Type + ": " + s.Error.Message
	}
	var notes []string
	if s.Attempts > 1 {
		notes = append(notes, plural(s.Attempts, "attempt"))
	}
	if s.Count > 1 {
		notes = append(notes, fmt.Sprintf("%d times in a row", s.Count))
	}
	switch {
	case s.ResolvedBy != "":
		notes = append(notes, "recovered, done by the word of "+s.ResolvedBy)
	case s.Recovered:
		notes = append(notes, "recovered")
	}
	took := ""
	if s.CompletedAt != nil {
		took = span(s.CompletedAt.Sub(s.StartedAt).Truncate(time.Millisecond))
	}
	return []string{place(s.Seq), s.Name, s.Status, short(given(s.Args), 60), short(result, 70), a.at(s.StartedAt), took, strings.Join(notes, ", ")}
}

// place shows a step's place in the record; those of the safe state lie behind
// all others.
func place(seq uint32) string {
	const safe = 1 << 31
	if seq >= safe {
		return fmt.Sprintf("safe %d", seq-safe)
	}
	return fmt.Sprint(seq)
}

package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"holdfast/drivers/modbus"
	"holdfast/engine"
	"holdfast/engine/script"
	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

// Check checks a configuration and its workflows, and opens nothing. It writes
// every tag with both forms of its address to out, with plan the requests of
// each scan, every workflow with who handles its commands, and always what is to be
// warned of in the workflow files, and which were passed over. Faults are
// "file:line:col: message".
func Check(path string, plan bool, out io.Writer) (faults []string, err error) {
	in, err := load(path)
	if err != nil {
		return nil, err
	}
	notes := func() error { return errors.Join(printWarnings(in, out), printPassed(in.passed, out)) }
	if faults := in.all(); len(faults) > 0 {
		return faults, notes()
	}
	return nil, errors.Join(printTags(in.cfg, out), printPlan(in.cfg, plan, out), printWorkflows(in.workflows, out), notes())
}

// printWarnings writes what in the workflow files is no fault, and most likely
// not what was meant.
func printWarnings(in *loaded, out io.Writer) error {
	if in.front == nil {
		return nil
	}
	for _, w := range in.front.Warnings(in.cfg.WorkflowsDir) {
		if _, err := fmt.Fprintf(out, "warning: %s\n", w.Error()); err != nil {
			return err
		}
	}
	return nil
}

// Schema returns the JSON Schema of the configuration.
func Schema() []byte { return config.Schema() }

// SocketOf returns the socket that a configuration names.
func SocketOf(path string) (string, error) {
	cfg, faults := config.Load(path, nil)
	if cfg == nil {
		return "", errors.New(faults[0].String())
	}
	return cfg.API.Socket, nil
}

func printTags(cfg *config.Config, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TAG\tCONNECTION\tADDRESS\tREFERENCE\tTYPE\tSCAN\tWRITE")
	kinds := map[string]string{}
	for _, c := range cfg.Connections {
		kinds[c.Name] = c.Driver
	}
	for _, t := range cfg.Tags {
		address, ref, write := t.Address, "", ""
		if kinds[t.Connection] == config.DriverModbus {
			a, err := modbus.ParseAddress(t.Address)
			if err != nil {
				return err
			}
			address, ref = a.String(), a.Reference()
		}
		if t.Write != nil {
			write = t.Write.Kind.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Path, t.Connection, address, ref, t.Type, t.Scan, write)
	}
	return w.Flush()
}

// printWorkflows writes each workflow, and who handles its commands.
func printWorkflows(ws []engine.Workflow, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nWORKFLOW\tFILE\tCOMMANDS\tWHY")
	for _, wf := range ws {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", wf.Name, wf.File, wf.Commands, wf.CommandsWhy)
	}
	return w.Flush()
}

// printPassed writes what in the workflows folder is no workflow file, and why.
func printPassed(passed []script.Passed, out io.Writer) error {
	for _, p := range passed {
		if _, err := fmt.Fprintf(out, "%s: passed over, as %s\n", p.Path, p.Why); err != nil {
			return err
		}
	}
	return nil
}

// printPlan writes what each scan of each Modbus connection asks for.
func printPlan(cfg *config.Config, wanted bool, out io.Writer) error {
	if !wanted {
		return nil
	}
	for _, c := range cfg.Connections {
		if c.Driver != config.DriverModbus {
			continue
		}
		byPeriod := map[time.Duration][]tag.Item{}
		for _, t := range cfg.Tags {
			if t.Connection == c.Name {
				byPeriod[t.Period] = append(byPeriod[t.Period], tag.Item{Handle: len(byPeriod[t.Period]), Path: t.Path, Address: t.Address, Type: t.Type, Order: t.Order, Length: t.Length})
			}
		}
		periods := make([]time.Duration, 0, len(byPeriod))
		for p := range byPeriod {
			periods = append(periods, p)
		}
		slices.SortFunc(periods, func(a, b time.Duration) int { return cmp.Compare(a, b) })
		for _, p := range periods {
			reqs, err := modbus.Plan(modbusConfig(c, nil), byPeriod[p])
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "\n%s every %v: %s for %s\n", c.Name, p, count(len(reqs), "request"), count(len(byPeriod[p]), "tag")); err != nil {
				return err
			}
			for _, r := range reqs {
				if _, err := fmt.Fprintf(out, "  %s\n", r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

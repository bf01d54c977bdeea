package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// table is measurements that are compared with one another. Each is repeated;
// one repetition of all comes before the next of any.
type table struct {
	title   string
	rounds  int // at most; 0: as many as -rounds says
	columns []column
	rows    []row
}

// column shows one figure: its median, with ranged the least and greatest, too.
type column struct {
	head   string
	name   string
	digits int
	ranged bool
}

type row struct {
	name string
	args string // of the measurement's command
}

// printTables measures and prints all tables, or those with only in their title.
func printTables(ctx context.Context, o options, only string, out io.Writer) (err error) {
	chosen := slices.DeleteFunc(tables(), func(t table) bool { return !strings.Contains(t.title, only) })
	if len(chosen) == 0 {
		return fmt.Errorf("no table has %q in its title", only)
	}
	if slices.ContainsFunc(chosen, table.usesPostgres) {
		s, err := startServer(ctx, o.dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		o.postgres = s.data
	}
	fmt.Fprintf(out, "%s\n\n", machine())
	for _, t := range chosen {
		if err := t.print(ctx, o, out); err != nil {
			return fmt.Errorf("%s: %w", t.title, err)
		}
	}
	return nil
}

func (t table) usesPostgres() bool {
	return slices.ContainsFunc(t.rows, func(r row) bool { return strings.Contains(r.args, "dbos-pg") })
}

func (t table) print(ctx context.Context, o options, out io.Writer) error {
	found := make([][]figures, len(t.rows))
	rounds := o.rounds
	if t.rounds > 0 {
		rounds = min(rounds, t.rounds)
	}
	for range rounds {
		for i, r := range t.rows {
			f, err := measureApart(ctx, o, r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			found[i] = append(found[i], f)
		}
	}
	fmt.Fprintf(out, "## %s\n\n| |", t.title)
	for _, c := range t.columns {
		fmt.Fprintf(out, " %s |", c.head)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(t.columns)))
	others := 0.0
	for i, r := range t.rows {
		fmt.Fprintf(out, "| %s |", r.name)
		for _, c := range t.columns {
			fmt.Fprintf(out, " %s |", c.show(found[i]))
		}
		fmt.Fprintln(out)
		for _, f := range found[i] {
			others = max(others, f["others_cores"])
		}
	}
	if others > 0 {
		fmt.Fprintf(out, "\nOther processes took up to %.2f of a core meanwhile.\n", others)
	}
	_, err := fmt.Fprintln(out)
	return err
}

// show returns the median of a figure.
func (c column) show(found []figures) string {
	var all []float64
	for _, f := range found {
		if v, ok := f[c.name]; ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	s := number(all[len(all)/2], c.digits)
	if c.ranged {
		s += " (" + number(all[0], c.digits) + "–" + number(all[len(all)-1], c.digits) + ")"
	}
	return s
}

// number writes 12345.6 as 12,346.
func number(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	whole, part, dot := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		return whole + "." + part
	}
	return whole
}

// measureApart makes one measurement in a process of its own, in a new folder.
func measureApart(ctx context.Context, o options, r row) (f figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.dir, "one")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	args := append(strings.Fields(r.args), "-dir", dir)
	if o.postgres != "" {
		args = append(args, "-postgres", o.postgres)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it may have a process of its own
	cmd.WaitDelay = 10 * time.Second
	said, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(said, &f)
}

// machine says on what is measured.
func machine() string {
	model := "CPUs of an unknown kind"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	var u unix.Utsname
	kernel := "Linux"
	if unix.Uname(&u) == nil {
		kernel += " " + unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("On %d × %s, %s, %s.", runtime.NumCPU(), model, kernel, runtime.Version())
}

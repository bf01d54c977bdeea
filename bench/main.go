// Bench measures Holdfast's engine beside two other engines of durable
// workflows, DBOS Transact and go-workflows, and beside what the disk and bbolt
// do alone: the same shapes of workflow, counted from inside the workflows.
// README.md says what the figures mean.
//
// One command is one measurement, in a process of its own, and prints its
// figures as JSON. With -all it runs itself again and again, takes medians, and
// prints tables.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// figures are what a measurement found, by name; the unit is in the name.
type figures map[string]float64

// options are the command line's.
type options struct {
	measure  string
	engine   string
	runs     int
	steps    int
	dur      time.Duration
	warm     time.Duration
	sync     time.Duration // added to each sync
	records  int
	logBytes int64
	load     string
	postgres string // data folder of a server that runs
	dir      string
	profile  string
	rounds   int
}

// measurements are what -measure chooses from.
func measurements() map[string]func(context.Context, options) (figures, error) {
	return map[string]func(context.Context, options) (figures, error){
		"steps":   measureSteps,
		"lone":    measureLone,
		"history": measureHistory,
		"restart": measureRestart,
		"fill":    fillAndWait,
		"day":     measureDay,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	all := f.Bool("all", false, "every measurement, as tables in Markdown")
	only := f.String("only", "", "with -all: only tables whose title has this text")
	f.IntVar(&o.rounds, "rounds", 5, "with -all: how often each measurement is repeated")
	f.StringVar(&o.measure, "measure", "steps", "what to measure: steps, lone, history, restart or day")
	f.StringVar(&o.engine, "engine", "holdfast", "steps: one of "+strings.Join(engineNames(), ", "))
	f.IntVar(&o.runs, "runs", 1, "steps: how many at once; history: how many in all")
	f.IntVar(&o.steps, "steps", 0, "steps: of one run, 0 for runs that do not end")
	f.DurationVar(&o.dur, "for", 2*time.Second, "how long is measured")
	f.DurationVar(&o.warm, "warm", time.Second/2, "how long before that")
	f.DurationVar(&o.sync, "sync", 0, "added to each sync of the disk (holdfast and bare only)")
	f.IntVar(&o.records, "records", 100_000, "restart: records of the runs; lone: records of the long run")
	f.Int64Var(&o.logBytes, "log", 0, "restart: bytes of a segment of the log, 0 for the default")
	f.StringVar(&o.load, "load", "read=1000,write=1", "day: how many runs of read, write, command and wait")
	f.StringVar(&o.postgres, "postgres", "", "data folder of a PostgreSQL server that runs, for dbos-pg; empty: one is started")
	f.StringVar(&o.dir, "dir", "", "where the files go, on the disk to be measured; empty: a temporary folder")
	f.StringVar(&o.profile, "profile", "", "steps: where to write a CPU profile of the measured time")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	} else if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if *all {
		return printTables(ctx, o, *only, out)
	}
	m, ok := measurements()[o.measure]
	if !ok {
		return fmt.Errorf("unknown measurement %q", o.measure)
	}
	// The daemon does not collect its heap below 32 MB. Memory that is kept and
	// never touched has the same effect, for all engines alike.
	floor := make([]byte, 16<<20)
	found, err := m(ctx, o)
	runtime.KeepAlive(floor)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(found)
}

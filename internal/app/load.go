package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"holdfast/engine"
	"holdfast/engine/script"
	"holdfast/internal/config"
	"holdfast/journal"
	"holdfast/steps"
)

// loaded is a configuration, read and checked.
type loaded struct {
	cfg    *config.Config
	faults []string        // of the configuration: with one, nothing may begin
	files  []script.Fault  // of the workflow files
	passed []script.Passed // in the workflows folder

	front     *script.Front     // nil before the workflow files are looked at
	workflows []engine.Workflow // of the files and of the program
}

// all returns all faults, in words.
func (l *loaded) all() []string {
	faults := slices.Clone(l.faults)
	for _, f := range l.files {
		faults = append(faults, f.Error())
	}
	return faults
}

// mayStart returns a *BadConfig where the daemon is not to start. Faults of the
// configuration are always a reason. Those of workflow files are none while the
// journal has live runs: these need no file, and would otherwise neither go on
// nor be made safe.
func (l *loaded) mayStart() error {
	bad := &BadConfig{Faults: l.all()}
	switch {
	case len(l.faults) > 0:
		return bad
	case len(l.files) == 0:
		return nil
	}
	live, err := journal.HasLive(l.cfg.DataDir)
	if err == nil && !live {
		return bad
	}
	return err
}

// load reads a configuration and checks all of it: what the files say, what
// the drivers and steps make of it, and the workflow files.
func load(path string) (*loaded, error) {
	in := &loaded{}
	fault := func(err error) { in.faults = append(in.faults, path+": "+err.Error()) }
	cfg, found := config.Load(path, driverChecks())
	for _, f := range found {
		in.faults = append(in.faults, f.String())
	}
	if in.cfg = cfg; cfg == nil {
		return in, nil
	}
	quiet := slog.New(slog.DiscardHandler)
	var plant script.Plant // of a configuration with faults nothing can be said
	if len(found) == 0 {
		gw, err := newGateway(cfg, quiet)
		if err != nil {
			fault(err)
			return in, nil
		}
		plant = steps.Plant{Tags: gw}
	}
	lib, dbs, err := library(&config.Config{Engine: cfg.Engine, HTTPAllow: cfg.HTTPAllow}, nil, nil)
	if err != nil {
		fault(err)
		return in, nil
	}
	defer dbs.Close()
	if _, err := os.Stat(cfg.WorkflowsDir); errors.Is(err, fs.ErrNotExist) {
		fault(fmt.Errorf("workflows: the folder %s does not exist; make it, or name another", cfg.WorkflowsDir))
		return in, nil
	}
	in.passed = script.PassedOver(cfg.WorkflowsDir)
	in.front, in.workflows, in.files, err = workflows(cfg, lib, plant, quiet)
	return in, err
}

// notLoaded returns a line for each workflow file with faults: the first of
// them, and how many more it has. Faults of a file stand side by side.
func notLoaded(faults []script.Fault) []string {
	var lines []string
	for len(faults) > 0 {
		n := 1
		for n < len(faults) && faults[n].File == faults[0].File {
			n++
		}
		line := faults[0].Error()
		if n > 1 {
			line += " (and " + count(n-1, "more fault") + ")"
		}
		lines, faults = append(lines, line), faults[n:]
	}
	return lines
}

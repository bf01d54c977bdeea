package app

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"holdfast/engine"
	"holdfast/engine/script"
	"holdfast/internal/config"
	"holdfast/steps"
)

// goSteps lists the steps that are written in Go beside the built-in library.
func goSteps() []engine.Step { return []engine.Step{checksumStep{}} }

// goWorkflows lists the workflows that are written in Go.
func goWorkflows(lib map[string]engine.Step) []engine.Workflow {
	return []engine.Workflow{selfTest(lib)}
}

// library makes all steps of a configuration. It opens nothing.
func library(cfg *config.Config, tags steps.Tags, claims steps.Claims) ([]engine.Step, *steps.Databases, error) {
	var list []steps.Database
	for _, d := range cfg.Databases {
		db := steps.Database{Name: d.Name, Driver: d.Driver, DSN: d.DSN, ExactlyOnce: d.ExactlyOnce}
		if d.DSNCredential != "" {
			dsn, err := cfg.Credential(d.DSNCredential)
			if err != nil {
				return nil, nil, fmt.Errorf("database %s: %w", d.Name, err)
			}
			db.DSN = dsn
		}
		list = append(list, db)
	}
	dbs, err := steps.NewDatabases(list...)
	if err != nil {
		return nil, nil, err
	}
	lib, err := steps.All(steps.Config{Tags: tags, StaleAfter: cfg.Engine.StaleAfter, HTTPAllow: cfg.HTTPAllow, Databases: dbs, Claims: claims, Secrets: cfg.Credential})
	if err != nil {
		return nil, nil, err
	}
	return append(lib, goSteps()...), dbs, nil
}

// workflows loads the workflow files, judged by the plant unless that is nil,
// and returns them with those in Go. The name of one in Go is not for a file to take.
func workflows(cfg *config.Config, lib []engine.Step, plant script.Plant, log *slog.Logger) (*script.Front, []engine.Workflow, []script.Fault, error) {
	front, err := script.New(script.Options{Steps: lib, Plant: plant, Log: log})
	if err != nil {
		return nil, nil, nil, err
	}
	all := goWorkflows(named(lib))
	taken := map[string]string{}
	for _, w := range all {
		taken[w.Name] = w.File
	}
	loaded, faults := front.LoadDir(cfg.WorkflowsDir)
	for _, w := range loaded {
		if at := taken[w.Name]; at != "" {
			faults = append(faults, script.Fault{File: filepath.Join(cfg.WorkflowsDir, w.File),
				Message: fmt.Sprintf("workflow %q is already defined in the program, at %s", w.Name, at)})
			continue
		}
		all = append(all, w)
	}
	return front, all, faults, nil
}

// named finds steps by their names.
func named(lib []engine.Step) map[string]engine.Step {
	out := map[string]engine.Step{}
	for _, s := range lib {
		out[s.Name()] = s
	}
	return out
}

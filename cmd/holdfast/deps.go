package main

import (
	"context"
	"errors"
	"io"
	"runtime/debug"

	"holdfast/internal/app"
	"holdfast/internal/cli"
	"holdfast/internal/demo"
)

// release is the version of this program; the linker may set it (-X main.release=…).
var release = "0.1.0"

// deps gives the command line the verbs that work without a daemon.
func deps() cli.Deps {
	return cli.Deps{
		Version: version(),
		Serve: func(ctx context.Context, o cli.ServeOptions) error {
			return badConfig(app.Serve(ctx, app.Options{ConfigPath: o.ConfigPath, Socket: o.Socket, Version: version(), Stderr: o.Stderr}))
		},
		Demo: func(ctx context.Context, o cli.DemoOptions) error {
			return badConfig(demo.Run(ctx, demo.Options{Dir: o.Dir, Stdout: o.Stdout, Stderr: o.Stderr, Terminal: o.Terminal, Version: version()}))
		},
		Check: app.Check,
		Journal: cli.JournalVerbs{
			Check: func(path string) (cli.JournalReport, error) { return journalReport(app.CheckJournal(path)) },
			Restore: func(path string, backup io.ReadSeeker) (cli.JournalReport, error) {
				return journalReport(app.RestoreJournal(path, backup))
			},
			Salvage: func(path string) (cli.JournalReport, error) { return journalReport(app.SalvageJournal(path)) },
		},
		Schema:   app.Schema,
		SocketOf: app.SocketOf,
	}
}

// journalReport gives the command line its own kind of a journal's report.
func journalReport(dir string, r app.JournalReport, err error) (cli.JournalReport, error) {
	if errors.Is(err, app.ErrInUse) {
		err = &cli.InUse{Cause: err}
	}
	if err != nil {
		return cli.JournalReport{}, badConfig(err)
	}
	out := cli.JournalReport{Dir: dir, Clean: r.Clean, Interrupted: r.Interrupted, Sentences: r.Sentences, SetAside: r.SetAside}
	for _, d := range r.Damaged {
		out.Runs = append(out.Runs, cli.JournalDoubt{ID: d.ID, Ended: d.Ended, Lost: d.Lost, What: d.What})
	}
	return out, nil
}

// version is the release, with the commit that it was built of where that is known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}

// badConfig gives the command line its own kind of the error.
func badConfig(err error) error {
	var bad *app.BadConfig
	if errors.As(err, &bad) {
		return &cli.BadConfig{Faults: bad.Faults}
	}
	return err
}

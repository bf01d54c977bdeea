package main

import (
	"context"
	"errors"
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
		Check:    app.Check,
		Schema:   app.Schema,
		SocketOf: app.SocketOf,
	}
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

package main

import (
	"context"
	"maps"
	"slices"
	"time"
)

// engine is what is measured.
type engine interface {
	// open begins in dir, which is empty.
	open(dir string) error
	// run executes one workflow under an id of its own and returns at its end: n
	// steps, one after another, whose body calls probe.step; with n 0, until that
	// returns false.
	run(ctx context.Context, n int) error
	// settle returns when nothing that a run left behind is still to be done, and
	// how many ended runs there were to do it for at the call.
	settle(ctx context.Context) (behind int, err error)
	close() error
}

// engines are the engines, by name.
func engines(p *probe, o options) map[string]func() engine {
	return map[string]func() engine{
		"holdfast":         func() engine { return &holdfast{probe: p, sync: o.sync} },
		"holdfast-script":  func() engine { return &holdfast{probe: p, sync: o.sync, script: true} },
		"dbos-pg":          func() engine { return &transact{probe: p, postgres: o.postgres} },
		"dbos-sqlite-full": func() engine { return &transact{probe: p} },
		"gowf-sqlite":      func() engine { return &goWorkflows{probe: p} },
		"bare-overwrite":   func() engine { return &bareFile{probe: p, sync: o.sync} },
		"bare-append":      func() engine { return &bareFile{probe: p, sync: o.sync, grows: true} },
		"bare-bbolt":       func() engine { return &bareBolt{probe: p, sync: o.sync} },
	}
}

func engineNames() []string {
	return slices.Sorted(maps.Keys(engines(nil, options{})))
}

// pause waits for d. The error is that of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cschleiden/go-workflows/backend"
	"github.com/cschleiden/go-workflows/backend/monoprocess"
	"github.com/cschleiden/go-workflows/backend/sqlite"
	"github.com/cschleiden/go-workflows/client"
	"github.com/cschleiden/go-workflows/registry"
	"github.com/cschleiden/go-workflows/worker"
	"github.com/cschleiden/go-workflows/workflow"
)

// goWorkflows is go-workflows on SQLite, which it opens with a write-ahead log
// and SQLite's own synchronous=FULL.
type goWorkflows struct {
	probe *probe

	backend backend.Backend
	client  *client.Client
	ids     atomic.Int64
	ends    sync.Map // id → chan struct{}, closed by the workflow: the library can only be polled
}

func (g *goWorkflows) open(dir string) error {
	quiet := backend.WithLogger(slog.New(slog.DiscardHandler))
	g.backend = monoprocess.NewMonoprocessBackend(sqlite.NewSqliteBackend(filepath.Join(dir, "gowf.db"), sqlite.WithBackendOptions(quiet)))
	w := worker.New(g.backend, nil)
	if err := w.RegisterWorkflow(g.workflow, registry.WithName("steps")); err != nil {
		return err
	}
	if err := w.RegisterActivity(g.activity, registry.WithName("noop")); err != nil {
		return err
	}
	g.client = client.New(g.backend)
	return w.Start(context.Background())
}

func (g *goWorkflows) activity(_ context.Context, id string) (bool, error) {
	return g.probe.of(id).step(), nil
}

func (g *goWorkflows) workflow(ctx workflow.Context, id string, n int) (string, error) {
	for i, more := 0, true; i < n || n == 0 && more; i++ {
		var err error
		if more, err = workflow.ExecuteActivity[bool](ctx, workflow.DefaultActivityOptions, "noop", id).Get(ctx); err != nil {
			return "", err
		}
	}
	if c, ok := g.ends.LoadAndDelete(id); ok {
		close(c.(chan struct{}))
	}
	return "done", nil
}

func (g *goWorkflows) run(ctx context.Context, n int) error {
	id := fmt.Sprint("run-", g.ids.Add(1))
	end := make(chan struct{})
	g.ends.Store(id, end)
	if _, err := g.client.CreateWorkflowInstance(ctx, client.WorkflowInstanceOptions{InstanceID: id}, "steps", id, n); err != nil {
		return err
	}
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *goWorkflows) settle(context.Context) (int, error) { return 0, nil }

func (g *goWorkflows) close() error { return g.backend.Close() }

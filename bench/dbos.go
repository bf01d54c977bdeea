package main

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // it says how to open SQLite
)

// transact is DBOS Transact: on PostgreSQL, or, without one, on SQLite with
// synchronous=FULL, which keeps what was committed through a power cut; the
// library's own default there does not.
type transact struct {
	probe    *probe
	postgres string

	ctx dbos.Context
	db  *sql.DB
}

func (t *transact) open(dir string) (err error) {
	cfg := dbos.Config{AppName: "bench", Logger: slog.New(slog.DiscardHandler), ApplicationVersion: "1", ExecutorID: "local"}
	if t.postgres != "" {
		if cfg.DatabaseURL, err = newDatabase(context.Background(), t.postgres); err != nil {
			return err
		}
	} else {
		t.db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "dbos.db")+
			"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=foreign_keys(ON)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		if err != nil {
			return err
		}
		t.db.SetMaxOpenConns(8)
		t.db.SetMaxIdleConns(4)
		cfg.SQLiteSystemDB = t.db
	}
	if t.ctx, err = dbos.NewContext(context.Background(), cfg); err != nil {
		return err
	}
	dbos.RegisterWorkflow(t.ctx, t.workflow)
	return dbos.Launch(t.ctx)
}

func (t *transact) workflow(ctx dbos.Context, n int) (string, error) {
	id, err := dbos.GetWorkflowID(ctx)
	if err != nil {
		return "", err
	}
	run := t.probe.of(id)
	for i := 0; i < n || n == 0 && !t.probe.stop.Load(); i++ {
		if _, err := dbos.RunAsStep(ctx, func(context.Context) (bool, error) { return run.step(), nil }); err != nil {
			return "", err
		}
	}
	return "done", nil
}

func (t *transact) run(_ context.Context, n int) error {
	h, err := dbos.RunWorkflow(t.ctx, t.workflow, n)
	if err != nil {
		return err
	}
	_, err = h.GetResult()
	return err
}

func (t *transact) settle(context.Context) (int, error) { return 0, nil }

func (t *transact) close() error {
	dbos.Shutdown(t.ctx, time.Second)
	if t.db != nil {
		return t.db.Close()
	}
	return nil
}

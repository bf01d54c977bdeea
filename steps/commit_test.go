package steps

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
)

// brittle is a database whose commits end as a test wants.
type brittle struct {
	commit func(ctx context.Context) error
	exec   func()          // called by each statement
	begun  context.Context // of the last transaction
}

func (b *brittle) Connect(context.Context) (driver.Conn, error) { return b, nil }
func (b *brittle) Driver() driver.Driver                        { return nil }
func (b *brittle) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not prepared") }
func (b *brittle) Begin() (driver.Tx, error)                    { return nil, errors.New("no context") }
func (b *brittle) Close() error                                 { return nil }
func (b *brittle) Rollback() error                              { return nil }
func (b *brittle) Commit() error                                { return b.commit(b.begun) }
func (b *brittle) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	b.begun = ctx
	return b, nil
}
func (b *brittle) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	b.exec()
	return driver.RowsAffected(4), nil
}

func (b *brittle) update(t *testing.T, ctx context.Context) (any, error) {
	t.Helper()
	pool := sql.OpenDB(b)
	defer pool.Close()
	update := DBSteps(&Databases{byName: map[string]*database{"mes": {Database: Database{Name: "mes"}, pool: pool}}})[1]
	return update.Run(ctx, call(t, update, "dbName", "mes", "sql", "UPDATE t SET n = 1"))
}

// What was cancelled before the commit is not committed.
func TestCommitCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("the run was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	b := &brittle{commit: func(context.Context) error { t.Error("committed"); return nil }, exec: func() { cancel(why) }}
	if _, err := b.update(t, ctx); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		commit  func(ctx context.Context) error
		want    string // error type; "" is none
		unknown bool
	}{
		{"done", func(context.Context) error { return nil }, "", false},
		{"refused", func(context.Context) error { return fmt.Errorf("commit: %w", &mysql.MySQLError{Number: 1213}) }, "SQLError", false},
		{"cut off", func(context.Context) error { return io.ErrUnexpectedEOF }, "OutcomeUnknown", true},
		{"no answer", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "OutcomeUnknown", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errors.New("too late")) }) // nothing interrupts a commit
				res, err := (&brittle{commit: c.commit, exec: func() {}}).update(t, ctx)
				if c.want == "" {
					shows(t, res, err, `{"rows_affected":4}`)
					return
				}
				if e := fails(t, err, c.want, ""); e.Unknown != c.unknown {
					t.Errorf("unknown is %v", e.Unknown)
				}
			})
		})
	}
}

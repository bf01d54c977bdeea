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
	return driver.RowsAffected(4), nil
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
				pool := sql.OpenDB(&brittle{commit: c.commit})
				defer pool.Close()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errors.New("too late")) }) // nothing interrupts a commit
				update := DBSteps(&Databases{byName: map[string]*database{"mes": {Database: Database{Name: "mes"}, pool: pool}}})[1]
				res, err := update.Run(ctx, call(t, update, "dbName", "mes", "sql", "UPDATE t SET n = 1"))
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

package steps

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"modernc.org/sqlite"
)

// dialect is what differs from one database to the other.
type dialect struct {
	driver string              // as registered with database/sql
	dsn    func(string) string // completes a data source name; nil: as it is

	readDSN           func(string) string  // makes one whose connections cannot write; nil: a transaction sees to that
	restrict, release func(conn any) error // keep a driver's connection to statements that read, and no longer; nil as readDSN
	undo              bool                 // has no transactions that only read: a query's is rolled back

	create, find, insert string // for holdfast_steps
}

// dialectOf returns the dialect of a driver as the configuration names it.
func dialectOf(name string) (dialect, bool) {
	const (
		columns = `digest CHAR(64) NOT NULL, rows_affected BIGINT NOT NULL, `
		find    = `SELECT digest, rows_affected FROM holdfast_steps WHERE step = `
		insert  = `INSERT INTO holdfast_steps (step, digest, rows_affected) VALUES (`
	)
	switch name {
	case "sqlite":
		return dialect{
			driver: "sqlite", dsn: sqliteDSN, readDSN: sqliteReadDSN, restrict: onlyReads, release: anything,
			create: `CREATE TABLE IF NOT EXISTS holdfast_steps (step TEXT NOT NULL, ` + columns +
				`recorded_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (step))`,
			find:   find + `?`,
			insert: insert + `?, ?, ?)`,
		}, true
	case "postgres":
		return dialect{
			driver: "pgx",
			create: `CREATE TABLE IF NOT EXISTS holdfast_steps (step TEXT NOT NULL, ` + columns +
				`recorded_at TIMESTAMPTZ NOT NULL DEFAULT now(), PRIMARY KEY (step))`,
			find:   find + `$1`,
			insert: insert + `$1, $2, $3)`,
		}, true
	case "mysql": // InnoDB: without transactions there is no exactly once
		return dialect{
			driver: "mysql", dsn: mysqlDSN,
			create: `CREATE TABLE IF NOT EXISTS holdfast_steps (step VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, ` + columns +
				`recorded_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (step)) ENGINE=InnoDB`,
			find:   find + `?`,
			insert: insert + `?, ?, ?)`,
		}, true
	case "sqlserver":
		return dialect{
			driver: "sqlserver", undo: true,
			create: `IF OBJECT_ID('holdfast_steps') IS NULL CREATE TABLE holdfast_steps (step NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL, ` + columns +
				`recorded_at DATETIME2 NOT NULL DEFAULT SYSUTCDATETIME(), PRIMARY KEY (step))`,
			find:   find + `@p1`,
			insert: insert + `@p1, @p2, @p3)`,
		}, true
	}
	return dialect{}, false
}

// mysqlDSN makes the driver deliver times as times, in UTC unless loc says
// else. A name that it cannot read is left for the driver to complain of.
func mysqlDSN(dsn string) string {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return dsn
	}
	c.ParseTime = true
	return c.FormatDSN()
}

// private reports whether each connection of dsn would be a database of its own.
func (d dialect) private(dsn string) bool {
	name, _, _ := strings.Cut(dsn, "?")
	return d.driver == "sqlite" && (name == "" || name == "file:" || strings.Contains(dsn, ":memory:") || strings.Contains(dsn, "mode=memory"))
}

// answered reports whether an error is the database's own word, so that a
// statement or a commit has not been done. Any other error is about the
// connection, which may have broken between a commit and its answer.
func answered(err error) bool {
	var (
		pg *pgconn.PgError
		my *mysql.MySQLError
		ms mssql.Error
		li *sqlite.Error
	)
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return true
	case errors.As(err, &pg):
		return !strings.HasPrefix(pg.Code, "57P") && !strings.HasPrefix(pg.Code, "08") // the server is going down; connection lost
	case errors.As(err, &my):
		return true
	case errors.As(err, &ms):
		return true
	case errors.As(err, &li):
		const ioError = 10 // SQLITE_IOERR, low byte of the extended codes
		return li.Code()&0xff != ioError
	}
	return false
}

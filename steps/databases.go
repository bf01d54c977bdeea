package steps

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/microsoft/go-mssqldb"
	_ "modernc.org/sqlite"

	"holdfast/engine"
)

const (
	connectLimit = 15 * time.Second // for a connection to be made, or found to be alive
	maxConns     = 8                // to one database
	maxIdle      = 2
	idleLimit    = 5 * time.Minute
)

// Database says how to reach one database.
type Database struct {
	Name        string
	Driver      string // sqlite, postgres, mysql or sqlserver
	DSN         string // data source name in the driver's own words
	ExactlyOnce bool   // updates record their step in the table holdfast_steps, in the same transaction
}

// Databases is what db.query and db.update may name. A database is opened when
// it is first used: one that is down never keeps the gateway from starting.
type Databases struct {
	byName  map[string]*database
	secrets Secrets
}

// database is one of Databases. mu guards pool and closed, and is never held
// during I/O.
type database struct {
	Database
	dialect dialect
	ledger  atomic.Bool // the table holdfast_steps is known to be there

	mu     sync.Mutex
	pool   *sql.DB
	reader *sql.DB // connections that cannot write, where a database has such; else pool serves queries too
	closed bool
}

// NewDatabases checks the list. It opens nothing.
func NewDatabases(list ...Database) (*Databases, error) {
	d := &Databases{byName: make(map[string]*database, len(list))}
	for _, one := range list {
		dialect, ok := dialectOf(one.Driver)
		if !ok {
			return nil, fmt.Errorf("cannot use database %s: driver %q is not one of sqlite, postgres, mysql, sqlserver", one.Name, one.Driver)
		}
		if _, twice := d.byName[one.Name]; twice {
			return nil, fmt.Errorf("cannot use database %s: it is given twice", one.Name)
		}
		d.byName[one.Name] = &database{Database: one, dialect: dialect}
	}
	return d, nil
}

// Close closes all databases that were opened. Steps at work fail.
func (d *Databases) Close() error {
	var errs []error
	for _, db := range d.byName {
		if err := db.close(); err != nil {
			errs = append(errs, fmt.Errorf("cannot close database %s: %w", db.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (d *Databases) find(name string) (*database, error) {
	if db, ok := d.byName[name]; ok {
		return db, nil
	}
	names := slices.Sorted(maps.Keys(d.byName))
	if len(names) == 0 {
		return nil, engine.Errorf("NoSuchDatabase", "no database %q: none is configured", name)
	}
	return nil, engine.Errorf("NoSuchDatabase", "no database %q, configured are %s", name, strings.Join(names, ", "))
}

func (d *database) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	var errs []error
	for _, pool := range []*sql.DB{d.pool, d.reader} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// open returns the pool of connections, for queries that of those which cannot
// write where there are such. It connects to nothing yet.
func (d *database) open(readOnly bool) (*sql.DB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.New("it is closed")
	}
	readOnly = readOnly && d.dialect.readDSN != nil && !d.dialect.private(d.DSN)
	pool, complete := &d.pool, d.dialect.dsn
	if readOnly {
		pool, complete = &d.reader, d.dialect.readDSN
	}
	if *pool != nil {
		return *pool, nil
	}
	dsn := d.DSN
	if complete != nil {
		dsn = complete(dsn)
	}
	var err error
	*pool, err = d.newPool(dsn)
	return *pool, err
}

func (d *database) newPool(dsn string) (*sql.DB, error) {
	pool, err := sql.Open(d.dialect.driver, dsn)
	if err != nil {
		return nil, err
	}
	if d.dialect.private(dsn) {
		pool.SetMaxOpenConns(1) // each connection would be a database of its own
		pool.SetMaxIdleConns(1)
	} else {
		pool.SetMaxOpenConns(maxConns)
		pool.SetMaxIdleConns(maxIdle)
		pool.SetConnMaxIdleTime(idleLimit)
	}
	return pool, nil
}

// connect returns a connection that is alive. Its error is a StepError, or why
// ctx ended.
func (d *database) connect(ctx context.Context, readOnly bool) (*sql.Conn, error) {
	pool, err := d.open(readOnly)
	if err == nil {
		limited, cancel := limit(ctx)
		defer cancel()
		var conn *sql.Conn
		if conn, err = pool.Conn(limited); err == nil {
			return conn, nil
		}
		err = ended(limited, err)
	}
	return nil, ended(ctx, engine.Errorf("ConnectionFailed", "cannot connect to database %s: %v", d.Name, err))
}

// limit bounds what should take no time.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, connectLimit, fmt.Errorf("no answer within %v", connectLimit))
}

// begin begins a transaction on a connection of its own. Nothing has been done
// when it fails; the error is a StepError, or why ctx ended.
func (d *database) begin(ctx context.Context, opts *sql.TxOptions) (*session, error) {
	for try := 1; ; try++ {
		conn, err := d.connect(ctx, opts.ReadOnly)
		if err != nil {
			return nil, err
		}
		s, err := d.beginOn(ctx, conn, opts)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case answered(err):
			return nil, engine.Errorf("SQLError", "database %s: %v", d.Name, err)
		case try > maxIdle: // more than the pool could have kept: this one was new
			return nil, engine.Errorf("ConnectionFailed", "cannot connect to database %s: %v", d.Name, err)
		}
	}
}

func (d *database) beginOn(ctx context.Context, conn *sql.Conn, opts *sql.TxOptions) (*session, error) {
	limited, cancel := limit(ctx)
	defer cancel()
	// The transaction outlives ctx by as much as its end takes: whether it was
	// committed must be known.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{db: d, conn: conn, end: end}
	restrict := opts.ReadOnly && d.dialect.restrict != nil
	detach := context.AfterFunc(limited, end)
	if d.dialect.undo {
		opts = nil
	}
	var err error
	s.tx, err = conn.BeginTx(life, opts)
	if !detach() && err == nil {
		err = context.Cause(limited)
	}
	if err == nil && restrict {
		s.restricted = true
		err = conn.Raw(d.dialect.restrict)
	}
	if err != nil {
		s.close()
		return nil, ended(limited, err)
	}
	return s, nil
}

// session is one transaction on one connection.
type session struct {
	db         *database
	conn       *sql.Conn
	tx         *sql.Tx
	restricted bool               // it takes statements that read only
	end        context.CancelFunc // ends the transaction's context
}

// close rolls back what was not committed and gives the connection back. Where
// that fails the connection is gone, and the database rolls back by itself.
func (s *session) close() {
	if s.restricted {
		if err := s.conn.Raw(s.db.dialect.release); err != nil {
			_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // throw it away
		}
	}
	if s.tx != nil {
		_ = s.tx.Rollback() // sql.ErrTxDone after a commit
	}
	s.end()
	_ = s.conn.Close() // sql.ErrConnDone where it was thrown away
}

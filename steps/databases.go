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
type Databases struct{ byName map[string]*database }

// database is one of Databases. pool and ledger are guarded by mu.
type database struct {
	Database
	dialect dialect

	mu     sync.Mutex
	pool   *sql.DB
	closed bool
	ledger bool // the table holdfast_steps is known to be there
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
	if d.pool == nil {
		return nil
	}
	return d.pool.Close()
}

// open returns the pool of connections. It connects to nothing yet.
func (d *database) open() (*sql.DB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.New("it is closed")
	}
	if d.pool != nil {
		return d.pool, nil
	}
	dsn := d.DSN
	if d.dialect.dsn != nil {
		dsn = d.dialect.dsn(dsn)
	}
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
	d.pool = pool
	return pool, nil
}

// begin connects and begins a transaction, which lives until cancel is called.
// Nothing has been done when it fails.
func (d *database) begin(ctx context.Context, opts *sql.TxOptions) (*session, error) {
	var err error
	for range 3 { // a connection that died in the pool shows only when it is used
		var s *session
		if s, err = d.beginOnce(ctx, opts); err == nil {
			return s, nil
		}
		if !errors.Is(err, driver.ErrBadConn) || ctx.Err() != nil {
			break
		}
	}
	return nil, ended(ctx, engine.Errorf("ConnectionFailed", "cannot connect to database %s: %v", d.Name, err))
}

func (d *database) beginOnce(ctx context.Context, opts *sql.TxOptions) (*session, error) {
	pool, err := d.open()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, connectLimit, fmt.Errorf("no answer within %v", connectLimit))
	defer cancel()
	conn, err := pool.Conn(limited)
	if err != nil {
		return nil, ended(limited, err)
	}
	s := &session{db: d, conn: conn, readOnly: opts.ReadOnly}
	if opts.ReadOnly && d.dialect.lock != "" {
		if _, err := conn.ExecContext(limited, d.dialect.lock); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	// The transaction outlives ctx by as much as its end takes: whether it was
	// committed must be known.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.detach = context.AfterFunc(limited, end)
	if d.dialect.undo {
		opts = nil
	}
	s.tx, err = conn.BeginTx(life, opts)
	if !s.detach() && err == nil {
		err = errors.Join(context.Cause(limited), s.tx.Rollback())
	}
	if err != nil {
		s.tx = nil
		s.close()
		return nil, ended(limited, err)
	}
	s.detach = context.AfterFunc(ctx, end)
	return s, nil
}

// session is one transaction on one connection.
type session struct {
	db       *database
	conn     *sql.Conn
	tx       *sql.Tx
	readOnly bool
	end      context.CancelFunc // ends the transaction's context
	detach   func() bool        // keeps ctx from doing that; false: it already has
}

// close rolls back what was not committed and gives the connection back. Where
// that fails the connection is gone, and the database rolls back by itself.
func (s *session) close() {
	s.detach()
	if s.tx != nil {
		_ = s.tx.Rollback() // sql.ErrTxDone after a commit
	}
	s.end()
	if s.readOnly && s.db.dialect.unlock != "" {
		ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
		defer cancel()
		if _, err := s.conn.ExecContext(ctx, s.db.dialect.unlock); err != nil {
			_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // throw it away
		}
	}
	_ = s.conn.Close() // sql.ErrConnDone where it was thrown away
}

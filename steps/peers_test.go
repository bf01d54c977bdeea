//go:build peers

package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
)

// postgresServer is a PostgreSQL of the test's own, on a Unix socket in a
// temporary folder.
type postgresServer struct {
	dir  string // socket, data and log
	bin  string
	user *syscall.Credential // nil: the test's own
}

// startPostgres makes a cluster and starts it. The binaries have to be there:
// who asks for peers wants them tested.
func startPostgres(t *testing.T) *postgresServer {
	t.Helper()
	s := &postgresServer{bin: postgresBin(t)}
	var err error
	if s.dir, err = os.MkdirTemp("", "holdfast-pg"); err != nil { // short: a socket's path has 107 bytes at most
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	if os.Getuid() == 0 { // PostgreSQL refuses to be root
		u, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr, os.Chown(s.dir, int(uid), int(gid))); err != nil {
			t.Fatal(err)
		}
		s.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	s.must(t, "initdb", "-D", s.data(), "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	s.start(t)
	t.Cleanup(func() { s.must(t, "pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop") })
	return s
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) start(t *testing.T) {
	t.Helper()
	s.must(t, "pg_ctl", "-D", s.data(), "-l", filepath.Join(s.dir, "log"), "-w", "-o", "-c listen_addresses='' -k "+s.dir, "start")
}

func (s *postgresServer) must(t *testing.T, name string, args ...string) {
	t.Helper()
	if err := s.run(name, args...); err != nil {
		t.Fatal(err)
	}
}

func (s *postgresServer) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	if s.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	}
	var out bytes.Buffer
	if name != "pg_ctl" { // the server would keep its pipe open
		cmd.Stdout, cmd.Stderr = &out, &out
	}
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // it may not be there yet
		return fmt.Errorf("cannot run %s: %w\n%s%s", name, err, out.String(), log)
	}
	return nil
}

func (s *postgresServer) dsn() string {
	return fmt.Sprintf("host=%s user=holdfast database=postgres", s.dir)
}

func postgresBin(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatalf("PostgreSQL is not installed: %v", err)
	}
	return filepath.Dir(path)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	srv := startPostgres(t)
	b := newBench(t, "postgres", srv.dsn(), func(n int) string { return "$" + strconv.Itoa(n) })
	b.suite(t)
	t.Run("types", b.testPostgresTypes)
	t.Run("two gateways at first", func(t *testing.T) { testFirstLedger(t, srv) })
	t.Run("commit refused", b.testCommitRefused)
	t.Run("restart", func(t *testing.T) { b.testRestart(t, srv) })
}

func (b *bench) testPostgresTypes(t *testing.T) {
	res, err := b.ask(t, `SELECT 1::int2 AS i2, 2::int8 AS i8, 0.5::float4 AS f4, 12.50::numeric AS n, 7::numeric AS whole,
		1.23456789012345678::numeric AS fine, true AS yes, 'ä'::text AS s, '\x00ff'::bytea AS b, '{"a":1}'::jsonb AS j,
		'2026-11-21 20:30:00+01'::timestamptz AS at, '2026-11-21'::date AS day, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, NULL AS nothing`)
	shows(t, res, err, `[{"i2":1,"i8":2,"f4":0.5,"n":12.5,"whole":7,"fine":"1.23456789012345678","yes":true,"s":"ä","b":"AP8=","j":"{\"a\": 1}",`+
		`"at":"2026-11-21T19:30:00Z","day":"2026-11-21","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","nothing":null}]`)
	b.must(t, `CREATE TABLE typed (i int, f float8, n numeric, s text, b bytea, yes bool, at timestamptz)`)
	b.must(t, `INSERT INTO typed VALUES (?, ?, ?, ?, ?, ?, ?)`, int64(1), int64(2), 12.5, "ä", []byte{0xff}, true, "2026-11-21T20:30:00+01:00")
	res, err = b.ask(t, `SELECT * FROM typed`)
	shows(t, res, err, `[{"i":1,"f":2.0,"n":12.5,"s":"ä","b":"/w==","yes":true,"at":"2026-11-21T19:30:00Z"}]`)
}

// Several processes may meet at a database without the table.
func testFirstLedger(t *testing.T, srv *postgresServer) {
	const gateways = 6
	var wg sync.WaitGroup
	failed := make(chan error, gateways)
	for n := range gateways {
		d, err := NewDatabases(Database{Name: "once", Driver: "postgres", DSN: srv.dsn() + " search_path=first", ExactlyOnce: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		update := DBSteps(d)[1]
		if n == 0 {
			plain, err := NewDatabases(Database{Name: "plain", Driver: "postgres", DSN: srv.dsn()})
			if err != nil {
				t.Fatal(err)
			}
			prepare := DBSteps(plain)[1]
			for _, sql := range []string{`CREATE SCHEMA first`, `CREATE TABLE first.hits (n int)`, `INSERT INTO first.hits VALUES (0)`} {
				if _, err := prepare.Run(t.Context(), call(t, prepare, "dbName", "plain", "sql", sql)); err != nil {
					t.Fatal(err)
				}
			}
			if err := plain.Close(); err != nil {
				t.Fatal(err)
			}
		}
		a := call(t, update, "dbName", "once", "sql", `UPDATE hits SET n = n + 1`)
		a.Key.Place.Seq = uint32(n)
		wg.Go(func() {
			if _, err := update.Run(t.Context(), a); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
}

// A constraint that is checked at the commit is a definite failure.
func (b *bench) testCommitRefused(t *testing.T) {
	b.must(t, `CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)`)
	_, err := b.do(t, `INSERT INTO late VALUES (1), (1)`)
	if e := fails(t, err, "SQLError", ""); e.Unknown || !strings.Contains(e.Message, "duplicate key") {
		t.Errorf("got %v, unknown %v", e, e.Unknown)
	}
}

// A server that was restarted between two steps is not noticed; one that dies
// within a statement fails the step, which has then had no effect.
func (b *bench) testRestart(t *testing.T, srv *postgresServer) {
	b.must(t, `CREATE TABLE kept (n int)`)
	srv.must(t, "pg_ctl", "-D", srv.data(), "-m", "fast", "-w", "stop")
	_, err := b.do(t, `INSERT INTO kept VALUES (1)`)
	fails(t, err, "ConnectionFailed", "")
	srv.start(t)
	b.must(t, `INSERT INTO kept VALUES (2)`)

	died := make(chan error, 1)
	go func() {
		died <- srv.dieInSleep(t.Context(), b)
	}()
	_, err = b.do(t, `INSERT INTO kept SELECT 3 FROM pg_sleep(60)`)
	if err := <-died; err != nil {
		t.Fatal(err)
	}
	var e *engine.StepError
	if !errors.As(err, &e) || e.Unknown {
		t.Errorf("got %v", err)
	}
	srv.start(t)
	res, err := b.ask(t, `SELECT n FROM kept`)
	shows(t, res, err, `[{"n":2}]`)
}

// dieInSleep stops the server without notice once a statement sleeps in it.
func (s *postgresServer) dieInSleep(ctx context.Context, b *bench) error {
	watch := value.NewMap("dbName", "plain", "sql", `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'`, "args", nil)
	for {
		res, err := b.query.Run(ctx, engine.Args{Values: watch})
		if err != nil {
			return err
		}
		if n, _ := res.([]any)[0].(*value.Map).Get("n"); n != int64(0) {
			return s.run("pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop")
		}
	}
}

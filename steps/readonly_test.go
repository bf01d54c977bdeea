package steps

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
)

// No statement of db.query changes an SQLite database, another file, or what
// the next query meets on the same connection.
func TestSQLiteQueryCannotWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	writes := []string{
		`INSERT INTO t VALUES (9)`,
		`INSERT INTO t VALUES (9) RETURNING n`,
		`WITH x(n) AS (SELECT 9) INSERT INTO t SELECT n FROM x RETURNING n`,
		`UPDATE t SET n = 9 RETURNING n`,
		`DELETE FROM t RETURNING n`,
		`REPLACE INTO t VALUES (9)`,
		`DROP TABLE t`,
		`CREATE TABLE u (n INTEGER)`,
		`CREATE TEMP TABLE u (n INTEGER)`,
		`CREATE VIEW u AS SELECT 1`,
		`CREATE INDEX u ON t (n)`,
		`ALTER TABLE t RENAME TO u`,
		`PRAGMA query_only=0`,
		`PRAGMA query_only(0)`,
		`PRAGMA user_version=9`,
		`PRAGMA journal_mode=DELETE`,
		`PRAGMA case_sensitive_like=1`,
		`PRAGMA writable_schema=1`,
		`PRAGMA query_only=0; INSERT INTO t VALUES (9)`,
		`SELECT 1; INSERT INTO t VALUES (9)`,
		`SELECT 1; PRAGMA query_only=0; INSERT INTO t VALUES (9)`,
		`COMMIT; INSERT INTO t VALUES (9)`,
		`COMMIT; PRAGMA query_only=0; INSERT INTO t VALUES (9)`,
		`ROLLBACK; BEGIN IMMEDIATE; INSERT INTO t VALUES (9); COMMIT`,
		`SAVEPOINT a`,
		`ATTACH '` + other + `' AS other`,
		`ATTACH 'file:` + other + `?mode=rwc' AS other; CREATE TABLE other.t (n INTEGER)`,
		`COMMIT; ATTACH '` + other + `' AS other; CREATE TABLE other.t (n INTEGER)`,
		`VACUUM`,
		`VACUUM INTO '` + other + `'`,
		`COMMIT; VACUUM INTO '` + other + `'`,
		`REINDEX`,
		`ANALYZE`,
		`SELECT load_extension('x')`,
	}
	for name, dsn := range map[string]string{
		"file": filepath.Join(dir, "plant.db"), "uri": "file:" + filepath.Join(dir, "uri.db") + "?mode=rwc&_pragma=journal_mode(WAL)", "memory": ":memory:",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "sqlite", dsn, func(int) string { return "?" })
			b.must(t, `CREATE TABLE t (n INTEGER UNIQUE)`)
			b.must(t, `INSERT INTO t VALUES (7)`)
			for _, sql := range writes {
				if _, err := b.ask(t, sql); err == nil {
					t.Errorf("%s was taken", sql)
				} else {
					fails(t, err, "SQLError", "")
				}
				res, err := b.ask(t, `SELECT n, (SELECT count(*) FROM sqlite_master) AS tables, (SELECT count(*) FROM sqlite_temp_master) AS temp FROM t`)
				shows(t, res, err, `[{"n":7,"tables":2,"temp":0}]`)
				if t.Failed() {
					t.Fatalf("after %s", sql)
				}
			}
			if _, err := os.Stat(other); err == nil {
				t.Error("another file was written")
			}
			_, err := b.ask(t, `DELETE FROM t`)
			if e := fails(t, err, "SQLError", ""); !strings.HasPrefix(e.Message, "database plain: db.query only reads, use db.update for statements that write: ") {
				t.Error(e.Message)
			}
			for sql, want := range map[string]string{
				`PRAGMA user_version`:                     `[{"user_version":0}]`,
				`SELECT name FROM pragma_table_info('t')`: `[{"name":"n"}]`,
				`WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3) SELECT max(n) AS m FROM s`: `[{"m":3}]`,
				`VALUES (1)`:                         `[{"column1":1}]`,
				`SELECT value FROM json_each('[1]')`: `[{"value":1}]`,
			} {
				res, err := b.ask(t, sql)
				shows(t, res, err, want)
			}
			b.must(t, `INSERT INTO t VALUES (8)`) // updates write on
			res, err := b.ask(t, `SELECT n FROM t ORDER BY n`)
			shows(t, res, err, `[{"n":7},{"n":8}]`)
		})
	}
}

// A query does not make a database that is not there.
func TestSQLiteQueryMakesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.db")
	b := newBench(t, "sqlite", path, func(int) string { return "?" })
	_, err := b.ask(t, `SELECT 1 AS n`)
	fails(t, err, "ConnectionFailed", "")
	if _, err := os.Stat(path); err == nil {
		t.Error("it is there now")
	}
}

// What a writer that was cut off has left does not keep queries from reading,
// and is not read as if it had been committed.
func TestSQLiteQueryAfterPowerCut(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to #1%.db")
			db, err := sql.Open("sqlite", from+"?_pragma=cache_size(1)&_pragma=journal_mode("+mode+")")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			exec := func(tx interface {
				Exec(string, ...any) (sql.Result, error)
			}, text string, args ...any) {
				t.Helper()
				if _, err := tx.Exec(text, args...); err != nil {
					t.Fatal(err)
				}
			}
			exec(db, `CREATE TABLE t (n INTEGER, wide TEXT)`)
			exec(db, `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 200) INSERT INTO t SELECT n, ? FROM s`, strings.Repeat("x", 1000))
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			exec(tx, `UPDATE t SET n = -n, wide = ?`, strings.Repeat("y", 1000))
			for _, end := range []string{"", "-journal", "-wal"} { // not -shm: it is memory that a power cut takes
				if err := copyFile(from+end, to+end); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			b := newBench(t, "sqlite", to, func(int) string { return "?" })
			res, err := b.ask(t, `SELECT count(*) AS all_of, sum(n > 0) AS whole FROM t`)
			shows(t, res, err, `[{"all_of":200,"whole":200}]`)
		})
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

func TestReadDSN(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"plant.db":                "file:plant.db?mode=ro&_busy_timeout=5000",
		"//srv/a#b%c.db":          "file:/srv/a%23b%25c.db?mode=ro&_busy_timeout=5000",
		"file:plant.db?mode=rwc":  "file:plant.db?mode=ro&_busy_timeout=5000",
		"file:p.db?vfs=x&mode=ro": "file:p.db?mode=ro&vfs=x&_busy_timeout=5000",
		"p.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(9)&_txlock=exclusive": "file:p.db?mode=ro&_pragma=busy_timeout(9)",
	} {
		if got := sqliteReadDSN(dsn); got != want {
			t.Errorf("%s: got  %s\nwant %s", dsn, got, want)
		}
	}
}

// What an operator says of an update or a request becomes a result that the
// script can use, or is refused with what is allowed.
func TestResolved(t *testing.T) {
	t.Parallel()
	update := named(t, DBSteps(&Databases{}), "db.update").(engine.Resolver)
	list, err := HTTPSteps(nil)
	if err != nil {
		t.Fatal(err)
	}
	request := named(t, list, "http.request").(engine.Resolver)
	for _, c := range []struct {
		step  engine.Resolver
		given any
		want  string // "" is refused
	}{
		{update, int64(3), `{"rows_affected":3}`},
		{update, int64(0), `{"rows_affected":0}`},
		{update, value.NewMap("rows_affected", int64(2)), `{"rows_affected":2}`},
		{update, nil, ""}, {update, int64(-1), ""}, {update, "3", ""}, {update, true, ""}, {update, 3.5, ""},
		{update, value.NewMap("rows", int64(2)), ""}, {update, value.NewMap("rows_affected", "2"), ""},
		{update, value.NewMap("rows_affected", int64(2), "more", int64(1)), ""},
		{request, int64(200), `{"status":200,"text":"","headers":{}}`},
		{request, value.NewMap("text", "ok", "status", int64(201)), `{"status":201,"text":"ok","headers":{}}`},
		{request, nil, ""}, {request, "ok", ""}, {request, int64(3), ""}, {request, &value.Map{}, ""},
		{request, value.NewMap("status", int64(200), "body", ""), ""}, {request, value.NewMap("status", int64(200), "text", nil), ""},
	} {
		t.Run(fmt.Sprint(c.given), func(t *testing.T) {
			res, err := c.step.Resolved(engine.Args{}, c.given)
			switch {
			case c.want != "":
				shows(t, res, err, c.want)
			case err == nil:
				t.Errorf("%v was taken as %v", c.given, res)
			case !strings.Contains(err.Error(), "--value") && !strings.Contains(err.Error(), "allowed are"):
				t.Errorf("%v does not say what is allowed", err)
			}
		})
	}
}

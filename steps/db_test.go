package steps

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
)

// bench is one database under test, plain and with exactly-once updates.
type bench struct {
	all           *Databases
	query, update engine.Step
	mark          func(n int) string // the n-th placeholder
}

func newBench(t *testing.T, driver, dsn string, mark func(int) string) *bench {
	t.Helper()
	all, err := NewDatabases(Database{Name: "plain", Driver: driver, DSN: dsn}, Database{Name: "once", Driver: driver, DSN: dsn, ExactlyOnce: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := all.Close(); err != nil {
			t.Error(err)
		}
	})
	list := DBSteps(all)
	return &bench{all, named(t, list, "db.query"), named(t, list, "db.update"), mark}
}

func sqliteBench(t *testing.T) *bench {
	t.Helper()
	return newBench(t, "sqlite", filepath.Join(t.TempDir(), "plant.db"), func(int) string { return "?" })
}

// put makes a statement of one with ? as placeholders.
func (b *bench) put(sql string) string {
	for n := 1; strings.Contains(sql, "?"); n++ {
		m := b.mark(n)
		if m == "?" {
			return sql
		}
		sql = strings.Replace(sql, "?", m, 1)
	}
	return sql
}

func (b *bench) ask(t *testing.T, sql string, args ...any) (any, error) {
	t.Helper()
	return b.query.Run(t.Context(), call(t, b.query, "dbName", "plain", "sql", b.put(sql), "args", args))
}

func (b *bench) do(t *testing.T, sql string, args ...any) (any, error) {
	t.Helper()
	return b.update.Run(t.Context(), call(t, b.update, "dbName", "plain", "sql", b.put(sql), "args", args))
}

func (b *bench) must(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.do(t, sql, args...); err != nil {
		t.Fatal(err)
	}
}

// suite is what every database has to pass.
func (b *bench) suite(t *testing.T) {
	t.Run("rows", b.testRows)
	t.Run("read only", b.testReadOnly)
	t.Run("all or nothing", b.testAllOrNothing)
	t.Run("limits", b.testLimits)
	t.Run("cancelled", b.testCancelled)
	t.Run("exactly once", b.testExactlyOnce)
	t.Run("exactly once at once", b.testConcurrent)
}

func (b *bench) testRows(t *testing.T) {
	b.must(t, `CREATE TABLE batches (no INTEGER PRIMARY KEY, name VARCHAR(40), weight DOUBLE PRECISION, note VARCHAR(40))`)
	res, err := b.do(t, `INSERT INTO batches (no, name, weight, note) VALUES (?, ?, ?, ?), (?, ?, ?, ?)`,
		int64(2), "Süßmost", 0.1, nil, int64(1), "Cider", 2.0, "x")
	shows(t, res, err, `{"rows_affected":2}`)
	res, err = b.ask(t, `SELECT weight, no, name, note FROM batches WHERE no >= ? ORDER BY no`, int64(0))
	shows(t, res, err, `[{"weight":2.0,"no":1,"name":"Cider","note":"x"},{"weight":0.1,"no":2,"name":"Süßmost","note":null}]`)
	res, err = b.ask(t, `SELECT no FROM batches WHERE no > 100`)
	shows(t, res, err, `[]`)
	res, err = b.do(t, `UPDATE batches SET note = ? WHERE no > 100`, "y")
	shows(t, res, err, `{"rows_affected":0}`)
	_, err = b.ask(t, `SELECT no, name AS no FROM batches`)
	fails(t, err, "SQLError", `database plain: two columns of the result are named "no", name them apart with AS`)
	_, err = b.ask(t, `SELEKT`)
	if e := fails(t, err, "SQLError", ""); !strings.Contains(e.Message, "SELEKT") {
		t.Error(e.Message)
	}
}

func (b *bench) testReadOnly(t *testing.T) {
	b.must(t, `CREATE TABLE only_read (n INTEGER)`)
	for _, sql := range []string{`INSERT INTO only_read VALUES (1) RETURNING n`, `DELETE FROM only_read RETURNING n`, `DROP TABLE only_read`} {
		_, err := b.ask(t, sql)
		fails(t, err, "SQLError", "")
	}
	b.must(t, `INSERT INTO only_read VALUES (7)`) // the same connections can write again
	res, err := b.ask(t, `SELECT n FROM only_read`)
	shows(t, res, err, `[{"n":7}]`)
}

func (b *bench) testAllOrNothing(t *testing.T) {
	b.must(t, `CREATE TABLE uniq (n INTEGER PRIMARY KEY)`)
	b.must(t, `INSERT INTO uniq VALUES (3)`)
	_, err := b.do(t, `INSERT INTO uniq VALUES (1), (2), (3)`)
	if e := fails(t, err, "SQLError", ""); e.Unknown {
		t.Error("a refused statement counts as unknown")
	}
	res, err := b.ask(t, `SELECT n FROM uniq`)
	shows(t, res, err, `[{"n":3}]`)
}

func (b *bench) testLimits(t *testing.T) {
	const series = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < `
	_, err := b.ask(t, series+`100001) SELECT n FROM s`)
	fails(t, err, "SQLError", "database plain: the result has more than 100000 rows, the most that a step may hold")
	wide := strings.Repeat("x", 1<<20)
	_, err = b.ask(t, series+`9) SELECT n, '`+wide+`' AS wide FROM s`)
	fails(t, err, "SQLError", "database plain: the result is larger than 8388608 bytes, the most that a step may hold")
	res, err := b.ask(t, series+`1000) SELECT n FROM s`)
	if err != nil || len(res.([]any)) != 1000 {
		t.Errorf("got %v", err)
	}
}

func (b *bench) testCancelled(t *testing.T) {
	b.must(t, `CREATE TABLE endless (n BIGINT)`)
	why := errors.New("the run was cancelled")
	const forever = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) `
	for step, sql := range map[engine.Step]string{b.query: forever + `SELECT count(*) AS c FROM s`, b.update: `INSERT INTO endless ` + forever + `SELECT n FROM s`} {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
		_, err := step.Run(ctx, call(t, step, "dbName", "plain", "sql", sql))
		timer.Stop()
		if !errors.Is(err, why) {
			t.Errorf("%s: got %v", step.Name(), err)
		}
	}
	res, err := b.ask(t, `SELECT count(*) AS c FROM endless`)
	shows(t, res, err, `[{"c":0}]`)
}

// again runs the update of one step once more, as after a crash.
func (b *bench) again(t *testing.T, seq uint32, inner int, sql string, args ...any) (any, error) {
	t.Helper()
	a := call(t, b.update, "dbName", "once", "sql", b.put(sql), "args", args)
	a.Key.Place.Seq, a.Key.Inner = seq, inner
	return b.update.Run(t.Context(), a)
}

func (b *bench) testExactlyOnce(t *testing.T) {
	b.must(t, `CREATE TABLE stock (item INTEGER, n INTEGER)`)
	b.must(t, `INSERT INTO stock VALUES (1, 10), (2, 10)`)
	const take = `UPDATE stock SET n = n - ? WHERE item >= ?`
	for range 3 {
		res, err := b.again(t, 1, 0, take, int64(1), int64(0))
		shows(t, res, err, `{"rows_affected":2}`)
	}
	res, err := b.again(t, 2, 0, take, int64(1), int64(2))
	shows(t, res, err, `{"rows_affected":1}`)
	for inner := range 2 { // two updates within one user step
		res, err = b.again(t, 3, inner+1, take, int64(1), int64(2))
		shows(t, res, err, `{"rows_affected":1}`)
	}
	res, err = b.ask(t, `SELECT n FROM stock ORDER BY item`)
	shows(t, res, err, `[{"n":9},{"n":6}]`)

	a := call(t, b.update, "dbName", "once", "sql", b.put(take), "args", []any{int64(1), int64(2)})
	a.Key.Box, a.Key.Place.Seq = "another box", 2 // its run has the same id
	res, err = b.update.Run(t.Context(), a)
	shows(t, res, err, `{"rows_affected":1}`)
	res, err = b.ask(t, `SELECT n FROM stock ORDER BY item`)
	shows(t, res, err, `[{"n":9},{"n":5}]`)

	_, err = b.again(t, 1, 0, take, int64(5), int64(0))
	fails(t, err, "SQLError", "database once: holdfast_steps already has another statement for step box/run-1/1")
	_, err = b.again(t, 4, 0, `UPDATE stock SET nothing = 1`)
	fails(t, err, "SQLError", "")
	res, err = b.again(t, 4, 0, `UPDATE stock SET n = 0`) // what failed has not been recorded
	shows(t, res, err, `{"rows_affected":2}`)

	recoverer := b.update.(engine.Recoverer)
	r, err := recoverer.Recover(t.Context(), call(t, b.update, "dbName", "once", "sql", take))
	if err != nil || r.Verdict != engine.Again {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = recoverer.Recover(t.Context(), call(t, b.update, "dbName", "plain", "sql", take))
	if err != nil || r.Verdict != engine.InDoubt ||
		r.Doubt.Why != "the update of database plain was begun and its end is not known, and the database does not record steps (exactly_once: true); "+howDone {
		t.Errorf("got %+v, %v", r, err)
	}
	shows(t, r.Doubt.Target, nil, `"`+take+`"`)
}

// Attempts of one step that run side by side, as of a process that was thought
// dead, have one effect together.
func (b *bench) testConcurrent(t *testing.T) {
	b.must(t, `CREATE TABLE hits (n INTEGER)`)
	b.must(t, `INSERT INTO hits VALUES (0)`)
	const steps, attempts = 5, 8
	var wg sync.WaitGroup
	failed := make(chan error, steps*attempts)
	for seq := range steps {
		for range attempts {
			a := call(t, b.update, "dbName", "once", "sql", b.put(`UPDATE hits SET n = n + ?`), "args", []any{int64(1)})
			a.Key.Run, a.Key.Place.Seq = "run-concurrent", uint32(seq)
			wg.Go(func() {
				res, err := b.update.Run(t.Context(), a)
				if err != nil {
					failed <- err
					return
				}
				if n, _ := res.(*value.Map).Get("rows_affected"); n != int64(1) {
					failed <- fmt.Errorf("rows_affected is %v", n)
				}
			})
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	res, err := b.ask(t, `SELECT n FROM hits`)
	shows(t, res, err, `[{"n":5}]`)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	sqliteBench(t).suite(t)
}

// A table holdfast_steps of another form is said, and nothing is updated.
func TestLedgerOfAnotherForm(t *testing.T) {
	t.Parallel()
	b := sqliteBench(t)
	b.must(t, `CREATE TABLE holdfast_steps (run TEXT, seq BIGINT, inner_seq BIGINT, digest TEXT, rows_affected BIGINT)`)
	b.must(t, `CREATE TABLE stock (n INTEGER)`)
	_, err := b.again(t, 1, 0, `INSERT INTO stock VALUES (1)`)
	fails(t, err, "SQLError", "database once: cannot create the table holdfast_steps: there is one that was not made by this version, rename it: SQL logic error: no such column: step (1)")
	res, err := b.ask(t, `SELECT n FROM stock`)
	shows(t, res, err, `[]`)
}

func TestSQLiteTypes(t *testing.T) {
	t.Parallel()
	b := sqliteBench(t)
	b.must(t, `CREATE TABLE t (i INTEGER, f REAL, s TEXT, b BLOB, d DATETIME, day DATE, x DECIMAL(10,2))`)
	b.must(t, `INSERT INTO t VALUES (?, ?, ?, ?, '2026-11-21 20:30:00.5+01:00', '2026-11-21', ?)`, int64(1)<<62, 1.0, "ä", []byte{0, 1}, 12.5)
	res, err := b.ask(t, `SELECT *, ? AS flag FROM t`, true)
	shows(t, res, err, `[{"i":4611686018427387904,"f":1.0,"s":"ä","b":"AAE=","d":"2026-11-21T19:30:00.5Z","day":"2026-11-21","x":12.5,"flag":1}]`)
}

func TestSQLiteMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite", ":memory:", func(int) string { return "?" })
	b.must(t, `CREATE TABLE t (n INTEGER)`)
	b.must(t, `INSERT INTO t VALUES (1)`)
	res, err := b.ask(t, `SELECT n FROM t`)
	shows(t, res, err, `[{"n":1}]`)
}

func TestDatabaseErrors(t *testing.T) {
	t.Parallel()
	b := sqliteBench(t)
	for _, c := range []struct {
		kind, message string
		args          []any
	}{
		{"NoSuchDatabase", `no database "mes", configured are once, plain`, []any{"dbName", "mes", "sql", "x"}},
		{"BadArgument", "dbName is 1, not a string", []any{"dbName", int64(1), "sql", "x"}},
		{"BadArgument", "sql is null, not a string", []any{"dbName", "plain", "sql", nil}},
		{"BadArgument", "args is not a list of the values for the statement's placeholders", []any{"dbName", "plain", "sql", "x", "args", value.NewMap()}},
		{"BadArgument", "args[1] is a dict, not None, a bool, a number, a string or bytes", []any{"dbName", "plain", "sql", "x", "args", value.Tuple{int64(1), value.NewMap()}}},
	} {
		for _, s := range []engine.Step{b.query, b.update} {
			_, err := s.Run(t.Context(), call(t, s, c.args...))
			fails(t, err, c.kind, c.message)
		}
	}
	r, err := b.update.(engine.Recoverer).Recover(t.Context(), call(t, b.update, "dbName", "mes", "sql", "x"))
	if err != nil || r.Verdict != engine.InDoubt {
		t.Errorf("got %+v, %v", r, err)
	}
	none := DBSteps(&Databases{})[0]
	_, err = none.Run(t.Context(), call(t, none, "dbName", "mes", "sql", "x"))
	fails(t, err, "NoSuchDatabase", `no database "mes": none is configured`)

	for _, list := range [][]Database{{{Name: "a", Driver: "oracle"}}, {{Name: "a", Driver: "sqlite"}, {Name: "a", Driver: "mysql"}}} {
		if _, err := NewDatabases(list...); err == nil {
			t.Errorf("%v was taken", list)
		}
	}
}

// What cannot be reached fails with its own type, and nothing is unknown.
func TestDatabaseUnreachable(t *testing.T) {
	t.Parallel()
	d, err := NewDatabases(
		Database{Name: "file", Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "no", "such.db")},
		Database{Name: "my", Driver: "mysql", DSN: "user:pw@tcp(127.0.0.1:1)/x", ExactlyOnce: true},
		Database{Name: "ms", Driver: "sqlserver", DSN: "sqlserver://user:pw@127.0.0.1:1?database=x&dial+timeout=1"},
		Database{Name: "words", Driver: "mysql", DSN: "not a data source name"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "my", "ms", "words"} {
		for _, s := range DBSteps(d) {
			_, err := s.Run(t.Context(), call(t, s, "dbName", name, "sql", "SELECT 1"))
			if e := fails(t, err, "ConnectionFailed", ""); e.Unknown || strings.Contains(e.Message, "pw") {
				t.Errorf("%s of %s: %v", s.Name(), name, e)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s := DBSteps(d)[0]
	_, err = s.Run(t.Context(), call(t, s, "dbName", "file", "sql", "SELECT 1"))
	fails(t, err, "ConnectionFailed", "cannot connect to database file: it is closed")
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901", 10)
	for s, want := range map[string]any{
		"42": int64(42), "-7": int64(-7), "12.50": 12.5, "5.00": 5.0, "0.1": 0.1, "-0.000123": -0.000123,
		"123456789012345678901": huge, "1.2345678901234567": "1.2345678901234567", "NaN": "NaN", "1e400": "1e400",
	} {
		got := decimal(s)
		if g, ok := got.(*big.Int); ok && want == any(huge) && g.Cmp(huge) == 0 {
			continue
		}
		if got != want {
			t.Errorf("%s is %v (%T)", s, got, got)
		}
	}
}

// What drivers of databases that the tests have not got deliver.
func TestPlain(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 20, 30, 0, 500, time.FixedZone("", 3600))
	for _, c := range []struct {
		v    any
		kind string
		want string
	}{
		{[]byte("text"), "VARCHAR", `"text"`}, // MySQL
		{[]byte("text"), "BLOB", `"dGV4dA=="`},
		{[]byte{0xff}, "VARCHAR", `"/w=="`},
		{[]byte("12.5"), "DECIMAL", `12.5`},
		{[]byte("3"), "MONEY", `3`},
		{uint64(1) << 63, "UNSIGNED BIGINT", `9223372036854775808`},
		{uint64(7), "UNSIGNED BIGINT", `7`},
		{float32(0.5), "FLOAT", `0.5`},
		{[]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, "UNIQUEIDENTIFIER", `"00112233-4455-6677-8899-AABBCCDDEEFF"`},
		{at, "DATETIME2", `"2026-11-21T19:30:00.0000005Z"`},
		{at, "DATE", `"2026-11-21"`},
		{at, "TIME", `"20:30:00.0000005"`},
		{"a\xffb", "TEXT", `"a` + "\uFFFD" + `b"`},
		{nil, "INT", `null`},
	} {
		v, err := plain(c.v, c.kind)
		shows(t, v, err, c.want)
	}
	if _, err := plain(struct{}{}, "POINT"); err == nil {
		t.Error("an unknown type was taken")
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{"select 1": true, " ;\n(SELECT 1)": true, "With x AS (SELECT 1) SELECT * FROM x": true, "INSERT INTO a OUTPUT inserted.n VALUES (1)": false, "": false} {
		if reads(sql) != want {
			t.Errorf("%q reads: %v", sql, !want)
		}
	}
}

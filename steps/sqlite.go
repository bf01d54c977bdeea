package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

// sqliteDSN lets writers wait for each other, and begin as writers: SQLite
// gives up at once where two readers want to become writers.
func sqliteDSN(dsn string) string {
	for _, add := range []string{"_busy_timeout=5000", "_txlock=immediate"} {
		key, _, _ := strings.Cut(add, "=")
		if strings.Contains(dsn, key) || strings.Contains(dsn, strings.TrimPrefix(key, "_")+"(") {
			continue
		}
		if strings.Contains(dsn, "?") {
			dsn += "&" + add
		} else {
			dsn += "?" + add
		}
	}
	return dsn
}

// sqliteReadDSN makes a data source name whose connections cannot write.
func sqliteReadDSN(dsn string) string {
	name, query, _ := strings.Cut(dsn, "?")
	if !strings.HasPrefix(name, "file:") {
		name = strings.NewReplacer("%", "%25", "#", "%23").Replace(name)
		if strings.HasPrefix(name, "//") { // it would be a host
			name = "/" + strings.TrimLeft(name, "/")
		}
		name = "file:" + name
	}
	keep := []string{"mode=ro"}
	for p := range strings.SplitSeq(query, "&") {
		switch key, val, _ := strings.Cut(p, "="); {
		case p == "" || slices.Contains([]string{"mode", "_txlock", "_journal_mode", "_journal", "_auto_vacuum", "_vacuum"}, key):
		case key == "_pragma" && (strings.HasPrefix(val, "journal_mode") || strings.HasPrefix(val, "auto_vacuum")):
		default: // what is left out would write, or keep others from writing
			keep = append(keep, p)
		}
	}
	if !strings.Contains(query, "busy_timeout") {
		keep = append(keep, "_busy_timeout=5000")
	}
	return name + "?" + strings.Join(keep, "&")
}

// onlyReads lets a connection of SQLite take statements that read, and nothing
// that writes, attaches another file, or changes the connection itself.
func onlyReads(conn any) error { return authorize(conn, readOnly) }

// anything undoes onlyReads.
func anything(conn any) error { return authorize(conn, nil) }

func authorize(conn any, f sqlite.AuthorizerFn) error {
	c, ok := conn.(sqlite.AuthorizerRegisterer)
	if !ok {
		return fmt.Errorf("a connection of type %T cannot be kept from writing", conn)
	}
	return c.RegisterAuthorizer(f)
}

func readOnly(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	ok := false
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRead, sqlite.AuthRecursive:
		ok = true
	case sqlite.AuthFunction:
		ok = !strings.EqualFold(arg2, "load_extension")
	case sqlite.AuthPragma:
		ok = tells(strings.ToLower(arg1), arg2)
	}
	if !ok {
		return sqlite.AuthorizerDeny
	}
	return sqlite.AuthorizerOK
}

// tells reports whether a pragma of SQLite changes nothing: some whatever their
// argument is, some without one.
func tells(pragma, arg string) bool {
	switch pragma {
	case "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list", "foreign_key_check",
		"integrity_check", "quick_check", "database_list", "collation_list", "function_list", "pragma_list", "compile_options", "data_version":
		return true
	case "user_version", "application_id", "schema_version", "encoding", "page_count", "page_size", "freelist_count", "journal_mode", "foreign_keys", "query_only":
		return arg == ""
	}
	return false
}

// unrecovered reports whether a connection that cannot write cannot read
// either, because what a writer left when it was cut off has to be rolled back
// or taken in first.
func unrecovered(err error) bool {
	const readOnly, cannotOpen = 8, 14 // SQLITE_READONLY, SQLITE_CANTOPEN, low bytes of the extended codes
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == readOnly || code == cannotOpen
}

// refusedToWrite reports whether onlyReads has turned a statement away.
func refusedToWrite(err error) bool {
	const notAuthorized = 23 // SQLITE_AUTH
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == notAuthorized
}

// settle lets a connection that can write do what unrecovered waits for.
func (d *database) settle(ctx context.Context) error {
	conn, err := d.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	limited, cancel := limit(ctx)
	defer cancel()
	var n int
	return ended(limited, conn.QueryRowContext(limited, "SELECT count(*) FROM sqlite_master").Scan(&n))
}

package steps

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/engine"
	"holdfast/engine/value"
)

const (
	maxRows   = 100_000
	maxResult = 8 << 20 // bytes of a query's result, as the record holds it
)

// query runs the statement where it cannot change anything, and returns its rows.
func (s *statement) query(ctx context.Context) (any, error) {
	if s.db.dialect.undo && !reads(s.sql) {
		return nil, engine.Errorf("SQLError", "database %s: db.query takes SELECT or WITH, use db.update for statements that write", s.db.Name)
	}
	out, err := s.queryNow(ctx)
	if unrecovered(err) && s.db.settle(ctx) == nil {
		out, err = s.queryNow(ctx)
	}
	var failure *engine.StepError
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &failure):
		return nil, failure
	}
	return nil, s.failed(ctx, err)
}

func (s *statement) queryNow(ctx context.Context) ([]any, error) {
	t, err := s.db.begin(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer t.close()
	rows, err := t.tx.QueryContext(ctx, s.sql, s.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has been asked by then
	return s.read(rows)
}

// reads reports whether a statement begins like a query.
func reads(text string) bool {
	words := strings.Fields(strings.TrimLeft(text, " \t\r\n;("))
	return len(words) > 0 && (strings.EqualFold(words[0], "SELECT") || strings.EqualFold(words[0], "WITH"))
}

func (s *statement) read(rows *sql.Rows) ([]any, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	cells, into := make([]any, len(types)), make([]any, len(types))
	seen := make(map[string]bool, len(types))
	for i, t := range types {
		if seen[t.Name()] {
			return nil, engine.Errorf("SQLError", "database %s: two columns of the result are named %q, name them apart with AS", s.db.Name, t.Name())
		}
		seen[t.Name()] = true
		into[i] = &cells[i]
	}
	out := []any{}
	size := 0
	for rows.Next() {
		if len(out) == maxRows {
			return nil, engine.Errorf("SQLError", "database %s: the result has more than %d rows, the most that a step may hold", s.db.Name, maxRows)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		m := &value.Map{Pairs: make([]value.Pair, len(types))}
		for i, t := range types {
			v, err := plain(cells[i], t.DatabaseTypeName())
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", t.Name(), err)
			}
			m.Pairs[i] = value.Pair{Key: t.Name(), Value: v}
			size += len(t.Name()) + weight(v)
		}
		if size > maxResult {
			return nil, engine.Errorf("SQLError", "database %s: the result is larger than %d bytes, the most that a step may hold", s.db.Name, maxResult)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

func weight(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	}
	return 9
}

// plain returns what a driver delivers as a plain value. kind is the column's
// type as the database calls it. Times become RFC 3339 in UTC; decimals become
// whole numbers where they have no fraction, floats where a float keeps all
// their digits, and text otherwise.
func plain(v any, kind string) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64:
		return v, nil
	case float32:
		return float64(v), nil
	case uint64:
		if v > math.MaxInt64 {
			return new(big.Int).SetUint64(v), nil
		}
		return int64(v), nil
	case time.Time:
		return timeText(v, kind), nil
	case string:
		if isDecimal(kind) {
			return decimal(v), nil
		}
		return strings.ToValidUTF8(v, "\uFFFD"), nil
	case []byte:
		switch {
		case isDecimal(kind):
			return decimal(string(v)), nil
		case kind == "UNIQUEIDENTIFIER" && len(v) == 16:
			return guid(v), nil
		case isBinary(kind) || !utf8.Valid(v):
			return append([]byte{}, v...), nil
		}
		return string(v), nil
	}
	return nil, fmt.Errorf("a value of type %s (%T) cannot be returned, cast it to text", kind, v)
}

func isDecimal(kind string) bool {
	switch kind {
	case "NUMERIC", "DECIMAL", "UNSIGNED DECIMAL", "MONEY", "SMALLMONEY":
		return true
	}
	return false
}

func isBinary(kind string) bool {
	return kind == "" || kind == "BYTEA" || kind == "BIT" || strings.HasSuffix(kind, "BLOB") || strings.HasSuffix(kind, "BINARY") ||
		kind == "GEOMETRY" || kind == "IMAGE"
}

func timeText(t time.Time, kind string) string {
	switch kind {
	case "DATE":
		return t.Format(time.DateOnly)
	case "TIME":
		return t.Format("15:04:05.999999999")
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// floatDigits is how many decimal digits a double always keeps (DBL_DIG of C).
const floatDigits = 15

func decimal(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, ok := new(big.Int).SetString(s, 10); ok {
			if n.IsInt64() {
				return n.Int64()
			}
			return n
		}
		return s // NaN, Infinity
	}
	digits := strings.TrimLeft(strings.NewReplacer("-", "", "+", "", ".", "").Replace(s), "0")
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || len(digits) > floatDigits || strings.ContainsAny(s, "eE") {
		return s
	}
	return f
}

// guid writes SQL Server's uniqueidentifier as it is shown: the first three
// groups are little-endian in memory.
func guid(b []byte) string {
	return fmt.Sprintf("%02X%02X%02X%02X-%02X%02X-%02X%02X-%X-%X", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:10], b[10:])
}

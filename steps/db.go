package steps

import (
	"context"
	"fmt"
	"math/big"

	"holdfast/engine"
	"holdfast/engine/value"
)

// DBSteps returns db.query and db.update on the given databases. Statements
// are passed as they are: placeholders are the database's own (SQLite ?,
// PostgreSQL $1, MySQL ?, SQL Server @p1), args is a list in their order.
func DBSteps(d *Databases) []engine.Step {
	params := []engine.Param{required("dbName"), required("sql"), optional("args", nil)}
	return []engine.Step{
		&queryStep{described{"db.query", params}, d},
		&updateStep{described{"db.update", params}, d},
	}
}

// queryStep is db.query. It cannot change the database: it runs in a
// transaction that only reads or, on SQL Server, is always rolled back; on
// SQLite on a connection of its own that cannot write, and that takes no
// statement but those that read.
type queryStep struct {
	described
	databases *Databases
}

// Run returns the rows, a list of dicts with the columns in their order.
func (q queryStep) Run(ctx context.Context, a engine.Args) (any, error) {
	s, err := q.databases.statement(a)
	if err != nil {
		return nil, err
	}
	return s.query(ctx)
}

// updateStep is db.update. It runs in a transaction of its own, so that it
// either has its effect or has none; the statement must not end it (COMMIT),
// and what a database does outside transactions (VACUUM) cannot be done.
type updateStep struct {
	described
	databases *Databases
}

// Effect says that each update is one.
func (u updateStep) Effect(engine.Args) bool { return true }

// Run returns {"rows_affected"}, as the database counts them. On a database
// with exactly-once updates, a step that is already in holdfast_steps is not
// run again: its recorded count is returned.
func (u updateStep) Run(ctx context.Context, a engine.Args) (any, error) {
	s, err := u.databases.statement(a)
	if err != nil {
		return nil, err
	}
	n, err := s.update(ctx)
	if err != nil {
		return nil, err
	}
	return value.NewMap("rows_affected", n), nil
}

// Recover lets an interrupted update be attempted again where the database
// itself keeps it from being applied twice. Nobody can tell elsewhere.
func (u updateStep) Recover(_ context.Context, a engine.Args) (engine.Recovery, error) {
	s, err := u.databases.statement(a)
	why := fmt.Sprintf("the update of database %v was begun and its end is not known, and the database does not record steps (exactly_once: true)", a.Value("dbName"))
	switch {
	case err != nil: // the configuration is another one now
		why = fmt.Sprintf("the update was begun and its end is not known: %v", err)
	case s.db.ExactlyOnce:
		return engine.Recovery{Verdict: engine.Again}, nil
	}
	d := engine.Doubt{Step: u.name, Why: why + "; " + howDone}
	d.Target, err = value.Encode(a.Value("sql"))
	return engine.Recovery{Verdict: engine.InDoubt, Doubt: d}, err
}

// howDone is what an operator has to give who answers done.
const howDone = "an answer of done takes the number of rows that it has affected as its value"

// Resolved takes the number of rows that the update has affected, or what the
// step itself would have returned.
func (u updateStep) Resolved(_ engine.Args, given any) (any, error) {
	n := given
	if m, ok := given.(*value.Map); ok && len(m.Pairs) == 1 {
		n, _ = m.Get("rows_affected")
	}
	rows, ok := n.(int64)
	if !ok || rows < 0 {
		if given == nil {
			given = "nothing"
		}
		return nil, fmt.Errorf("the value has to be the number of rows that the update has affected, 0 or more, as in --value 3 or --value '{\"rows_affected\": 3}', and is %s", value.Short(given, 60))
	}
	return value.NewMap("rows_affected", rows), nil
}

// statement is one SQL statement for one database.
type statement struct {
	db   *database
	sql  string
	args []any
	key  stepKey
	used concealer
}

// stepKey is what holdfast_steps keeps an update under.
type stepKey struct {
	step   string // the step's record.Key
	digest string // of the statement and its arguments
}

func (d *Databases) statement(a engine.Args) (*statement, error) {
	name, err := a.String("dbName")
	if err != nil {
		return nil, err
	}
	db, err := d.find(name)
	if err != nil {
		return nil, err
	}
	text, err := a.String("sql")
	if err != nil {
		return nil, err
	}
	given := a.Value("args")
	list, ok := elements(given)
	if given != nil && !ok {
		return nil, engine.Errorf("BadArgument", "args is not a list of the values for the statement's placeholders")
	}
	s := &statement{db: db, sql: text, args: make([]any, len(list))}
	for i, v := range list {
		if v, err = d.secrets.reveal(v, &s.used); err != nil {
			return nil, err
		}
		if s.args[i], err = parameter(v); err != nil {
			return nil, engine.Errorf("BadArgument", "args[%d] %v", i, err)
		}
	}
	if s.key, err = keyOf(a, text, list); err != nil {
		return nil, engine.Errorf("BadArgument", "args: %v", err)
	}
	return s, nil
}

// parameter returns a value as database drivers take it.
func parameter(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []byte:
		return v, nil
	case *big.Int:
		return v.String(), nil // wider than any integer column: for decimals
	}
	return nil, fmt.Errorf("is a %s, not None, a bool, a number, a string or bytes", kindOf(v))
}

func kindOf(v any) string {
	switch v.(type) {
	case []any:
		return "list"
	case value.Tuple:
		return "tuple"
	case value.Set:
		return "set"
	case *value.Map:
		return "dict"
	case *value.Struct:
		return "struct"
	}
	return fmt.Sprintf("%T", v)
}

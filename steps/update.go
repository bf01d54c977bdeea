package steps

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
)

// commitLimit is how long a commit may take before its outcome counts as unknown.
const commitLimit = 15 * time.Second

// keyOf returns the key of a step in holdfast_steps.
func keyOf(a engine.Args, text string, args []any) (stepKey, error) {
	enc, err := value.Encode([]any{text, args})
	if err != nil {
		return stepKey{}, err
	}
	sum := sha256.Sum256(enc)
	return stepKey{step: a.Key.String(), digest: hex.EncodeToString(sum[:])}, nil
}

// update runs the statement in a transaction and returns how many rows it affected.
func (s *statement) update(ctx context.Context) (int64, error) {
	if s.db.ExactlyOnce {
		if err := s.db.createLedger(ctx); err != nil {
			return 0, err
		}
	}
	n, err := s.apply(ctx)
	var failure *engine.StepError
	if err == nil || !s.db.ExactlyOnce || ctx.Err() != nil || errors.As(err, &failure) && failure.Unknown {
		return n, err
	}
	// Another attempt of the same step, one that was cut off, may have come
	// first: then the primary key has turned this one away.
	if n, found, e := s.recorded(ctx); e == nil && found {
		return n, nil
	}
	return 0, err
}

// apply runs the statement and, on a database with exactly-once updates,
// records the step, in one transaction.
func (s *statement) apply(ctx context.Context) (int64, error) {
	t, err := s.db.begin(ctx, &sql.TxOptions{})
	if err != nil {
		return 0, err
	}
	defer t.close()
	if s.db.ExactlyOnce {
		if n, found, err := s.lookUp(ctx, t); err != nil || found {
			return n, err
		}
	}
	res, err := t.tx.ExecContext(ctx, s.sql, s.args...)
	if err != nil {
		return 0, s.failed(ctx, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, s.failed(ctx, err)
	}
	if s.db.ExactlyOnce {
		k := s.key
		if _, err := t.tx.ExecContext(ctx, s.db.dialect.insert, k.step, k.digest, n); err != nil {
			return 0, s.failed(ctx, fmt.Errorf("recording the step in holdfast_steps: %w", err))
		}
	}
	return n, s.commit(ctx, t)
}

// commit ends the transaction. From here on ctx cannot interrupt it.
func (s *statement) commit(ctx context.Context, t *session) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer time.AfterFunc(commitLimit, t.end).Stop()
	err := t.tx.Commit()
	if err == nil || answered(err) {
		return s.failed(context.WithoutCancel(ctx), err)
	}
	return s.unanswered(err)
}

// unanswered is the failure of an update whose commit was not answered.
func (s *statement) unanswered(err error) *engine.StepError {
	e := engine.Errorf("OutcomeUnknown", "database %s did not answer the commit, the update may or may not have had its effect: %v", s.db.Name, err)
	e.Unknown = true
	if !s.db.ExactlyOnce { // else the next attempt finds out
		e.Doubt = s.doubt(e.Message)
	}
	return e
}

// doubt is the question that an update of unknown outcome leaves.
func (s *statement) doubt(why string) *engine.Doubt {
	d := &engine.Doubt{Why: why + "; " + howDone}
	d.Target, _ = value.Encode(s.sql) // text encodes
	return d
}

// recorded looks for the step in holdfast_steps.
func (s *statement) recorded(ctx context.Context) (n int64, found bool, err error) {
	t, err := s.db.begin(ctx, &sql.TxOptions{})
	if err != nil {
		return 0, false, err
	}
	defer t.close()
	return s.lookUp(ctx, t)
}

func (s *statement) lookUp(ctx context.Context, t *session) (n int64, found bool, err error) {
	var digest string
	err = t.tx.QueryRowContext(ctx, s.db.dialect.find, s.key.step).Scan(&digest, &n)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, s.failed(ctx, fmt.Errorf("looking into holdfast_steps: %w", err))
	case digest != s.key.digest:
		return 0, false, engine.Errorf("SQLError", "database %s: holdfast_steps already has another statement for step %s", s.db.Name, s.key.step)
	}
	return n, true, nil
}

// createLedger makes the table holdfast_steps if it is not there: a user who
// may not create tables can be given one. It is done outside any transaction,
// as MySQL would end one.
func (d *database) createLedger(ctx context.Context) error {
	if d.ledger.Load() {
		return nil
	}
	conn, err := d.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	for range 2 {                       // somebody else may be making it: the second time it is there
		if err = d.ensureLedger(ctx, conn); err == nil {
			d.ledger.Store(true)
			return nil
		}
	}
	return ended(ctx, engine.Errorf("SQLError", "database %s: cannot create the table holdfast_steps: %v", d.Name, err))
}

func (d *database) ensureLedger(ctx context.Context, conn *sql.Conn) error {
	limited, cancel := limit(ctx)
	defer cancel()
	var digest string
	var n int64
	find := func() error {
		err := conn.QueryRowContext(limited, d.dialect.find, "").Scan(&digest, &n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}
	if find() == nil {
		return nil
	}
	if _, err := conn.ExecContext(limited, d.dialect.create); err != nil {
		return ended(limited, err)
	}
	if err := find(); err != nil {
		return ended(limited, fmt.Errorf("there is one that was not made by this version, rename it: %w", err))
	}
	return nil
}

// failed makes a step's failure of a database's error; nil stays nil.
func (s *statement) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	text := s.used.text(err.Error())
	if refusedToWrite(err) {
		return ended(ctx, engine.Errorf("SQLError", "database %s: db.query only reads, use db.update for statements that write: %s", s.db.Name, text))
	}
	return ended(ctx, engine.Errorf("SQLError", "database %s: %s", s.db.Name, text))
}

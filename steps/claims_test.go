package steps

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/gateway/tag"
)

// ledger keeps what it is told of writes.
type ledger struct {
	told   []string
	refuse error
}

func (l *ledger) Claim(_ context.Context, path, by string) (func(bool), error) {
	if l.refuse != nil {
		return nil, l.refuse
	}
	l.told = append(l.told, path+" by "+by)
	return func(written bool) {
		if written {
			l.told = append(l.told, "written")
			return
		}
		l.told = append(l.told, "not written")
	}, nil
}

// Each write is claimed before it is sent, and said to be written where it may
// have been. Without a claim nothing is sent. WriteConfirm, which writes what is
// owed, claims nothing.
func TestWritesAreClaimed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outcome *tag.Outcome
		want    string
	}{
		{nil, "written"},
		{&tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}, "written"},
		{&tag.Outcome{Result: tag.Rejected, Status: tag.BadOutOfRange}, "not written"},
	} {
		for _, name := range []string{"tags.write", "tags.write_confirm"} {
			synctest.Test(t, func(t *testing.T) {
				p, l := newPlant(writable("sp", tag.TypeInt16)), &ledger{}
				p.onWrite = func(tag.Path, tag.Value) *tag.Outcome { return c.outcome }
				list, err := All(Config{Tags: p, StaleAfter: minute, Claims: l})
				if err != nil {
					t.Fatal(err)
				}
				write := named(t, list, name)
				_, _ = attempt(t, t.Context(), write, call(t, write, "path", "sp", "value", int64(5)))
				if want := []string{"sp by run run-1", c.want}; !slices.Equal(l.told, want) {
					t.Errorf("%s: told %v, want %v", name, l.told, want)
				}
				l.refuse = errors.New("the disk is full")
				p.onWrite = func(tag.Path, tag.Value) *tag.Outcome { t.Error("sent without a claim"); return nil }
				_, err = attempt(t, t.Context(), write, call(t, write, "path", "sp", "value", int64(5)))
				fails(t, err, "Unavailable", "the disk is full")
			})
		}
	}
	if c := WriteConfirm(newPlant(), minute).(*confirmStep); c.claims != nil {
		t.Error("what is owed would claim the tag from itself")
	}
}

// Ready waits for the device, and tells what the tag holds if it is a state.
func TestReady(t *testing.T) {
	t.Parallel()
	for kind, state := range map[tag.WriteKind]bool{tag.Set: true, tag.Pulse: false} {
		synctest.Test(t, func(t *testing.T) {
			info := writable("sp", tag.TypeInt16)
			info.Kind = kind
			p := newPlant(info)
			p.put("sp", tag.None(), tag.BadNoCommunication)
			step := WriteConfirm(p, minute)
			ready := func() (engine.Readiness, time.Duration, error) {
				began := time.Now()
				r, err := step.(engine.Readier).Ready(t.Context(), call(t, step, "path", "sp", "value", int64(5)))
				return r, time.Since(began), err
			}
			_, took, err := ready()
			if e := fails(t, err, "Unreachable", "sp cannot be read: BadNoCommunication"); e.Unknown || took != readyWait {
				t.Errorf("after %v: %+v", took, e)
			}
			later(p, 7*time.Second, "sp", tag.Int(4), tag.Good)
			r, took, err := ready()
			if err != nil || r != (engine.Readiness{Repeatable: state}) || took != 7*time.Second {
				t.Errorf("after %v: %+v, %v", took, r, err)
			}
			p.put("sp", tag.Int(5), tag.Good)
			if r, _, err = ready(); err != nil || r != (engine.Readiness{Reached: state, Repeatable: state}) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

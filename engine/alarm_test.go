package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// theAlarm returns the only alarm.
func (b *box) theAlarm(id string) engine.Alarm {
	b.t.Helper()
	all := b.e.Alarms()
	if len(all) != 1 || !strings.HasPrefix(all[0].ID, id) {
		b.t.Fatalf("alarms are %+v, want %s", all, id)
	}
	return all[0]
}

// An alarm survives restarts, with the time since when it is so and who knows of
// it, and goes when its cause does: here of a run that is in doubt.
func TestAlarmOfDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, d := t.TempDir(), &device{}
		p := pulse{d: d, answer: make(chan struct{}, 1)}
		wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
			_, err := r.Step(engine.Call{Step: &p, Args: args("value", 5)})
			if err != nil {
				return nil, err
			}
			return r.Step(engine.Call{Step: &p, Args: args("value", 6)})
		})}
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "w"})
		synctest.Wait()
		a := b.theAlarm("doubt:" + id + ":0")
		if a.Run != id || a.Severity != engine.Critical || a.Message != "HELD, in doubt: step dev.pulse: sent and not answered" || a.AcknowledgedBy != "" || a.AcknowledgedAt != nil {
			t.Errorf("alarm is %+v", a)
		}
		time.Sleep(time.Hour)
		acked, err := b.e.Acknowledge(t.Context(), a.ID, "eva")
		if err != nil || acked.AcknowledgedBy != "eva" || acked.AcknowledgedAt == nil || !acked.AcknowledgedAt.Equal(time.Now()) {
			t.Errorf("acknowledged: %+v, %v", acked, err)
		}
		time.Sleep(time.Hour)
		if again, err := b.e.Acknowledge(t.Context(), a.ID, "ada"); err != nil || again.AcknowledgedBy != "eva" {
			t.Errorf("acknowledged again: %+v, %v", again, err)
		}
		for range 2 {
			b.shutdown()
			time.Sleep(time.Hour)
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
			synctest.Wait()
			now := b.theAlarm("doubt:" + id + ":0")
			if !now.Since.Equal(a.Since) || now.AcknowledgedBy != "eva" || !now.AcknowledgedAt.Equal(*acked.AcknowledgedAt) {
				t.Errorf("alarm is %+v, was %+v", now, acked)
			}
		}
		// The question of the next step is another alarm, of which nobody knows.
		if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if next := b.theAlarm("doubt:" + id + ":1"); next.AcknowledgedBy != "" || !next.Since.After(a.Since) {
			t.Errorf("alarm is %+v", next)
		}
		if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "fail"}); err != nil {
			t.Fatal(err)
		}
		b.result(id)
		if all := b.e.Alarms(); len(all) != 0 {
			t.Errorf("alarms are %+v", all)
		}
		b.shutdown()
		b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
		defer b.shutdown()
		var p404 *engine.Problem
		if _, err := b.e.Acknowledge(t.Context(), a.ID, "eva"); !errors.As(err, &p404) || p404.Code != engine.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

// The alarm of a run that cannot be replayed goes when it can again, and when an
// operator ends it.
func TestAlarmOfBrokenRun(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"mended", "stopped"} {
		synctest.Test(t, func(t *testing.T) {
			dir, d := t.TempDir(), &device{}
			first := int64(1)
			wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
				if err := write(r, d, first); err != nil {
					return nil, err
				}
				return r.Recv("go", 1000*time.Hour)
			})}
			life := func() *box { return boot(t, dir, engine.Config{}, journal.Options{}, wf) }
			b := life()
			id := b.start(engine.StartRequest{Workflow: "w"})
			synctest.Wait()
			b.shutdown()
			first = 5
			b = life()
			synctest.Wait()
			a := b.theAlarm("held:" + id)
			if !strings.HasPrefix(a.Message, "HELD: the program does not match its record") || a.Severity != engine.Critical {
				t.Errorf("alarm is %+v", a)
			}
			if _, err := b.e.Acknowledge(t.Context(), a.ID, "eva"); err != nil {
				t.Error(err)
			}
			if end == "stopped" {
				b.command(id, isa88.Stop)
				b.result(id)
			} else {
				b.shutdown()
				first = 1
				b = life()
				synctest.Wait()
			}
			if all := b.e.Alarms(); len(all) != 0 {
				t.Errorf("%s: alarms are %+v", end, all)
			}
			b.shutdown()
		})
	}
}

// A run that waits for its turn after a restart keeps its alarm, and what is
// known of it, though it has not come to its question yet.
func TestAlarmOfRunThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, d := t.TempDir(), &device{}
		p := pulse{d: d}
		wf := engine.Workflow{Name: "w", Program: program(func(_ context.Context, r *engine.Run) (any, error) {
			return r.Step(engine.Call{Step: &p, Args: args("value", 5)})
		})}
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
		ids := []string{b.start(engine.StartRequest{Workflow: "w"}), b.start(engine.StartRequest{Workflow: "w"})}
		synctest.Wait()
		for _, a := range b.e.Alarms() {
			if _, err := b.e.Acknowledge(t.Context(), a.ID, "eva"); err != nil {
				t.Error(err)
			}
		}
		b.shutdown()
		b = boot(t, dir, engine.Config{Workers: 1}, journal.Options{}, wf)
		defer b.shutdown()
		time.Sleep(time.Minute)
		all := b.e.Alarms()
		if len(all) != len(ids) || all[0].AcknowledgedBy != "eva" || all[1].AcknowledgedBy != "eva" {
			t.Errorf("alarms are %+v", all)
		}
	})
}

// A loss is an alarm until somebody knows of it, over restarts.
func TestAlarmOfLossIsAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{})
	engine.RaiseForTest(b.e, "loss", "journal: a thing is lost")
	a := b.theAlarm("loss:")
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{})
	if now := b.theAlarm("loss:"); now != a {
		t.Errorf("alarm is %+v, was %+v", now, a)
	}
	if _, err := b.e.Acknowledge(t.Context(), a.ID, "eva"); err != nil {
		t.Error(err)
	}
	if all := b.e.Alarms(); len(all) != 0 {
		t.Errorf("alarms are %+v", all)
	}
	b.shutdown()
	b = boot(t, dir, engine.Config{}, journal.Options{})
	defer b.shutdown()
	if all := b.e.Alarms(); len(all) != 0 {
		t.Errorf("alarms are %+v", all)
	}
}

// A file that could not be loaded is an alarm until it can.
func TestAlarmOfFile(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{})
	defer b.shutdown()
	b.e.NotLoaded("a.star:1:2: no")
	a := b.theAlarm("file:")
	if a.Severity != engine.Warning || a.Message != "workflow file not loaded: a.star:1:2: no" {
		t.Errorf("alarm is %+v", a)
	}
	if _, err := b.e.Acknowledge(t.Context(), a.ID, "eva"); err != nil {
		t.Error(err)
	}
	b.theAlarm("file:")
	b.e.NotLoaded()
	if all := b.e.Alarms(); len(all) != 0 {
		t.Errorf("alarms are %+v", all)
	}
}

// Cut at any change, an alarm is there in the end if and only if its cause is.
func TestAlarmCrashMatrix(t *testing.T) {
	t.Parallel()
	cuts := 0
	for k := uint64(1); ; k++ {
		whole := false
		synctest.Test(t, func(t *testing.T) {
			dir, x := t.TempDir(), newWire()
			x.cut()
			b := boot(t, dir, engine.Config{SafeWrite: x}, cutAfter(k), failing("valve"))
			_, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "failing", ID: "run"})
			time.Sleep(time.Minute)
			for _, a := range b.e.Alarms() {
				_, _ = b.e.Acknowledge(t.Context(), a.ID, "eva") // not where the power is cut
			}
			known := err == nil && b.j.Err() == nil
			x.mend()
			time.Sleep(time.Minute)
			whole = b.j.Err() == nil
			b.stop()
			<-b.over
			b.j.Close()
			x.cut()
			b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			defer b.shutdown()
			if err != nil {
				return
			}
			time.Sleep(time.Minute)
			all, owed := b.e.Alarms(), b.e.Obligations()
			if len(all) != len(owed) || known && len(all) == 1 && all[0].AcknowledgedBy != "eva" {
				t.Errorf("cut after %d: alarms are %+v, owed is %+v", k, all, owed)
			}
		})
		if whole {
			break
		}
		cuts++
	}
	t.Logf("cut after each of %d changes", cuts)
	if cuts < 10 {
		t.Errorf("only %d changes", cuts)
	}
}

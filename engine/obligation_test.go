package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// failing is a workflow with a safe state that fails at once.
func failing(tags ...string) engine.Workflow {
	wf := engine.Workflow{Name: "failing", Program: program(func(context.Context, *engine.Run) (any, error) { return nil, errors.New("broken") })}
	for i, t := range tags {
		wf.SafeState = append(wf.SafeState, engine.SafeWrite{Tag: t, Value: encoded(int64(100 * (i + 1)))})
	}
	return wf
}

// owing leaves a run of failing("valve") on a link that is down.
func owing(t *testing.T, dir string, x *wire, o journal.Options) (*box, string) {
	t.Helper()
	x.cut()
	b := boot(t, dir, engine.Config{SafeWrite: x}, o, failing("valve"))
	id := b.start(engine.StartRequest{Workflow: "failing"})
	got := b.result(id)
	if len(got.SafeState) != 1 || got.SafeState[0].OK || len(x.was()) != 0 {
		t.Fatalf("run is %+v, sent %v", got, x.was())
	}
	synctest.Wait()
	all := b.e.Obligations()
	if len(all) != 1 || all[0].ID != id+":valve" || all[0].State != engine.Owed || string(all[0].Value) != string(encoded(int64(100))) {
		t.Fatalf("obligations are %+v", all)
	}
	return b, id
}

// settledAs checks that nothing is owed of a run, and what it shows instead.
func (b *box) settledAs(id string, ok bool, detail string) {
	b.t.Helper()
	synctest.Wait()
	h := b.e.Health()
	if len(h.Obligations) != 0 || len(h.Alarms) != 0 {
		b.t.Errorf("owed are %+v, alarms %+v", h.Obligations, h.Alarms)
	}
	got, err := b.e.Show(b.t.Context(), id)
	if err != nil || len(got.Obligations) != 0 || len(got.SafeState) != 1 || got.SafeState[0].OK != ok || !strings.HasPrefix(got.SafeState[0].Detail, detail) {
		b.t.Errorf("run is %+v, %v", got, err)
	}
}

// What could not be written stays on record, over restarts, shown and as an
// alarm, and is written once the link is back: once.
func TestObligationIsWrittenWhenTheLinkIsBack(t *testing.T) {
	t.Parallel()
	for _, restarts := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			dir, x := t.TempDir(), newWire()
			b, id := owing(t, dir, x, journal.Options{})
			for range restarts {
				time.Sleep(time.Hour)
				b.shutdown()
				b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			}
			time.Sleep(24 * time.Hour)
			got, err := b.e.Show(t.Context(), id)
			h := b.e.Health()
			if err != nil || len(got.Obligations) != 1 || len(h.Obligations) != 1 || len(h.Alarms) != 1 || h.Alarms[0].Run != id ||
				!strings.HasPrefix(h.Alarms[0].Message, "safe state of valve not reached: ") {
				t.Errorf("run is %+v, alarms %+v, %v", got, h.Alarms, err)
			}
			x.mend()
			time.Sleep(time.Minute)
			b.settledAs(id, true, "written on 2000-")
			b.shutdown()
			b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			defer b.shutdown()
			time.Sleep(time.Hour)
			b.settledAs(id, true, "written on 2000-")
			if got := x.was(); !slices.Equal(got, []string{"valve=100"}) {
				t.Errorf("sent %v", got)
			}
		})
	}
}

// A tag that holds the value by itself is not written.
func TestObligationReachedByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newWire()
		b, id := owing(t, t.TempDir(), x, journal.Options{})
		defer b.shutdown()
		x.mu.Lock()
		x.tags["valve"] = 100
		x.mu.Unlock()
		x.mend()
		time.Sleep(time.Minute)
		b.settledAs(id, true, "it was seen to hold the value on 2000-")
		if got := x.was(); len(got) != 0 {
			t.Errorf("sent %v", got)
		}
	})
}

// What the guard or the device refuses is tried again, and less often with time.
func TestObligationRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newWire()
		b, id := owing(t, t.TempDir(), x, journal.Options{})
		defer b.shutdown()
		x.mu.Lock()
		x.refuse = engine.Errorf("GuardRefused", "interlock")
		x.mu.Unlock()
		x.mend()
		time.Sleep(time.Hour)
		o := b.e.Obligations()[0]
		if o.State != engine.Owed || o.Why != "safe.write: GuardRefused: interlock" || o.Attempts < 50 || o.Attempts > 70 || o.LastAttempt == nil {
			t.Errorf("obligation is %+v", o)
		}
		x.mu.Lock()
		x.refuse = nil
		x.mu.Unlock()
		time.Sleep(2 * time.Minute)
		b.settledAs(id, true, "written on ")
	})
}

// An operator gives it up by name; it is never written then.
func TestObligationIsWaived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, x := t.TempDir(), newWire()
		b, id := owing(t, dir, x, journal.Options{})
		var p *engine.Problem
		if err := b.e.Waive(t.Context(), id+":pump", "", "eva"); !errors.As(err, &p) || p.Code != engine.NotFound {
			t.Errorf("got %v", err)
		}
		if err := b.e.Waive(t.Context(), id+":valve", "closed by hand", "eva"); err != nil {
			t.Fatal(err)
		}
		b.settledAs(id, false, "given up by eva: closed by hand")
		x.mend()
		time.Sleep(time.Hour)
		b.shutdown()
		b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
		defer b.shutdown()
		time.Sleep(time.Hour)
		b.settledAs(id, false, "given up by eva: closed by hand")
		if got := x.was(); len(got) != 0 {
			t.Errorf("sent %v", got)
		}
	})
}

// It lapses when somebody else has written the tag; not when that was refused;
// and where the process ended in between, it is not written either.
func TestObligationIsOvertaken(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"written", "refused", "cut off"} {
		synctest.Test(t, func(t *testing.T) {
			dir, x := t.TempDir(), newWire()
			b, id := owing(t, dir, x, journal.Options{})
			settle, err := b.e.Claim(t.Context(), "valve", "eva")
			if err != nil {
				t.Fatal(err)
			}
			if other, err := b.e.Claim(t.Context(), "pump", "eva"); err != nil {
				t.Error(err)
			} else {
				other(true) // nothing is owed to it
			}
			x.mend()
			time.Sleep(time.Hour)
			if got := x.was(); len(got) != 0 {
				t.Errorf("%s: sent %v behind a claim", how, got)
			}
			if how != "cut off" {
				settle(how == "written")
			}
			time.Sleep(time.Hour)
			b.shutdown()
			b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			defer b.shutdown()
			time.Sleep(time.Hour)
			switch how {
			case "written":
				b.settledAs(id, false, "overtaken: eva has written the tag since")
			case "refused":
				b.settledAs(id, true, "written on")
			case "cut off":
				b.settledAs(id, false, "overtaken: eva was writing the tag when the process ended")
			}
			if got := len(x.was()); got > 0 != (how == "refused") {
				t.Errorf("%s: sent %v", how, x.was())
			}
		})
	}
}

// A claim waits for an attempt that is on its way, or takes it back; nothing is
// sent between the claim and its end.
func TestClaimDuringAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newWire()
		b, id := owing(t, t.TempDir(), x, journal.Options{})
		defer b.shutdown()
		x.mu.Lock()
		x.gate, x.atGate = make(chan struct{}), make(chan struct{})
		x.mu.Unlock()
		x.mend()
		<-x.atGate // it is about to be sent
		settle, err := b.e.Claim(t.Context(), "valve", "eva")
		if err != nil {
			t.Fatal(err)
		}
		close(x.gate)
		synctest.Wait()
		if got := x.was(); len(got) != 0 {
			t.Errorf("sent %v behind a claim", got)
		}
		settle(true)
		b.settledAs(id, false, "overtaken: eva")
	})
}

// What the safe state of another run owes to the same tag is newer.
func TestNewerObligationOvertakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newWire()
		b, id := owing(t, t.TempDir(), x, journal.Options{})
		defer b.shutdown()
		second := b.start(engine.StartRequest{Workflow: "failing"})
		b.result(second)
		synctest.Wait()
		if all := b.e.Obligations(); len(all) != 1 || all[0].Run != second {
			t.Errorf("obligations are %+v", all)
		}
		got, err := b.e.Show(t.Context(), id)
		if err != nil || got.SafeState[0].Detail != "overtaken by the safe state of run "+second {
			t.Errorf("run is %+v, %v", got, err)
		}
		x.mend()
		time.Sleep(time.Minute)
		b.settledAs(second, true, "written on")
		// The safe state of a third run that is written has nothing left to overtake.
		third := b.start(engine.StartRequest{Workflow: "failing"})
		b.result(third)
		if got := x.was(); !slices.Equal(got, []string{"valve=100", "valve=100"}) {
			t.Errorf("sent %v", got)
		}
	})
}

// A write that may have had its effect is not sent again where that would act twice.
func TestObligationOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, pulse := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir, x := t.TempDir(), newWire()
			x.silent, x.pulse = true, pulse
			b := boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			id := b.start(engine.StartRequest{Workflow: "failing"})
			b.result(id)
			time.Sleep(time.Hour)
			o := b.e.Obligations()[0]
			if n := len(x.was()); o.State != engine.Unknown || pulse && n != 1 || !pulse && n < 10 {
				t.Errorf("obligation is %+v, sent %d times", o, n)
			}
			b.shutdown()
			x.silent = false
			n := len(x.was())
			b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			defer b.shutdown()
			time.Sleep(time.Hour)
			if pulse {
				if len(x.was()) != 1 || len(b.e.Obligations()) != 1 {
					t.Errorf("sent %v", x.was())
				}
				if err := b.e.Waive(t.Context(), id+":valve", "", "eva"); err != nil {
					t.Error(err)
				}
				return
			}
			b.settledAs(id, true, "written on")
			if len(x.was()) != n+1 {
				t.Errorf("sent %v", x.was())
			}
		})
	}
}

// A run whose record cannot be replayed writes its safe state once, whatever the
// number of starts; and it is not written while the run goes on.
func TestBrokenRunIsMadeSafeOnce(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"up", "down"} {
		synctest.Test(t, func(t *testing.T) {
			dir, x, d := t.TempDir(), newWire(), &device{}
			first := int64(1)
			wf := engine.Workflow{Name: "w", SafeState: failing("valve").SafeState, Program: program(func(_ context.Context, r *engine.Run) (any, error) {
				if err := write(r, d, first); err != nil {
					return nil, err
				}
				for {
					if _, err := r.Recv("go", 1000*time.Hour); err != nil {
						return nil, err
					}
					if err := write(r, d, 2); err != nil {
						return nil, err
					}
				}
			})}
			life := func() *box { return boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, wf) }
			b := life()
			id := b.start(engine.StartRequest{Workflow: "w"})
			synctest.Wait()
			b.shutdown()
			if link == "down" {
				x.cut()
			}
			first = 5 // the program has changed
			for range 3 {
				b = life()
				time.Sleep(time.Hour)
				got, err := b.e.Show(t.Context(), id)
				if err != nil || got.State != isa88.Held || len(got.SafeState) != 1 || got.SafeState[0].OK != (link == "up") {
					t.Fatalf("%s: run is %+v, %v", link, got, err)
				}
				b.shutdown()
			}
			want := []string{"valve=100"}
			if link == "down" {
				want = nil
			}
			if !slices.Equal(x.was(), want) {
				t.Fatalf("%s: sent %v", link, x.was())
			}
			// The old program is back: the run goes on, and what is owed rests.
			first = 1
			b = life()
			if link == "down" {
				x.mend()
			}
			time.Sleep(time.Hour)
			if !slices.Equal(x.was(), want) {
				t.Errorf("%s: sent %v while the run goes on", link, x.was())
			}
			if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: encoded("go")}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			b.shutdown()
			// Broken again, after it has acted: it is made safe again.
			x.mu.Lock()
			x.tags["valve"] = 7
			x.mu.Unlock()
			first = 5
			b = life()
			time.Sleep(time.Hour)
			want = append(want, "valve=100")
			if !slices.Equal(x.was(), want) {
				t.Errorf("%s: sent %v", link, x.was())
			}
			b.command(id, isa88.Stop)
			if got := longResult(b, id); got.State != isa88.Stopped || !got.SafeState[0].OK {
				t.Errorf("%s: run is %+v", link, got)
			}
			time.Sleep(time.Hour)
			if !slices.Equal(x.was(), want) || len(b.e.Obligations()) != 0 {
				t.Errorf("%s: sent %v, owed %+v", link, x.was(), b.e.Obligations())
			}
			b.shutdown()
		})
	}
}

// Cut after any change of a life in which the link comes back, the safe state is
// written in the end, and nothing is owed.
func TestObligationCrashMatrix(t *testing.T) {
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
			x.mend()
			time.Sleep(time.Minute)
			whole = b.j.Err() == nil
			b.stop()
			<-b.over
			b.j.Close()
			before := len(x.was())
			b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
			defer b.shutdown()
			if err != nil {
				return // it never began
			}
			time.Sleep(time.Hour)
			b.settledAs("run", true, "")
			if after := len(x.was()); after != 1 || before > after {
				t.Errorf("cut after %d: sent %v, %d of them before the cut", k, x.was(), before)
			}
		})
		if whole {
			break
		}
		cuts++
	}
	t.Logf("cut after each of %d changes", cuts)
	if cuts < 5 {
		t.Errorf("only %d changes", cuts)
	}
}

// What an older state of the journal owes, one from a backup, is not written: what
// was done since is not on record.
func TestObligationOfRestoredJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testObligationOfRestoredJournal)
}

func testObligationOfRestoredJournal(t *testing.T) {
	dir, other, x := t.TempDir(), t.TempDir(), newWire()
	x.cut()
	life := func(dir string) *box {
		return boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, failing("valve"))
	}
	b := life(dir)
	id := b.start(engine.StartRequest{Workflow: "failing"})
	b.result(id)
	var backup bytes.Buffer
	if _, err := b.j.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	b.shutdown()
	if _, err := journal.Restore(other, bytes.NewReader(backup.Bytes()), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	x.mend()
	for range 2 { // it stays so
		b = life(other)
		time.Sleep(time.Hour)
		if all := b.e.Obligations(); len(all) != 1 || all[0].State != engine.Stale {
			t.Errorf("obligations are %+v", all)
		}
		b.shutdown()
	}
	b = life(other)
	settle, err := b.e.Claim(t.Context(), "valve", "eva")
	if err != nil {
		t.Fatal(err)
	}
	settle(true)
	if all := b.e.Obligations(); len(all) != 0 || len(x.was()) != 0 {
		t.Errorf("obligations are %+v, sent %v", all, x.was())
	}
	b.shutdown()
}

package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// A run whose program takes a STOP and returns keeps its result, is STOPPED, and
// its safe state is written: whatever change the power is cut at. After a RESET
// it is as if it had not.
func TestProgramTakesStop(t *testing.T) {
	t.Parallel()
	for _, words := range [][]isa88.Command{{isa88.Stop}, {isa88.Stop, isa88.Reset}, {isa88.Hold}} {
		cuts := 0
		for k := uint64(1); ; k++ {
			whole := false
			synctest.Test(t, func(t *testing.T) {
				dir, x := t.TempDir(), newWire()
				wf := engine.Workflow{Name: "w", Commands: engine.ByScript, SafeState: failing("valve").SafeState, Program: program(func(_ context.Context, r *engine.Run) (any, error) {
					for range words {
						if _, err := r.RecvCommand("", "cmd", 1000*time.Hour, 1); err != nil {
							return nil, err
						}
					}
					return "my result", nil
				})}
				o := cutAfter(k)
				b := boot(t, dir, engine.Config{SafeWrite: x}, o, wf)
				_, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "w", ID: "run"})
				for _, w := range words {
					synctest.Wait()
					_, _ = b.e.Command(t.Context(), "run", w, "", "eva") // refused where the power is cut
				}
				synctest.Wait()
				whole = b.j.Err() == nil
				b.stop()
				<-b.over
				b.j.Close()
				if err != nil {
					return
				}
				b = boot(t, dir, engine.Config{SafeWrite: x}, journal.Options{}, wf)
				defer b.shutdown()
				synctest.Wait()
				for _, w := range words { // those that were not acknowledged are sent again
					if i, err := b.e.Show(t.Context(), "run"); err == nil && !i.Status.Ended() {
						_, _ = b.e.Command(t.Context(), "run", w, "", "eva")
						synctest.Wait()
					}
				}
				got := b.result("run")
				state, safe := isa88.Complete, 0
				if words[len(words)-1] == isa88.Stop {
					state, safe = isa88.Stopped, 1
				}
				if len(words) == 2 && got.State != state && !whole {
					return // RESET was taken first, and then STOP
				}
				if got.Status != engine.Success || got.State != state || string(got.Result) != string(encoded("my result")) || len(x.was()) != safe || len(got.SafeState) != safe {
					t.Errorf("cut after %d: run is %+v, sent %v", k, got, x.was())
				}
			})
			if whole {
				break
			}
			cuts++
		}
		t.Logf("%v: cut after each of %d changes", words, cuts)
	}
}

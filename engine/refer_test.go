package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// babble is a program of n calls of all kinds, chosen by seed, out of more
// calls than a run knows; the answers are chosen by rnd. It tells what it saw.
func babble(seed uint64, n int, rnd *rand.Rand, saw func(life []string)) engine.Workflow {
	return engine.Workflow{Name: "babble", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		plan := rand.New(rand.NewPCG(seed, 2))
		answer := func() (any, error) {
			switch k := rnd.IntN(6); k {
			case 0:
				return nil, nil
			case 1:
				return nil, engine.Errorf("NotConnected", "no route to %d", rnd.IntN(2))
			case 2:
				return strings.Repeat("long", 1500), nil
			default:
				return fmt.Sprint("value ", k), nil
			}
		}
		var life []string
		for range n {
			raw := args("path", fmt.Sprint("tank", plan.IntN(6)*plan.IntN(12)))
			var s engine.Step = question{"ask", 0, answer}
			switch plan.IntN(8) {
			case 0:
				s = question{"wait", time.Second, answer}
			case 1:
				s, raw = sleepStep{}, args("ms", int64(60_000+plan.IntN(2)))
			case 2:
				s = act{question{"act", 0, answer}}
			case 3:
				if _, err := r.Recv(fmt.Sprint("topic", plan.IntN(2)), time.Duration(plan.IntN(2))*time.Minute); err != nil {
					return nil, err
				}
				continue
			case 4:
				if err := r.Progress("here", nil); err != nil {
					return nil, err
				}
				continue
			}
			out, err := r.Step(engine.Call{Step: s, Args: raw})
			if engine.IsFatal(err) {
				return nil, err
			}
			life = append(life, told(s.Name(), raw, out, err))
			saw(life)
		}
		return nil, nil
	})}
}

// act is a question with an effect.
type act struct{ question }

func (act) Effect(engine.Args) bool { return true }

func told(name string, args, out value.Raw, err error) string {
	if out.IsNil() {
		out = nil
	}
	return fmt.Sprintf("%s %x %x %v", name, args, out, err)
}

// A record with references says what the program saw, in every life, and after its end.
func TestReferencesAreReplayed(t *testing.T) {
	t.Parallel()
	shortened := 0
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			const calls = 400
			rnd := rand.New(rand.NewPCG(seed, 3))
			var all []string
			wf := babble(seed, calls, rnd, func(life []string) {
				at := len(life) - 1
				switch {
				case at == len(all):
					all = append(all, life[at])
				case all[at] != life[at]:
					t.Errorf("seed %d: call %d was %s, now it is %s", seed, at, all[at], life[at])
				}
			})
			dir := t.TempDir()
			b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
			id := b.start(engine.StartRequest{Workflow: "babble"})
			pause := rand.New(rand.NewPCG(seed, 4))
			for range 4 {
				time.Sleep(time.Duration(pause.IntN(20)) * time.Minute) // of the bubble's clock
				synctest.Wait()
				b.shutdown()
				all = all[:0] // an interrupted question is asked again
				b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
			}
			defer func() { b.shutdown() }()
			if got := longResult(b, id); got.Status != engine.Success {
				t.Fatalf("seed %d: run is %+v, %v", seed, got, got.Error)
			}
			steps, err := b.e.Steps(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			var listed []string
			for _, s := range steps {
				var err error
				if s.Error != nil {
					err = s.Error
				}
				listed = append(listed, slices.Repeat([]string{told(s.Name, s.Args, s.Result, err)}, s.Count)...)
			}
			if !slices.Equal(listed, all) {
				t.Errorf("seed %d: %d steps are listed, %d were seen, or they differ", seed, len(listed), len(all))
			}
			for _, rec := range b.record(id).Records {
				if rec.Seq < 1<<30 && rec.Kind <= 3 && len(rec.Data) > 1 && rec.Data[1]>>5 == 0 {
					shortened++
				}
			}
		})
	}
	if shortened < 1000 {
		t.Errorf("%d records refer to others, the test is about them", shortened)
	}
	t.Log(shortened, "records refer to others")
}

// Equal results join, also where the first of them holds them in full and where
// a restart comes between.
func TestReferencesJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		same := func() (any, error) { return "same", nil }
		dir := t.TempDir()
		wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			for _, name := range strings.Split("aaaa b aaa bbb aaaaa b aaaaaa", "") {
				if name == " " {
					if _, err := r.Recv("go", 0); err != nil {
						return nil, err
					}
					continue
				}
				if _, err := r.Step(engine.Call{Step: question{name, 10 * time.Minute, same}, Args: args()}); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})}
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "w"})
		for range 10 { // in the middle of each row, for one
			time.Sleep(19 * time.Minute)
			b.shutdown()
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
		}
		defer func() { b.shutdown() }()
		longResult(b, id)
		steps, err := b.e.Steps(t.Context(), id)
		got := ""
		for _, s := range steps {
			got += fmt.Sprint(s.Name, s.Count, " ")
		}
		if want := "a4 b1 a3 b3 a5 b1 a6 "; got != want || err != nil {
			t.Errorf("steps are %s, %v; want %s", got, err, want)
		}
	})
}

// A run whose record refers to nothing is HELD, and says at which place.
func TestDamagedReferenceIsHeld(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]any{"own place": []any{uint64(2)}, "a place to come": []any{uint64(9)}, "a reference": []any{uint64(1)}, "no place": []any{uint64(1) << 60}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, d := t.TempDir(), &device{}
			wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
				for range 3 {
					if _, err := r.Step(engine.Call{Step: act{question{"act", 0, func() (any, error) { return d.get(), nil }}}, Args: args()}); err != nil {
						return nil, err
					}
				}
				return r.Recv("go", 1<<50)
			})}
			b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
			id := b.start(engine.StartRequest{Workflow: "w"})
			b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
			run := b.record(id).Header.Run
			b.shutdown()
			j, err := journal.Open(dir, journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			bad := journal.Change{Run: run, Records: []journal.Record{{Seq: 2, Kind: 1, Data: encoded(data)}}}
			if err := errors.Join(j.Writer().Commit(bad), j.Close()); err != nil {
				t.Fatal(err)
			}
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
			defer b.shutdown()
			got := b.await(id, isState(isa88.Held))
			if got.Error == nil || got.Error.Type != "RecordUnreadable" || !strings.Contains(got.Error.Message, "record 2 of kind 1 cannot be read: it refers to place ") {
				t.Errorf("run is %+v, %v", got, got.Error)
			}
			steps, err := b.e.Steps(t.Context(), id)
			if last := len(steps) - 1; err != nil || last < 0 || steps[last].Error == nil || !strings.Contains(steps[last].Error.Message, "it refers to place ") {
				t.Errorf("its steps are %+v, %v", steps, err)
			}
		})
	}
}

// A run that was brought back goes on referring to what its earlier lives have in full.
func TestRevivedRunRefers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		still := func() (any, error) { return line(20.5, time.Unix(1_800_000_000, 0)), nil }
		wf := polling(100, true, still, still)
		b := boot(t, dir, engine.Config{}, journal.Options{}, wf)
		id := b.start(engine.StartRequest{Workflow: "polling"})
		for range 3 {
			time.Sleep(20 * time.Second)
			b.shutdown()
			b = boot(t, dir, engine.Config{}, journal.Options{}, wf)
		}
		defer func() { b.shutdown() }()
		longResult(b, id)
		full := 0
		for _, rec := range b.record(id).Records {
			if rec.Seq < 1<<30 && len(rec.Data) > 12 {
				full++
			}
		}
		if full != 4 { // the wait, two reads, the receive
			t.Errorf("%d records hold something in full, 4 are wanted", full)
		}
	})
}

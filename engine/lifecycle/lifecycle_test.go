package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/isa88"
)

// facts returns all combinations of facts.
func facts() (out []Facts) {
	n := reflect.TypeFor[Facts]().NumField()
	for bits := range 1 << n {
		var f Facts
		for i := range n {
			reflect.ValueOf(&f).Elem().Field(i).SetBool(bits>>i&1 == 1)
		}
		out = append(out, f)
	}
	return out
}

// Each phase is what its condition says, and the table is complete.
func TestPhases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f      Facts
		phase  Phase
		engine bool
		state  isa88.State
		idle   bool
	}{
		{Facts{}, Executing, true, isa88.Running, false},
		{Facts{ByScript: true, Begun: true}, Executing, false, isa88.Running, false},
		{Facts{Waiting: true}, Waiting, true, isa88.Starting, false},
		{Facts{Waiting: true, ByScript: true}, Waiting, true, isa88.Starting, false},
		{Facts{Waiting: true, ByScript: true, Begun: true}, Waiting, false, isa88.Starting, false},
		{Facts{ByScript: true, Begun: true, StopLate: true}, Executing, true, isa88.Running, false},
		{Facts{Waiting: true, ByScript: true, Begun: true, StopLate: true}, Waiting, true, isa88.Starting, false},
		{Facts{Held: true, ByScript: true}, Held, true, isa88.Held, true},
		{Facts{Held: true, Waiting: true}, Held, true, isa88.Held, true},
		{Facts{Doubtful: true, ByScript: true}, Doubtful, true, isa88.Held, true},
		{Facts{Lost: true, Doubtful: true}, Lost, true, isa88.Held, true},
		{Facts{Broken: true, Held: true}, Broken, true, isa88.Held, true},
		{Facts{Full: true, ByScript: true}, Full, true, isa88.Running, false},
		{Facts{Full: true, Held: true}, Held, true, isa88.Held, true},
		{Facts{Ending: true, Held: true}, Ending, false, isa88.Running, false},
	} {
		if p := c.f.Phase(); p != c.phase || c.f.EngineHandles() != c.engine || c.f.State() != c.state || p.Idle() != c.idle {
			t.Errorf("%+v: phase %s, the engine handles commands %v, in state %s, idle %v", c.f, p, c.f.EngineHandles(), c.f.State(), p.Idle())
		}
	}
	for p := range table {
		if table[p].name == "" || table[p].is == nil {
			t.Errorf("phase %d has no line in the table", p)
		}
	}
}

// short is a decision in few words.
func short(d Decision, commands []isa88.Command) string {
	var b strings.Builder
	for i, f := range d.Fates {
		fmt.Fprintf(&b, "%s: %s (%s); ", commands[i], f.Fate, f.State)
	}
	fmt.Fprintf(&b, "%s", d.State)
	return b.String()
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	const hold, resume, stop, abort = isa88.Hold, isa88.Resume, isa88.Stop, isa88.Abort
	for _, c := range []struct {
		f        Facts
		commands []isa88.Command
		want     string
	}{
		{Facts{}, nil, "RUNNING"},
		{Facts{}, []isa88.Command{hold}, "HOLD: taken (HELD); HELD"},
		{Facts{}, []isa88.Command{hold, hold, resume}, "HOLD: taken (HELD); HOLD: not allowed in HELD (HELD); RESUME: taken (RUNNING); RUNNING"},
		{Facts{Waiting: true}, []isa88.Command{hold, resume}, "HOLD: taken (HELD); RESUME: taken (STARTING); STARTING"},
		{Facts{}, []isa88.Command{resume, isa88.Reset}, "RESUME: not allowed in RUNNING (RUNNING); RESET: not allowed in RUNNING (RUNNING); RUNNING"},
		{Facts{Held: true}, []isa88.Command{stop, resume, abort}, "STOP: superseded by ABORT (HELD); RESUME: superseded by ABORT (HELD); ABORT: taken (ABORTING); ABORTING"},
		{Facts{}, []isa88.Command{stop, stop}, "STOP: taken (STOPPING); STOP: superseded by STOP (STOPPING); STOPPING"},
		{Facts{Doubtful: true}, []isa88.Command{resume}, "RESUME: not allowed while a step is in doubt: answer with resolve, or STOP or ABORT (HELD); HELD"},
		{Facts{Broken: true, Held: true}, []isa88.Command{resume, stop}, "RESUME: superseded by STOP (HELD); STOP: taken (STOPPING); STOPPING"},
		{Facts{Lost: true}, []isa88.Command{hold}, "HOLD: not allowed while a part of the record may be lost: answer with resolve, or STOP or ABORT (HELD); HELD"},
	} {
		if got := short(c.f.Decide(c.commands), c.commands); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.f, got, c.want)
		}
	}
}

// Whatever the facts: each command has a fate, STOP and ABORT are taken by
// everything that does not end already, and nothing but RESUME lets a held run go.
func TestEveryDecision(t *testing.T) {
	t.Parallel()
	words := isa88.Commands()
	for _, f := range facts() {
		for _, a := range words {
			for _, b := range words {
				d := f.Decide([]isa88.Command{a, b})
				ending := slices.Contains(ends, a) || slices.Contains(ends, b)
				switch {
				case len(d.Fates) != 2 || d.Fates[0].Fate == "" || d.Fates[1].Fate == "":
					t.Errorf("%+v: %s, %s come to %+v", f, a, b, d)
				case ending == f.Ending && (d.Ends >= 0) || ending && !f.Ending && !d.Fates[d.Ends].Taken:
					t.Errorf("%+v: %s, %s end it with %d", f, a, b, d.Ends)
				case f.Held && !d.Held && a != isa88.Resume && b != isa88.Resume:
					t.Errorf("%+v: %s, %s let it go", f, a, b)
				case d.Held && !f.Held && a != isa88.Hold && b != isa88.Hold:
					t.Errorf("%+v: %s, %s hold it", f, a, b)
				}
			}
		}
	}
}

// The state follows a command from its arrival on, where that is the engine's.
func TestShown(t *testing.T) {
	t.Parallel()
	script := Facts{ByScript: true, Begun: true}
	late := script
	late.StopLate = true
	for _, c := range []struct {
		f     Facts
		state isa88.State
		word  isa88.Command
		want  isa88.State
	}{
		{Facts{}, isa88.Running, isa88.Hold, isa88.Holding},
		{Facts{}, isa88.Running, isa88.Stop, isa88.Stopping},
		{Facts{Held: true}, isa88.Held, isa88.Resume, isa88.Resuming},
		{Facts{Doubtful: true}, isa88.Held, isa88.Resume, isa88.Held},
		{Facts{Broken: true, Held: true}, isa88.Held, isa88.Resume, isa88.Held},
		{Facts{Broken: true, Held: true}, isa88.Held, isa88.Stop, isa88.Stopping},
		{Facts{}, isa88.Running, isa88.Reset, isa88.Running},
		{Facts{}, isa88.Aborting, isa88.Stop, isa88.Aborting},
		{script, isa88.Running, isa88.Hold, isa88.Running},
		{script, isa88.Running, isa88.Stop, isa88.Running},
		{late, isa88.Running, isa88.Stop, isa88.Stopping},
		{Facts{Waiting: true}, isa88.Starting, isa88.Hold, isa88.Holding},
		{Facts{Waiting: true, ByScript: true}, isa88.Starting, isa88.Hold, isa88.Starting},
		{Facts{Held: true, ByScript: true}, isa88.Held, isa88.Resume, isa88.Resuming},
	} {
		if got := c.f.Shown(c.state, c.word); got != c.want {
			t.Errorf("%+v: %s in %s is shown as %s, want %s", c.f, c.word, c.state, got, c.want)
		}
	}
	for _, f := range facts() {
		if got := f.Shown(isa88.Running, isa88.Abort); got != isa88.Aborting {
			t.Errorf("%+v: ABORT is shown as %s", f, got)
		}
	}
}

// It is asked between any two steps of a run.
func TestEngineHandlesTakesNoMemory(t *testing.T) {
	f := Facts{Begun: true, ByScript: true}
	if n := testing.AllocsPerRun(100, func() { f.EngineHandles() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

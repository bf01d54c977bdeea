package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// model is what a run of n writes, whose commands the engine handles, must do:
// written down without goroutines, records or crashes.
type model struct {
	n, next  int64 // next is the write at work, or to come
	at       string
	state    isa88.State // where at is "ended"
	cause    string      // "Aborted" or "Cancelled": the run ends at the next boundary
	pending  []order
	fates    map[uint64]string
	accepted []uint64
	writes   []int64
}

type order struct {
	num  uint64
	word isa88.Command
}

const stuckFate = "not allowed while a step is in doubt: answer with resolve, or STOP or ABORT"

// command is an accepted command.
func (m *model) command(o order) {
	m.accepted = append(m.accepted, o.num)
	m.pending = append(m.pending, o)
	if o.word == isa88.Abort && m.cause == "" {
		m.cause = "Aborted"
	}
	m.settle()
}

// settle is what follows at once where no step is at work.
func (m *model) settle() {
	if m.at == "held" || m.at == "doubt" {
		m.boundary()
	}
}

// boundary decides on the pending commands.
func (m *model) boundary() {
	if m.cause != "" {
		m.end(isa88.Aborted)
		return
	}
	winner := -1
	for i, o := range m.pending { // no ABORT: it is a cause
		if o.word == isa88.Stop && winner < 0 {
			winner = i
		}
	}
	held := m.at == "held"
	for i, o := range m.pending {
		switch {
		case i == winner:
			m.fates[o.num] = "taken"
		case winner >= 0:
			m.fates[o.num] = "superseded by STOP"
		case m.at == "doubt":
			m.fates[o.num] = stuckFate
		case o.word == isa88.Hold && !held, o.word == isa88.Resume && held:
			m.fates[o.num], held = "taken", !held
		case held:
			m.fates[o.num] = "not allowed in HELD"
		default:
			m.fates[o.num] = "not allowed in RUNNING"
		}
	}
	m.pending = nil
	switch {
	case winner >= 0:
		m.end(isa88.Stopped)
	case m.at == "doubt":
	case held:
		m.at = "held"
	default:
		m.at = "gate"
	}
}

// again is a further attempt of the step at work, which had no effect.
func (m *model) again() {
	m.at = "between"
	m.boundary()
}

func (m *model) end(s isa88.State) {
	m.at, m.state = "ended", s
	for _, o := range m.pending {
		m.fates[o.num] = "the run has ended"
		if o.word == isa88.Abort && m.cause == "Aborted" {
			m.fates[o.num] = "taken"
		}
	}
	m.pending = nil
}

// done is the end of the step at work.
func (m *model) done() {
	if m.next++; m.next > m.n && m.cause == "" {
		m.end(isa88.Complete)
		return
	}
	m.at = "between"
	m.boundary()
}

// rig drives a run and its model side by side. Each act leaves both at rest.
type rig struct {
	*box
	dir    string
	rnd    *rand.Rand
	m      *model
	d      *device
	wf     engine.Workflow
	left   atomic.Int64 // changes until the journal is cut; negative: no cut
	lost   atomic.Bool  // the write at the gate has no effect
	waits  atomic.Int64 // writes at the gate
	odd    int64        // last value that somebody else wrote
	counts map[string]int
}

func (g *rig) boot() {
	g.left.Store(-1)
	g.box = boot(g.t, g.dir, engine.Config{}, journal.Options{BeforeAppend: func(uint64, journal.Change) error {
		if n := g.left.Load(); n == 0 {
			return errCut
		} else if n > 0 {
			g.left.Store(n - 1)
		}
		return nil
	}}, g.wf)
	synctest.Wait()
}

// arm cuts the journal within the next act, now and then.
func (g *rig) arm() {
	if g.rnd.IntN(4) == 0 {
		g.left.Store(g.rnd.Int64N(4))
	}
}

// release lets the write at the gate go.
func (g *rig) release() {
	g.d.block <- struct{}{}
	synctest.Wait()
}

// recover reboots if the act has met the cut. A write at the gate is lost then.
func (g *rig) recover() {
	g.left.Store(-1)
	if g.j.Err() == nil {
		return
	}
	g.counts["cuts within an act"]++
	g.down(true)
	g.boot()
	if g.m.at == "gate" {
		g.m.again()
	}
}

// down ends a life. A write that waits at the gate ends first, one way or the other.
func (g *rig) down(lost bool) {
	g.lost.Store(lost)
	g.stop()
	synctest.Wait()
	select {
	case <-g.over:
	default:
		g.release()
	}
	<-g.over
	if err := g.j.Close(); err != nil && !errors.Is(err, journal.ErrFailed) {
		g.t.Fatal(err)
	}
	g.lost.Store(false)
}

func (g *rig) act(id string) {
	m := g.m
	switch k := g.rnd.IntN(20); {
	case k < 8:
		words := []isa88.Command{isa88.Hold, isa88.Hold, isa88.Hold, isa88.Resume, isa88.Resume, isa88.Resume, isa88.Reset, isa88.Stop, isa88.Abort}
		g.counts["commands"]++
		g.arm()
		word := words[g.rnd.IntN(len(words)-g.rnd.IntN(3))]
		rc, err := g.e.Command(g.t.Context(), id, word, "", "eva")
		synctest.Wait()
		switch {
		case err == nil:
			m.command(order{rc.Message, word})
		case m.at == "ended" || g.j.Err() != nil: // refused, and not on disk
		default:
			g.t.Fatal(err)
		}
		g.recover()
	case k < 9 && g.rnd.IntN(3) == 0:
		g.counts["cancels"]++
		g.arm()
		err := g.e.Cancel(g.t.Context(), id, "", "eva")
		synctest.Wait()
		if err == nil {
			if m.cause == "" {
				m.cause = "Cancelled"
			}
			m.settle()
		}
		g.recover()
	case k < 11:
		g.counts["restarts"]++
		at := m.at
		g.down(false)
		if at == "gate" {
			m.writes = append(m.writes, m.next)
			m.done()
		}
		g.boot()
	case k < 13:
		g.crash(id)
	case m.at == "gate":
		g.counts["steps"]++
		g.arm()
		m.writes = append(m.writes, m.next)
		g.release()
		m.done()
		g.recover()
	case m.at == "doubt":
		g.answer(id)
	}
}

// crash ends a life with nothing more on disk.
func (g *rig) crash(id string) {
	m := g.m
	g.counts["crashes"]++
	how := g.rnd.IntN(3)
	at := m.at
	g.left.Store(0)
	g.down(how > 0)
	if at != "gate" {
		g.boot()
		return
	}
	switch {
	case how == 0:
		m.writes = append(m.writes, m.next)
	case how == 2:
		g.odd++
		g.d.set(g.odd)
		m.writes = append(m.writes, g.odd)
	}
	g.boot()
	switch {
	case m.cause != "":
		m.boundary()
	case how == 0:
		m.done()
	case how == 1:
		m.again()
	default:
		g.counts["doubts"]++
		m.at = "doubt"
		m.boundary()
	}
}

func (g *rig) answer(id string) {
	m := g.m
	g.counts["answers"]++
	how := g.rnd.IntN(3)
	if how != 1 { // cut behind a retry, the question may come again
		g.arm()
	}
	err := g.e.Resolve(g.t.Context(), id, engine.Answer{Decision: []string{"done", "retry", "fail"}[how], Actor: "eva"})
	synctest.Wait()
	switch {
	case err != nil:
	case how == 0:
		m.done()
	case how == 1:
		m.at = "gate"
	default:
		m.end(isa88.Error)
	}
	g.recover()
}

// check compares.
func (g *rig) check(id string) {
	g.t.Helper()
	m := g.m
	i, err := g.e.Show(g.t.Context(), id)
	if err != nil {
		g.t.Fatal(err)
	}
	ok := false
	switch m.at {
	case "gate":
		ok = i.Status == engine.Running && i.CurrentStep == "dev.write" && i.InDoubt == nil && g.waits.Load() == 1
	case "held":
		ok = i.State == isa88.Held && i.InDoubt == nil
	case "doubt":
		ok = i.State == isa88.Held && i.InDoubt != nil
	case "ended":
		ok = i.Status.Ended() && i.State == m.state
	}
	if !ok {
		g.t.Fatalf("run is %+v (%v), the model is %+v", i, i.Error, m)
	}
	if w := g.d.written(); !slices.Equal(w, m.writes) {
		g.t.Fatalf("wrote %v, the model %v", w, m.writes)
	}
	for num, want := range m.fates {
		if f, err := g.e.Fate(g.t.Context(), engine.Receipt{Run: id, Message: num}); err != nil || f.Fate != want {
			g.t.Fatalf("command %d is %+v, %v, the model says %q", num, f, err, want)
		}
	}
}

// gateStep is a write that waits at the rig's gate.
type gateStep struct {
	writeStep
	g *rig
}

func (s gateStep) Run(ctx context.Context, a engine.Args) (any, error) {
	v, err := a.Int("value")
	if err != nil {
		return nil, err
	}
	s.g.waits.Add(1)
	<-s.g.d.block
	s.g.waits.Add(-1)
	if s.g.lost.Load() {
		return nil, errors.New("no answer")
	}
	s.d.set(v)
	return nil, nil
}

func newRig(t *testing.T, seed uint64, n int64, counts map[string]int) *rig {
	g := &rig{dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 1)), m: &model{n: n, next: 1, at: "gate", fates: map[uint64]string{}},
		d: &device{block: make(chan struct{})}, odd: 1000, counts: counts}
	g.wf = engine.Workflow{Name: "chain", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		for i := int64(1); i <= n; i++ {
			if _, err := r.Step(engine.Call{Step: gateStep{writeStep{g.d}, g}, Args: args("path", "dev", "value", i)}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})}
	g.box = &box{t: t}
	g.boot()
	return g
}

// fatesTold counts in the record how often each command was decided on.
func fatesTold(t *testing.T, run journal.Run) map[uint64]int {
	told := map[uint64]int{}
	for _, rec := range run.Records {
		v, err := value.Decode(rec.Data)
		if err != nil {
			t.Fatal(err)
		}
		if l := v.([]any); rec.Kind == 8 && l[0] == "command" {
			told[uint64(l[1].(int64))]++
		}
	}
	return told
}

// Random commands, cancels, restarts, power cuts and answers: the run does
// what the model does, and every accepted command has exactly one fate.
func TestOracle(t *testing.T) {
	t.Parallel()
	const runs, acts = 150, 40
	counts := map[string]int{}
	for seed := range uint64(runs) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, seed, 6, counts)
			defer func() {
				if t.Failed() {
					t.Logf("seed %d: %+v", seed, g.m)
				}
			}()
			id := g.start(engine.StartRequest{Workflow: "chain"})
			synctest.Wait()
			for k := 0; k < acts && g.m.at != "ended"; k++ {
				g.act(id)
				g.check(id)
			}
			if g.m.at != "ended" {
				g.arm()
				rc, err := g.e.Command(t.Context(), id, isa88.Abort, "", "eva")
				synctest.Wait()
				g.recover()
				if err != nil {
					rc = g.command(id, isa88.Abort)
				}
				g.m.command(order{rc.Message, isa88.Abort})
				if g.m.at == "gate" {
					g.m.boundary()
					select {
					case g.d.block <- struct{}{}:
						g.m.writes = append(g.m.writes, g.m.next)
					default:
					}
				}
				synctest.Wait()
				g.check(id)
			}
			counts["ended as "+string(g.m.state)]++
			told := fatesTold(t, g.record(id))
			for _, num := range g.m.accepted {
				if told[num] != 1 {
					t.Errorf("seed %d: command %d has %d fates", seed, num, told[num])
				}
			}
			counts["fates"] += len(told)
			g.shutdown()
		})
	}
	t.Log(runs, "runs:", fmt.Sprint(counts))
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// plant is two runs that use all that a program can do, and what the outside
// has seen of them.
type plant struct {
	mu    sync.Mutex
	shown [][]any          // what a user step carried out: now, random, uuid, one inside a retried step
	tries map[string][]int // user step → its attempts, over all lives
	safe  *device
}

func (p *plant) body(name string, f func(try int) (any, error)) func(context.Context) (any, error) {
	return func(context.Context) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := len(p.tries[name]) + 1
		p.tries[name] = append(p.tries[name], n)
		return f(n)
	}
}

// sender sends three messages and a command to the receiver, and fails.
func (p *plant) sender(ctx context.Context, r *engine.Run) (any, error) {
	for i := range int64(3) {
		if err := r.Send("receiver", engine.Message{Topic: "data", Body: encoded(i)}); err != nil {
			return nil, err
		}
	}
	if err := r.Send("receiver", engine.Message{Body: args("cmd", "stop", "reason", "enough")}); err != nil {
		return nil, err
	}
	_, err := r.Step(engine.Call{Name: "fails", Args: args(), Options: engine.StepOptions{OnInterrupted: engine.FailInterrupted},
		Body: p.body("fails", func(int) (any, error) { return nil, errors.New("broken") })})
	return nil, err
}

// receiver takes what the sender sends, and shows what it has chosen.
func (p *plant) receiver(ctx context.Context, r *engine.Run) (any, error) {
	now, err1 := r.Now()
	random, err2 := r.Random()
	id, err3 := r.UUID()
	if err := errors.Join(err1, err2, err3, r.SetEvent("uuid", id), r.Progress("chosen", now)); err != nil {
		return nil, err
	}
	if _, err := r.Step(engine.Call{Name: "show", Args: args("id", id), Body: p.body("show", func(int) (any, error) {
		p.shown = append(p.shown, []any{now, random, id})
		return nil, nil
	})}); err != nil {
		return nil, err
	}
	var got []any
	for range 3 {
		m, err := r.Recv("data", time.Hour)
		if err != nil {
			return nil, err
		}
		got = append(got, m)
		if err := r.WriteStream("got", m); err != nil {
			return nil, err
		}
	}
	// Tries until its second attempt; every cut may add one.
	if _, err := r.Step(engine.Call{Name: "retried", Args: args(), Options: engine.StepOptions{MaxAttempts: 4}, Body: p.body("retried", func(n int) (any, error) {
		if n < 2 {
			return nil, errors.New("no answer")
		}
		return nil, nil
	})}); err != nil {
		return nil, err
	}
	for {
		cmd, err := r.RecvCommand("RUNNING", "cmd", time.Hour, 5)
		if err != nil {
			return nil, err
		}
		if !cmd.IsNil() {
			return value.NewMap("got", got, "cmd", cmd, "id", id), nil
		}
	}
}

func (p *plant) boot(t *testing.T, dir string, o journal.Options) *box {
	return boot(t, dir, engine.Config{SafeWrite: writeStep{p.safe}}, o,
		engine.Workflow{Name: "sender", Program: program(p.sender), SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(7))}}},
		engine.Workflow{Name: "receiver", Commands: engine.ByScript, Program: program(p.receiver)})
}

// start starts both runs, or finds them. It reports whether they are there.
func (p *plant) start(b *box) bool {
	for _, name := range []string{"receiver", "sender"} {
		if _, err := b.e.Start(b.t.Context(), engine.StartRequest{Workflow: name, ID: name}); err != nil {
			if b.j.Err() == nil {
				b.t.Fatal(err)
			}
			return false
		}
	}
	return true
}

// Cut after each change in turn, and in the next life after a further few: what the
// runs say at the end, and what the outside has seen, is the same as without.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	cuts := 0
	for k := uint64(1); ; k++ {
		p := &plant{tries: map[string][]int{}, safe: &device{}}
		dir := t.TempDir()
		whole := p.cut(t, dir, k)
		if whole {
			t.Logf("%d cuts, %d of them in a second life", cuts, cuts/2)
			return
		}
		second := p.cut(t, dir, 1+k%5)
		cuts += 2
		b := p.boot(t, dir, journal.Options{})
		p.start(b)
		p.check(b, k, second)
		b.shutdown()
	}
}

// cut runs a life of k changes; it reports whether the runs ended within.
func (p *plant) cut(t *testing.T, dir string, k uint64) bool {
	b := p.boot(t, dir, cutAfter(k))
	if p.start(b) {
		b.life("sender")
		b.life("receiver")
	}
	whole := b.j.Err() == nil
	b.stop()
	<-b.over
	if err := b.j.Close(); err != nil && !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	return whole
}

func (p *plant) check(b *box, k uint64, second bool) {
	t := b.t
	sender, receiver := b.result("sender"), b.result("receiver")
	if sender.State != isa88.Error || !slices.Contains([]string{"broken", "the process ended while the step was at work"}, sender.Error.Message) || len(sender.SafeState) != 1 || !sender.SafeState[0].OK || p.safe.get() != 7 {
		t.Errorf("cut %d: sender is %+v, %v", k, sender, sender.Error)
	}
	if receiver.Status != engine.Success {
		t.Fatalf("cut %d: receiver is %+v, %v", k, receiver, receiver.Error)
	}
	v, err := value.Decode(receiver.Result)
	if err != nil {
		t.Fatal(err)
	}
	res := v.(*value.Map)
	got, _ := res.Get("got")
	cmd, _ := res.Get("cmd")
	id, _ := res.Get("id")
	if fmt.Sprint(got) != "[0 1 2]" || cmd == nil || string(receiver.Events["uuid"]) != string(encoded(id)) {
		t.Errorf("cut %d: received %v and %v, events %v", k, got, cmd, receiver.Events)
	}
	for _, s := range p.shown {
		if s[2] != id || s[0] != p.shown[0][0] || s[1] != p.shown[0][1] {
			t.Errorf("cut %d: shown were %v, the run has %v", k, p.shown, id)
		}
	}
	if n := len(p.tries["fails"]); n > 1 {
		t.Errorf("cut %d: a step that is to fail when interrupted was attempted %d times", k, n)
	}
	if a, b := len(p.tries["show"]), len(p.tries["retried"]); a < 1 || a > 3 || b < 2 || b > 4 {
		t.Errorf("cut %d: attempts %v", k, p.tries)
	}
	log, err := b.e.Log(t.Context(), "receiver", "", 0)
	if err != nil || len(log) != 4 {
		t.Errorf("cut %d: log is %+v, %v", k, log, err)
	}
	if run := b.record("receiver"); len(run.Inbox) != 0 {
		t.Errorf("cut %d: %d messages are left", k, len(run.Inbox))
	}
}

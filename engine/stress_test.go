package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// Operators do all at once what they may do, over three lives; each call is
// answered, and in the end every run ends. Worth most with the race detector.
func TestOperatorsAtOnce(t *testing.T) {
	t.Parallel()
	const runs, operators, calls = 12, 6, 100
	dir := t.TempDir()
	poll := engine.Workflow{Name: "poll", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		d := &device{}
		for i := int64(0); ; i++ {
			if err := errors.Join(write(r, d, i), r.Progress("at work", i)); err != nil {
				return nil, err
			}
			if m, err := r.Recv("go", time.Millisecond); err != nil || !m.IsNil() {
				return nil, err
			}
		}
	})}
	id := func(n int) string { return fmt.Sprintf("run-%d", n) }
	for life := range 3 {
		b := boot(t, dir, engine.Config{Workers: runs / 2}, journal.Options{}, poll)
		var wg sync.WaitGroup
		for op := range operators {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(life), uint64(op)))
				for range calls {
					ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
					err := operate(ctx, b.e, rnd, id(rnd.IntN(runs)))
					stop()
					var p *engine.Problem
					if err != nil && !errors.As(err, &p) && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		b.shutdown()
	}
	b := boot(t, dir, engine.Config{}, journal.Options{}, poll)
	defer b.shutdown()
	all, err := b.e.Runs(t.Context(), engine.Filter{})
	if err != nil || len(all) == 0 {
		t.Fatalf("runs are %v, %v", all, err)
	}
	for _, r := range all {
		if err := b.e.Cancel(t.Context(), r.ID, "", ""); err != nil && !r.Status.Ended() {
			t.Error(err)
		}
		b.result(r.ID)
	}
}

// operate makes one call at random.
func operate(ctx context.Context, e *engine.Engine, rnd *rand.Rand, id string) error {
	var err error
	switch rnd.IntN(10) {
	case 0, 1:
		_, err = e.Start(ctx, engine.StartRequest{Workflow: "poll", ID: id, DedupID: id})
	case 2, 3, 4:
		var rc engine.Receipt
		if rc, err = e.Command(ctx, id, isa88.Commands()[1+rnd.IntN(4)], "", ""); err == nil {
			_, err = e.Fate(ctx, rc)
		}
	case 5:
		_, err = e.Send(ctx, id, engine.Message{Topic: "go"})
	case 6:
		_, err = e.Runs(ctx, engine.Filter{Limit: 5})
		e.Health()
	case 7:
		_, _, err = e.Await(ctx, id, rnd.Uint64N(20))
	case 8:
		_, err1 := e.Steps(ctx, id)
		_, err2 := e.Log(ctx, id, "", 0)
		_, err = e.Show(ctx, id)
		err = errors.Join(err, err1, err2)
	default:
		err = e.Cancel(ctx, id, "", "")
	}
	return err
}

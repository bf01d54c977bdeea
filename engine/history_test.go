package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// write10 is a workflow of ten writes, each with arguments and a result of its own.
func write10() engine.Workflow {
	return engine.Workflow{Name: "fill", AnyInput: true, Source: engine.Source{Hash: fmt.Sprintf("%064x", 7), Bundle: []byte("source")},
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			for i := range 10 {
				args, err := value.Encode(value.NewMap("n", []any{fmt.Sprintf("tank%d.valve", i%3), float64(time.Now().UnixNano()%100_000) / 1000}))
				if err != nil {
					return nil, err
				}
				if _, err := r.Step(engine.Call{Step: noop{true}, Args: args}); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})}
}

// A run of ten steps that has ended takes no more than 0.6 KB on disk, with all
// that it is found by.
func TestHistoryBytesPerRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := boot(t, dir, engine.Config{}, journal.Options{MoveWithin: 10 * time.Millisecond}, write10())
	const runs = 1000
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range runs / 50 {
				b.result(b.start(engine.StartRequest{Workflow: "fill"}))
			}
		})
	}
	wg.Wait()
	for b.j.Stats().Moved < runs {
		<-time.After(time.Millisecond)
	}
	each := b.j.Stats().HistoryUsed / runs
	t.Logf("%d bytes of history.db a run", each)
	if each > 614 {
		t.Errorf("%d bytes of history.db a run, at most 614 are wanted", each)
	}
	b.shutdown()
}

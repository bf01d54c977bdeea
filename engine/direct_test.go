package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"holdfast/engine"
	"holdfast/journal"
)

// placeStep keeps the places that it was called at.
type placeStep struct{ places *[]engine.Args }

func (placeStep) Name() string           { return "place" }
func (placeStep) Params() []engine.Param { return nil }
func (s placeStep) Run(_ context.Context, a engine.Args) (any, error) {
	*s.places = append(*s.places, a)
	return nil, nil
}

// Steps inside a user step have places of their own, the same in each attempt,
// so that what they key by it (an Idempotency-Key) is theirs alone.
func TestDirectPlaces(t *testing.T) {
	t.Parallel()
	var places []engine.Args
	tries := 0
	wf := engine.Workflow{Name: "w", Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
		return r.Step(engine.Call{Name: "user", Args: args(), Options: engine.StepOptions{MaxAttempts: 2}, Body: func(ctx context.Context) (any, error) {
			for range 2 {
				if _, err := r.Direct(ctx, placeStep{&places}, args()); err != nil {
					return nil, err
				}
			}
			if tries++; tries == 1 {
				return nil, errors.New("once more")
			}
			return nil, nil
		}})
	})}
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, wf)
	defer b.shutdown()
	if got := b.result(b.start(engine.StartRequest{Workflow: "w"})); got.Status != engine.Success {
		t.Fatalf("run is %+v", got)
	}
	var inner []int
	for _, a := range places {
		inner = append(inner, a.Key.Inner)
	}
	if !slices.Equal(inner, []int{1, 2, 1, 2}) {
		t.Errorf("places are %v", inner)
	}
}

package controltest

import (
	"context"

	"holdfast/engine"
	"holdfast/engine/value"
)

// Odd returns values that JSON has no form for, or that cannot even be read, by name.
func Odd() map[string]any {
	var deep any = int64(1)
	for range value.MaxDepth {
		deep = value.Tuple{deep}
	}
	return map[string]any{
		"keys":   &value.Map{Pairs: []value.Pair{{Key: int64(1), Value: "number"}, {Key: "1", Value: "text"}}},
		"deep":   deep,
		"text":   "half a letter: \xc3",
		"rotten": value.Raw{0x81, 0xd9, 0x98, 0x58, 0x01}, // a list of a tuple that is a number
	}
}

func oddProgram(r *engine.Run) (any, error) {
	for name, v := range Odd() {
		if err := r.SetEvent(name, v); err != nil {
			return nil, err
		}
		if err := r.Progress(name, v); err != nil {
			return nil, err
		}
		args, err := value.Encode(value.NewMap("name", name))
		if err != nil {
			return nil, err
		}
		if _, err := r.Step(engine.Call{Step: oddStep{v}, Args: args}); err != nil {
			return nil, err
		}
	}
	return Odd()["keys"], nil
}

// oddStep answers with a value.
type oddStep struct{ v any }

func (oddStep) Name() string           { return "test.odd" }
func (oddStep) Params() []engine.Param { return []engine.Param{{Name: "name", Required: true}} }

func (s oddStep) Run(context.Context, engine.Args) (any, error) { return s.v, nil }

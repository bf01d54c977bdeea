package controltest

import (
	"context"
	"strings"

	"holdfast/engine"
	"holdfast/engine/value"
)

// Many is a workflow, test.many, for a test to register: it makes n steps with
// results of size bytes, logs after each, and waits for a message on topic "go".
func Many() engine.Workflow {
	return engine.Workflow{Name: "test.many", File: "test.star:8", Program: program(manyProgram),
		Inputs: []engine.Input{{Name: "n", Required: true}, {Name: "size", Required: true}}}
}

func manyProgram(r *engine.Run) (any, error) {
	v, err := value.Decode(r.Inputs())
	if err != nil {
		return nil, err
	}
	in, _ := v.(*value.Map)
	n, _ := in.Get("n")
	size, _ := in.Get("size")
	count, _ := n.(int64)
	length, _ := size.(int64)
	for i := range count {
		args, err := value.Encode(value.NewMap("i", i))
		if err != nil {
			return nil, err
		}
		c := engine.Call{Name: "count", Args: args, Body: func(context.Context) (any, error) { return strings.Repeat("x", int(length)), nil }}
		if _, err := r.Step(c); err != nil {
			return nil, err
		}
		if err := r.Progress("counted", value.NewMap("done", i+1, "of", count)); err != nil {
			return nil, err
		}
	}
	return r.Recv("go", 1<<50)
}

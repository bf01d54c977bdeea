package engine

import (
	"fmt"
	"maps"

	"holdfast/engine/record"
	"holdfast/engine/value"
)

// defaultsOf returns what the parameters of a step are when they are not given.
// The record does not hold them, and two steps of one name are one step to it.
func (e *Engine) defaultsOf(s Step) ([]record.Default, error) {
	name := s.Name()
	known := e.defaults.Load()
	if known != nil {
		if out, ok := (*known)[name]; ok {
			return out, nil
		}
	}
	var out []record.Default
	for _, p := range s.Params() {
		if p.Required {
			continue
		}
		v, err := value.Encode(p.Default)
		if err != nil {
			return nil, fmt.Errorf("the default of %s: %w", p.Name, err)
		}
		out = append(out, record.Default{Name: p.Name, Value: v})
	}
	more := map[string][]record.Default{name: out}
	if known != nil {
		maps.Copy(more, *known)
	}
	e.defaults.CompareAndSwap(known, &more) // else another one was quicker, and it is found out again
	return out, nil
}

package engine

import (
	"fmt"
	"time"

	"holdfast/engine/value"
)

// header is what a run is started with, and never changes.
type header struct {
	id        string
	workflow  string
	hash      string // of the source
	inputs    value.Raw
	created   time.Time
	deadline  time.Time // zero: none
	dedup     string
	partition string
	priority  int
	commands  CommandMode
	powerLoss PowerLoss
	safeState []SafeWrite
}

// encode keeps everything but id and created, which the journal's Header has.
func (h *header) encode() ([]byte, error) {
	safe := make([]any, 0, len(h.safeState))
	for _, s := range h.safeState {
		safe = append(safe, []any{s.Tag, s.Value})
	}
	var deadline int64
	if !h.deadline.IsZero() {
		deadline = h.deadline.UnixMilli()
	}
	return value.Encode(value.NewMap(
		"workflow", h.workflow, "hash", h.hash, "inputs", h.inputs, "deadline", deadline, "dedup", h.dedup,
		"partition", h.partition, "priority", h.priority, "commands", int(h.commands), "power_loss", int(h.powerLoss), "safe_state", safe))
}

func decodeHeader(id string, created time.Time, data []byte) (header, error) {
	h := header{id: id, created: created}
	v, err := value.Decode(data)
	if err != nil {
		return h, fmt.Errorf("cannot read the header of run %s: %w", id, err)
	}
	m, ok := v.(*value.Map)
	if !ok {
		return h, fmt.Errorf("cannot read the header of run %s: it is a %T", id, v)
	}
	text := func(key string) string {
		x, _ := m.Get(key)
		s, _ := x.(string)
		return s
	}
	number := func(key string) int64 {
		x, _ := m.Get(key)
		n, _ := x.(int64)
		return n
	}
	h.workflow, h.hash, h.dedup, h.partition = text("workflow"), text("hash"), text("dedup"), text("partition")
	h.priority, h.commands, h.powerLoss = int(number("priority")), CommandMode(number("commands")), PowerLoss(number("power_loss"))
	if ms := number("deadline"); ms != 0 {
		h.deadline = time.UnixMilli(ms).UTC()
	}
	inputs, _ := m.Get("inputs")
	if h.inputs, err = value.Encode(inputs); err != nil {
		return h, err
	}
	safe, _ := m.Get("safe_state")
	list, _ := safe.([]any)
	for _, e := range list {
		pair, ok := e.([]any)
		if !ok || len(pair) != 2 {
			return h, fmt.Errorf("cannot read the header of run %s: safe_state has %v", id, e)
		}
		tag, _ := pair[0].(string)
		raw, err := value.Encode(pair[1])
		if err != nil {
			return h, err
		}
		h.safeState = append(h.safeState, SafeWrite{Tag: tag, Value: raw})
	}
	return h, nil
}

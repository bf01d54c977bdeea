package engine

import (
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// header is what a run is started with, and never changes.
type header struct {
	id        string
	box       string // identity of the journal in which the run was started
	workflow  string
	hash      string // of the source
	inputs    value.Raw
	created   time.Time
	deadline  time.Time // zero: none
	dedup     string
	partition string
	priority  int
	commands  CommandMode
	stopGrace time.Duration
	powerLoss PowerLoss
	safeState []SafeWrite
}

// encode keeps everything but id, created and hash, which the journal's Header has.
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
		"box", h.box, "workflow", h.workflow, "inputs", h.inputs, "deadline", deadline, "dedup", h.dedup,
		"partition", h.partition, "priority", h.priority, "commands", int(h.commands), "stop_grace_ms", h.stopGrace.Milliseconds(), "power_loss", int(h.powerLoss), "safe_state", safe))
}

func decodeHeader(jh journal.Header) (header, error) {
	id := jh.ID
	h := header{id: id, created: jh.Created, hash: jh.Script}
	v, err := value.Decode(jh.Data)
	if err != nil {
		return h, fmt.Errorf("cannot read the header of run %s: %w", id, err)
	}
	m, ok := v.(*value.Map)
	if !ok {
		return h, fmt.Errorf("cannot read the header of run %s: it is a %T", id, v)
	}
	h.box = textIn(m, "box")
	h.workflow, h.dedup, h.partition = textIn(m, "workflow"), textIn(m, "dedup"), textIn(m, "partition")
	h.priority, h.commands, h.powerLoss = int(numberIn(m, "priority")), CommandMode(numberIn(m, "commands")), PowerLoss(numberIn(m, "power_loss"))
	h.stopGrace = time.Duration(numberIn(m, "stop_grace_ms")) * time.Millisecond
	if ms := numberIn(m, "deadline"); ms != 0 {
		h.deadline = time.UnixMilli(ms).UTC()
	}
	inputs, _ := m.Get("inputs")
	if h.inputs, err = value.Encode(inputs); err != nil {
		return h, err
	}
	for _, e := range listIn(m, "safe_state") {
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

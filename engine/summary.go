package engine

import (
	"fmt"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

// A summary is what the journal tells of an ended run: its RunInfo, as an
// encoded map under the names of its JSON. Values lie in it as they are, for
// JSON would lose what they are, or find keys twice in them.

// maxSummary bounds a summary, in bytes. One that is longer leaves out its
// events, which the run's record holds anyway.
const maxSummary = 32 << 20

func encodeSummary(i RunInfo) ([]byte, error) {
	size := len(i.Inputs) + len(i.Result)
	for key, v := range i.Events {
		size += len(key) + len(v)
	}
	if size > maxSummary {
		i.Events = nil
	}
	b, err := value.Encode(summaryOf(i))
	if err != nil {
		return nil, fmt.Errorf("cannot encode the summary of run %s: %w", i.ID, err)
	}
	return b, nil
}

func summaryOf(i RunInfo) *value.Map {
	m := value.NewMap("id", i.ID, "workflow", i.Workflow, "status", string(i.Status), "state", string(i.State), "queue", i.Queue,
		"partition", i.Partition, "priority", i.Priority, "dedup_id", i.DedupID, "inputs", i.Inputs, "result", i.Result,
		"created_at", i.CreatedAt.UnixMilli(), "recoveries", i.Recoveries, "commands", string(i.Commands))
	if e := i.Error; e != nil {
		m.Set("error", []string{e.Type, e.Message, e.Step, e.Traceback})
	}
	for _, t := range []struct {
		key string
		at  *time.Time
	}{{"started_at", i.StartedAt}, {"completed_at", i.CompletedAt}, {"deadline", i.Deadline}} {
		if t.at != nil {
			m.Set(t.key, t.at.UnixMilli())
		}
	}
	events := &value.Map{}
	for key, v := range i.Events {
		events.Pairs = append(events.Pairs, value.Pair{Key: key, Value: v})
	}
	m.Set("events", events)
	safe := make([]any, 0, len(i.SafeState))
	for _, s := range i.SafeState {
		safe = append(safe, []any{s.Tag, s.Value, s.OK, s.Detail})
	}
	m.Set("safe_state", safe)
	return m
}

func decodeSummary(b []byte) (RunInfo, error) {
	v, err := value.Decode(b)
	m, ok := v.(*value.Map)
	if err == nil && !ok {
		err = fmt.Errorf("it is a %T", v)
	}
	if err != nil {
		return RunInfo{}, fmt.Errorf("cannot read the summary: %w", err)
	}
	i := RunInfo{ID: textIn(m, "id"), Workflow: textIn(m, "workflow"), Status: Status(textIn(m, "status")), State: isa88.State(textIn(m, "state")),
		Queue: textIn(m, "queue"), Partition: textIn(m, "partition"), Priority: int(numberIn(m, "priority")), DedupID: textIn(m, "dedup_id"),
		Recoveries: int(numberIn(m, "recoveries")), Commands: CommandModeName(textIn(m, "commands")), Events: map[string]value.Raw{}}
	i.StartedAt, i.CompletedAt, i.Deadline = timeIn(m, "started_at"), timeIn(m, "completed_at"), timeIn(m, "deadline")
	if t := timeIn(m, "created_at"); t != nil {
		i.CreatedAt = *t
	}
	if i.Inputs, err = rawIn(m, "inputs"); err != nil {
		return i, err
	}
	if i.Result, err = rawIn(m, "result"); err != nil {
		return i, err
	}
	if e := listIn(m, "error"); len(e) == 4 {
		i.Error = &RunError{}
		for n, field := range []*string{&i.Error.Type, &i.Error.Message, &i.Error.Step, &i.Error.Traceback} {
			*field, _ = e[n].(string)
		}
	}
	events, _ := m.Get("events")
	if em, ok := events.(*value.Map); ok {
		for _, p := range em.Pairs {
			key, _ := p.Key.(string)
			if i.Events[key], err = value.Encode(p.Value); err != nil {
				return i, err
			}
		}
	}
	for _, line := range listIn(m, "safe_state") {
		f, ok := line.([]any)
		if !ok || len(f) != 4 {
			return i, fmt.Errorf("cannot read the summary: safe_state has %v", line)
		}
		var s SafeResult
		s.Tag, _ = f[0].(string)
		if s.Value, err = value.Encode(f[1]); err != nil {
			return i, err
		}
		s.OK, _ = f[2].(bool)
		s.Detail, _ = f[3].(string)
		i.SafeState = append(i.SafeState, s)
	}
	return i, nil
}

func numberIn(m *value.Map, key string) int64 {
	x, _ := m.Get(key)
	n, _ := x.(int64)
	return n
}

func timeIn(m *value.Map, key string) *time.Time {
	x, has := m.Get(key)
	ms, ok := x.(int64)
	if !has || !ok {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

func rawIn(m *value.Map, key string) (value.Raw, error) {
	x, _ := m.Get(key)
	if x == nil {
		return nil, nil
	}
	return value.Encode(x)
}

func listIn(m *value.Map, key string) []any {
	x, _ := m.Get(key)
	l, _ := x.([]any)
	return l
}

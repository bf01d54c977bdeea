package engine

import (
	"fmt"
	"slices"
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
	if w := i.Operator; w != nil {
		m.Set("operator", []any{w.Command, w.Actor, w.Reason, w.At.UnixMilli()})
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

// decodeSummary reads a summary. What the run was given, told and returned is
// only taken apart: whoever shows it sees what of it cannot be read.
func decodeSummary(b []byte) (RunInfo, error) {
	i, err := summarised(b)
	if err != nil {
		return i, fmt.Errorf("cannot read the summary: %w", err)
	}
	return i, nil
}

func summarised(b []byte) (RunInfo, error) {
	pairs, err := value.SplitMap(b)
	if err != nil {
		return RunInfo{}, err
	}
	i := RunInfo{Events: map[string]value.Raw{}}
	m := &value.Map{}
	for _, p := range pairs {
		switch p.Key {
		case "inputs":
			i.Inputs = given(p.Value)
		case "result":
			i.Result = given(p.Value)
		case "events":
			events, err := value.SplitMap(p.Value)
			if err != nil {
				return i, err
			}
			for _, e := range events {
				i.Events[e.Key] = slices.Clone(e.Value)
			}
		case "safe_state":
			if i.SafeState, err = safeResults(p.Value); err != nil {
				return i, err
			}
		default:
			v, err := value.Decode(p.Value)
			if err != nil {
				return i, fmt.Errorf("%s: %w", p.Key, err)
			}
			m.Set(p.Key, v)
		}
	}
	i.ID, i.Workflow, i.Status, i.State = textIn(m, "id"), textIn(m, "workflow"), Status(textIn(m, "status")), isa88.State(textIn(m, "state"))
	i.Queue, i.Partition, i.DedupID, i.Priority = textIn(m, "queue"), textIn(m, "partition"), textIn(m, "dedup_id"), int(numberIn(m, "priority"))
	i.Recoveries, i.Commands = int(numberIn(m, "recoveries")), CommandModeName(textIn(m, "commands"))
	i.StartedAt, i.CompletedAt, i.Deadline = timeIn(m, "started_at"), timeIn(m, "completed_at"), timeIn(m, "deadline")
	if t := timeIn(m, "created_at"); t != nil {
		i.CreatedAt = *t
	}
	if w := listIn(m, "operator"); len(w) == 4 {
		i.Operator = &Word{}
		i.Operator.Command, _ = w[0].(string)
		i.Operator.Actor, _ = w[1].(string)
		i.Operator.Reason, _ = w[2].(string)
		ms, _ := w[3].(int64)
		i.Operator.At = time.UnixMilli(ms).UTC()
	}
	if e := listIn(m, "error"); len(e) == 4 {
		i.Error = &RunError{}
		for n, field := range []*string{&i.Error.Type, &i.Error.Message, &i.Error.Step, &i.Error.Traceback} {
			*field, _ = e[n].(string)
		}
	}
	return i, nil
}

// given returns a value that is not nil, in memory of its own.
func given(r value.Raw) value.Raw {
	if r.IsNil() {
		return nil
	}
	return slices.Clone(r)
}

func safeResults(list value.Raw) ([]SafeResult, error) {
	lines, err := value.Split(list, nil)
	if err != nil {
		return nil, err
	}
	var out []SafeResult
	for _, line := range lines {
		f, err := value.Split(line, nil)
		if err == nil && len(f) != 4 {
			err = fmt.Errorf("a line of safe_state has %d fields", len(f))
		}
		if err != nil {
			return nil, err
		}
		s := SafeResult{Value: given(f[1]), OK: len(f[2]) == 1 && f[2][0] == 0xf5}
		if s.Tag, err = f[0].Text(); err != nil {
			return nil, err
		}
		if s.Detail, err = f[3].Text(); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
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

func listIn(m *value.Map, key string) []any {
	x, _ := m.Get(key)
	l, _ := x.([]any)
	return l
}

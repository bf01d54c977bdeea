package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

func enc(t *testing.T, v any) value.Raw {
	t.Helper()
	r, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIsFatal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errShutdown, &termination{why: "stopped"}, &Mismatch{}, &recordError{errors.New("disk")}} {
		if !IsFatal(err) || !IsFatal(fmt.Errorf("in a script: %w", err)) {
			t.Errorf("%v is to be fatal", err)
		}
	}
	for _, err := range []error{nil, errors.New("x"), context.Canceled, Errorf("Timeout", "x"), &RunError{Type: "Fail"}, errTimeout} {
		if IsFatal(err) {
			t.Errorf("%v is not to be fatal", err)
		}
	}
}

func TestArgs(t *testing.T) {
	t.Parallel()
	a := Args{Values: value.NewMap("s", "text", "i", int64(7), "whole", 7.0, "f", 7.5, "huge", 1e300, "nan", math.NaN(), "neg", int64(-1), "m", value.NewMap("k", "v"), "none", nil)}
	show := func(v any, err error) string {
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(v)
	}
	for _, c := range []struct{ got, want string }{
		{show(a.String("s")), "text"},
		{show(a.String("i")), "BadArgument: i is 7, not a string"},
		{show(a.String("missing")), "BadArgument: missing is null, not a string"},
		{show(a.Int("i")), "7"},
		{show(a.Int("whole")), "7"},
		{show(a.Int("f")), "BadArgument: f is 7.5, not a whole number"},
		{show(a.Int("huge")), "BadArgument: huge is 1e+300, not a whole number"},
		{show(a.Int("nan")), `BadArgument: nan is "NaN", not a whole number`},
		{show(a.Millis("i")), "7ms"},
		{show(a.Millis("f")), "7.5ms"},
		{show(a.Millis("neg")), "BadArgument: neg is -1, not a number of milliseconds, 0 or more"},
		{show(a.Millis("nan")), `BadArgument: nan is "NaN", not a number of milliseconds, 0 or more`},
		{show(a.Millis("huge")), "BadArgument: huge is 1e+300, not a number of milliseconds, 0 or more"},
		{show(a.Millis("s")), `BadArgument: s is "text", not a number of milliseconds`},
		{show(a.Map("s")), `BadArgument: s is "text", not a dict`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if m, err := a.Map("m"); err != nil || m.Len() != 1 {
		t.Errorf("got %v, %v", m, err)
	}
	if m, err := a.Map("none"); err != nil || m != nil {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestBindInputs(t *testing.T) {
	t.Parallel()
	wf := Workflow{Inputs: []Input{{Name: "recipe", Required: true}, {Name: "litres", Default: enc(t, 2.5)}, {Name: "note"}}}
	open := wf
	open.AnyInput = true
	for _, c := range []struct {
		wf    Workflow
		given any
		want  string
	}{
		{wf, value.NewMap("recipe", "A"), `{"recipe":"A","litres":2.5,"note":null}`},
		{wf, value.NewMap("note", 1, "recipe", "A"), `{"recipe":"A","litres":2.5,"note":1}`},
		{wf, value.NewMap("recipe", nil), `{"recipe":null,"litres":2.5,"note":null}`},
		{wf, nil, `input "recipe" is missing`},
		{wf, []any{}, `inputs: arguments are a []interface {}, not a map`},
		{wf, value.NewMap("recipe", 1, "x", 1), `unknown input "x", allowed are recipe, litres, note`},
		{wf, &value.Map{Pairs: []value.Pair{{Key: "recipe", Value: int64(1)}, {Key: int64(5), Value: nil}}}, `input name 5 is not a string`},
		{Workflow{}, value.NewMap("x", 1), `unknown input "x", the workflow has none`},
		{open, value.NewMap("recipe", "A", "x", 1), `{"recipe":"A","litres":2.5,"note":null,"x":1}`},
	} {
		raw, err := bindInputs(c.wf, enc(t, c.given))
		got := ""
		if err != nil {
			got = err.Error()
		} else if js, err := raw.MarshalJSON(); err != nil {
			t.Error(err)
		} else {
			got = string(js)
		}
		if got != c.want {
			t.Errorf("%v: got %s, want %s", c.given, got, c.want)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	created := time.UnixMilli(1_700_000_000_123).UTC()
	for _, h := range []header{
		{id: "a", box: "b0", created: created, workflow: "w", inputs: enc(t, value.NewMap())},
		{id: "b", created: created, workflow: "demo.small", hash: "abc", inputs: enc(t, value.NewMap("x", value.Tuple{int64(1)})), deadline: created.Add(time.Hour), dedup: "d",
			partition: "p", priority: -3, commands: ByScript, stopGrace: 2500 * time.Millisecond, powerLoss: StopAfterLoss, safeState: []SafeWrite{{"valve", enc(t, false)}, {"pump", enc(t, 0.0)}}},
	} {
		data, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeHeader(journal.Header{ID: h.id, Created: h.created, Script: h.hash, Data: data})
		if err != nil || !reflect.DeepEqual(back, h) {
			t.Errorf("%+v came back as %+v, %v", h, back, err)
		}
		for n := range data {
			if _, err := decodeHeader(journal.Header{ID: "a", Created: created, Data: data[:n]}); err == nil && n > 0 {
				t.Errorf("the first %d bytes were taken", n)
			}
		}
	}
}

func TestSummaryRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123).UTC()
	later := at.Add(time.Minute)
	for _, i := range []RunInfo{
		{ID: "a", Workflow: "w", Status: Success, State: isa88.Complete, Queue: "default", CreatedAt: at, Commands: "engine", Events: map[string]value.Raw{}},
		{ID: "b", Workflow: "w", Status: Error, State: isa88.Error, Queue: "default", Partition: "p", Priority: 4, DedupID: "d", Inputs: enc(t, value.NewMap("x", 1)),
			Result: enc(t, []any{1.0}), Error: &RunError{"T", "m", "s", "trace"}, Events: map[string]value.Raw{"k": enc(t, nil), "l": enc(t, "v")}, CreatedAt: at,
			StartedAt: &at, CompletedAt: &later, Deadline: &later, Recoveries: 3, Commands: "script",
			SafeState: []SafeResult{{"valve", enc(t, false), true, ""}, {"pump", enc(t, 0), false, "refused"}}},
	} {
		b, err := encodeSummary(i)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeSummary(b)
		if err != nil || !reflect.DeepEqual(back, i) {
			t.Errorf("%+v came back as %+v, %v", i, back, err)
		}
		for n := range b {
			if _, err := decodeSummary(b[:n]); err == nil {
				t.Errorf("the first %d bytes were taken", n)
			}
		}
	}
}

// Events that are too many for a summary are left out of it.
func TestSummaryIsBounded(t *testing.T) {
	t.Parallel()
	i := RunInfo{ID: "a", CreatedAt: time.UnixMilli(0).UTC(), Events: map[string]value.Raw{}}
	for k := range 4 {
		i.Events[fmt.Sprint(k)] = enc(t, strings.Repeat("x", 10<<20))
	}
	b, err := encodeSummary(i)
	if err != nil || len(b) > maxSummary {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	e := &Engine{}
	now := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	first := e.newID(now)
	if !strings.HasPrefix(first, "20260203-040506789-") || len(first) != len("20260203-040506789-abcd") || !validID(first) {
		t.Errorf("got %s", first)
	}
	for id, want := range map[string]time.Time{first: now, "tank": {}, "20260203-0405067890abcd": {}, "20261303-040506789-abcd": {}} {
		if got := idTime(id, time.Time{}); !got.Equal(want) {
			t.Errorf("the time of %s is %v", id, got)
		}
	}
	ids := []string{first}
	for _, d := range []time.Duration{0, -time.Hour, time.Millisecond, time.Second} {
		ids = append(ids, e.newID(now.Add(d)))
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("got %v", ids)
	}
}

// Numbers and UUIDs of messages are found in every kind of record that tells of them.
func TestSeenIn(t *testing.T) {
	t.Parallel()
	r := &Run{nextNote: record.Place{Branch: record.Notes}}
	m := message{Number: 1, Topic: "x", UUID: "u1"}
	var w record.Writer
	w.Received(&record.Received{Call: "recv", Topic: "x", Taken: []record.Taken{{Number: 2, UUID: "u2"}, {Number: 3}}})
	j := journaltest.Open(t)
	e, err := New(Config{}, j)
	if err != nil {
		t.Fatal(err)
	}
	c := journal.Change{Run: 1, Start: &journal.Header{Run: 1, ID: "a"}, Inbox: []journal.Message{{Number: 1, Data: m.Encode()}}, Records: []journal.Record{
		{Seq: 0, Kind: record.KindReceived, Data: w.Full()}, {Seq: 1, Kind: record.KindDone, Data: []byte{0x81}},
		{Seq: 1<<30 + 100, Kind: record.KindNote, Data: []byte{0xff}},
	}}
	c.Records = append(c.Records, r.commandNote(Fate{Message: 4}, &message{Number: 4, UUID: "u4"})...)
	if err := j.Writer().Commit(c); err != nil {
		t.Fatal(err)
	}
	for uuid, want := range map[string]uint64{"u1": 1, "u2": 2, "u4": 4, "u3": 0} {
		if got, seen, err := e.messagesSeen(t.Context(), 1, uuid); got != want || seen != (want != 0) || err != nil {
			t.Errorf("%s: got %d, %v, %v", uuid, got, seen, err)
		}
	}
}

// A mailbox that nobody empties has a bound; a command is taken all the same.
func TestMailboxIsBounded(t *testing.T) {
	t.Parallel()
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{}, j)
	if err != nil {
		t.Fatal(err)
	}
	r := e.newRun(j.NextRun(), header{id: "a"})
	for range mailbox.MaxMessages - 1 {
		r.inbox.Put(message{Number: r.inbox.Number(), Topic: "other"})
	}
	for i, m := range []message{{Topic: "x"}, {Topic: mailbox.TopicCommand}, {Topic: mailbox.TopicCommand, Word: isa88.Stop}, {Topic: mailbox.TopicEngine}} {
		_, err := r.deliver(j.Writer(), m)
		var p *Problem
		if full := errors.As(err, &p) && p.Code == Unavailable; full != (i == 1) || err != nil && !full {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

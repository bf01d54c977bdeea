package demo

import (
	"errors"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

func encoded(t *testing.T, v any) value.Raw {
	t.Helper()
	raw, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestProgress(t *testing.T) {
	t.Parallel()
	count := func(done, of any) any { return value.NewMap("done", done, "of", of) }
	for _, c := range []struct {
		extra       any
		line, drawn string
	}{
		{count(int64(1), int64(3)), "batch: 1/3\n", "\r[##########....................] 1/3 batch\x1b[K"},
		{count(int64(9), int64(3)), "batch: 3/3\n", "\r[##############################] 3/3 batch\x1b[K"},
		{count(int64(0), int64(0)), "batch\n", "batch\n"},
		{count("1", int64(3)), "batch\n", "batch\n"},
		{nil, "batch\n", "batch\n"},
	} {
		p := progressOf(encoded(t, value.NewMap("ts", 1.5, "message", "batch", "extra", c.extra)))
		var plain, terminal strings.Builder
		(&screen{out: &plain}).progress(p)
		(&screen{out: &terminal, terminal: true}).progress(p)
		if plain.String() != c.line || terminal.String() != c.drawn {
			t.Errorf("%v: got %q and %q", c.extra, plain.String(), terminal.String())
		}
	}
	if p := progressOf(encoded(t, "word")); p.message != "word" || p.of != 0 {
		t.Errorf("got %+v", p)
	}
}

// A line comes below a bar, not into it.
func TestLineBelowBar(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := screen{out: &out, terminal: true}
	s.progress(progress{message: "b", done: 1, of: 1})
	s.line("one")
	s.line("two")
	if !strings.HasSuffix(out.String(), "\x1b[K\none\ntwo\n") {
		t.Errorf("got %q", out.String())
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	yes := encoded(t, true)
	for _, c := range []struct {
		last, now engine.RunInfo
		want      string
	}{
		{engine.RunInfo{}, engine.RunInfo{ID: "r", State: isa88.Running}, ""},
		{engine.RunInfo{}, engine.RunInfo{ID: "r", State: isa88.Held}, "HELD\n"},
		{engine.RunInfo{ID: "r", State: isa88.Starting}, engine.RunInfo{ID: "r", State: isa88.Running}, ""},
		{engine.RunInfo{ID: "r", State: isa88.Held}, engine.RunInfo{ID: "r", State: isa88.Running}, "RUNNING\n"},
		{engine.RunInfo{ID: "r", State: isa88.Held}, engine.RunInfo{ID: "r", State: isa88.Held}, ""},
		{engine.RunInfo{ID: "r"}, engine.RunInfo{ID: "r", Status: engine.Success, State: isa88.Complete, Result: yes}, "SUCCESS, COMPLETE true\n"},
		{engine.RunInfo{ID: "r"}, engine.RunInfo{ID: "r", Status: engine.Error, State: isa88.Error, Error: &engine.RunError{Message: "no"}}, "ERROR, ERROR: no\n"},
		{engine.RunInfo{ID: "r", State: isa88.Held}, engine.RunInfo{ID: "r", State: isa88.Held, InDoubt: &engine.Doubt{Step: "tags.write", Tag: "a/b", Target: yes, Why: "It is off"}},
			"In doubt: tags.write wrote true to a/b, and was interrupted. It is off. Look at the plant, then: resolve r done, or retry, or fail\n"},
	} {
		var out strings.Builder
		(&screen{out: &out}).change(&c.last, &c.now)
		if out.String() != c.want {
			t.Errorf("%+v: got %q, want %q", c.now, out.String(), c.want)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestScreenKeepsFailure(t *testing.T) {
	t.Parallel()
	s := screen{out: broken{}}
	s.line("one")
	if s.failed == nil || s.failed.Error() != "the pipe is closed" {
		t.Errorf("got %v", s.failed)
	}
}

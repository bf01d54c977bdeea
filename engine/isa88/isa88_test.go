package isa88

import (
	"strings"
	"testing"
)

// The contract's table, word by word.
func TestTable(t *testing.T) {
	t.Parallel()
	states := []State{Idle, Starting, Running, Holding, Held, Resuming, Stopping, Stopped, Aborting, Aborted, Complete, Error}
	const live = "IDLE STARTING RUNNING HOLDING HELD RESUMING STOPPING ABORTING"
	for i, c := range []struct {
		word     Command
		priority int
		allowed  string
		next     State
		done     string
	}{
		{Abort, 4, live, Aborting, "STOPPED ABORTING ABORTED COMPLETE ERROR"},
		{Stop, 3, live, Stopping, "STOPPING STOPPED ABORTING ABORTED COMPLETE ERROR"},
		{Hold, 2, "STARTING RUNNING RESUMING", Holding, "HOLDING HELD"},
		{Resume, 1, "HELD", Resuming, "STARTING RUNNING RESUMING"},
		{Reset, 0, "STOPPED ERROR", Idle, "IDLE"},
	} {
		if Commands()[i] != c.word || c.word.Priority() != c.priority || c.word.Next(Running) != c.next {
			t.Errorf("%s has priority %d and leads to %s", c.word, c.word.Priority(), c.word.Next(Running))
		}
		var allowed, done []string
		for _, s := range states {
			if c.word.Allowed(s) {
				allowed = append(allowed, string(s))
			}
			if c.word.Done(s) {
				done = append(done, string(s))
			}
		}
		if got := strings.Join(allowed, " "); got != c.allowed {
			t.Errorf("%s is allowed in %s, want %s", c.word, got, c.allowed)
		}
		if got := strings.Join(done, " "); got != c.done {
			t.Errorf("%s is done in %s, want %s", c.word, got, c.done)
		}
		if p, err := Parse(strings.ToLower(string(c.word))); err != nil || p != c.word {
			t.Errorf("got %s, %v", p, err)
		}
	}
	for _, s := range states {
		if p, err := ParseState(string(s)); err != nil || p != s {
			t.Errorf("got %s, %v", p, err)
		}
		if s.Terminal() != strings.Contains("STOPPED ABORTED COMPLETE ERROR", string(s)) {
			t.Errorf("%s: terminal is %v", s, s.Terminal())
		}
	}
}

func TestUnknownWords(t *testing.T) {
	t.Parallel()
	if _, err := Parse("PAUSE"); err == nil || !strings.HasPrefix(err.Error(), `unknown command "PAUSE", allowed are ABORT`) {
		t.Errorf("got %v", err)
	}
	if _, err := ParseState("held"); err == nil {
		t.Error("a state in small letters was taken")
	}
	if c := Command("PAUSE"); c.Priority() != -1 || c.Allowed(Running) || c.Done(Running) || c.Next(Running) != Running {
		t.Errorf("%s has priority %d", c, c.Priority())
	}
}

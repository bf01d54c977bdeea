package engine_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/journal"
)

// Files that were not loaded are alarms, and the reason why what is not
// registered cannot be started; what is registered can.
func TestNotLoaded(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{}, waiter())
	defer b.shutdown()
	b.e.NotLoaded("a.star:3:5: first", "b.star:1:1: second (2 more faults)", "c.star: third", "d.star: fourth", "e.star: fifth")
	alarms := b.e.Health().Alarms
	if len(alarms) != 5 || alarms[1].Message != "workflow file not loaded: b.star:1:1: second (2 more faults)" || alarms[1].Run != "" || alarms[1].Since.IsZero() {
		t.Errorf("alarms are %+v", alarms)
	}
	_, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "waitr"})
	var p *engine.Problem
	if !errors.As(err, &p) || p.Code != engine.Refused {
		t.Fatalf("got %v", err)
	}
	want := "cannot start waitr: no file that was loaded has this workflow, and these were not loaded: " +
		"a.star:3:5: first; b.star:1:1: second (2 more faults); c.star: third; and 2 more files"
	if p.Message != want || !strings.Contains(p.Hint, "holdfast check") || strings.Contains(p.Hint, "waiter") {
		t.Errorf("got %s, hint %s\nwant %s", p.Message, p.Hint, want)
	}
	if id := b.start(engine.StartRequest{Workflow: "waiter"}); id == "" {
		t.Error("what was loaded cannot be started")
	}
	b.e.NotLoaded() // they are mended
	if _, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "waitr"}); !errors.As(err, &p) || p.Code != engine.NotFound || len(b.e.Health().Alarms) > 0 {
		t.Errorf("got %v, alarms %+v", err, b.e.Health().Alarms)
	}
}

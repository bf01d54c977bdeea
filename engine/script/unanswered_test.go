package script

import (
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// unanswered makes each tags.write one that is sent and not answered.
func unanswered(f *Front) {
	for _, s := range f.builtin {
		if s.name == "tags.write" {
			s.step.(*effectStep).run = func(*plant, engine.Args) (any, error) {
				return nil, &engine.StepError{Type: "OutcomeUnknown", Message: "sent and not answered", Unknown: true, Doubt: &engine.Doubt{Tag: "line/start", Why: "not answered"}}
			}
		}
	}
}

// A write that is sent and not answered holds the run with a question, wherever
// in the script it is called, unless attempt catches it.
func TestUnansweredWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, src string
		asked     bool
		result    string
	}{
		{"plain", "@workflow\ndef w():\n    return tags.write(\"line/start\", 1)\n", true, ""},
		{"in a helper", "def h():\n    return tags.write(\"line/start\", 1)\n@workflow\ndef w():\n    return h()\n", true, ""},
		{"behind an attempt", "@workflow\ndef w():\n    attempt(fail, \"x\")\n    return tags.write(\"line/start\", 1)\n", true, ""},
		{"in a step", "@step\ndef mine():\n    return tags.write(\"line/start\", 1)\n@workflow\ndef w():\n    return mine()\n", true, ""},
		{"caught", "@workflow\ndef w():\n    return attempt(tags.write, \"line/start\", 1).error.type\n", false, `"OutcomeUnknown"`},
		{"caught further out", "def h():\n    return tags.write(\"line/start\", 1)\n@workflow\ndef w():\n    return attempt(h).error.type\n", false, `"OutcomeUnknown"`},
		{"step caught", "@step\ndef mine():\n    return tags.write(\"line/start\", 1)\n@workflow\ndef w():\n    return attempt(mine).error.type\n", false, `"OutcomeUnknown"`},
		{"caught in a step", "@step\ndef mine():\n    return attempt(tags.write, \"line/start\", 1).error.type\n@workflow\ndef w():\n    return mine()\n", false, `"OutcomeUnknown"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant()
			f := p.front(t, Options{})
			unanswered(f)
			b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": c.src})...)
			id := b.start("w")
			got := b.await(id, func(i engine.RunInfo) bool { return i.Status.Ended() || i.State == isa88.Held })
			if asked := got.InDoubt != nil; asked != c.asked {
				t.Fatalf("run is %+v, %v", got, got.Error)
			}
			if !c.asked {
				if r := shown(t, got.Result); r != c.result {
					t.Errorf("result is %s", r)
				}
				return
			}
			given, err := value.Encode("by hand")
			if err != nil {
				t.Fatal(err)
			}
			if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done", Value: given}); err != nil {
				t.Fatal(err)
			}
			if r := shown(t, b.result(id).Result); r != `"by hand"` || p.count("tags.write") != 1 {
				t.Errorf("result is %s, after %d writes", r, p.count("tags.write"))
			}
		})
	}
}

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"holdfast/engine"
	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
)

// TestErrorsAndExitCodes is the whole way of a failure: what the engine or the
// gateway says, as HTTP says it, and the exit code that comes of it.
func TestErrorsAndExitCodes(t *testing.T) {
	t.Parallel()
	problem := func(c engine.Code) error {
		return fmt.Errorf("wrapped: %w", &engine.Problem{Code: c, Message: "m", Hint: "h"})
	}
	refusal := func(r tag.Reason) error {
		return fmt.Errorf("wrapped: %w", &tag.Refusal{Path: "a/b", Reason: r, Message: "m"})
	}
	for _, c := range []struct {
		err          error
		status, exit int
		hint         bool
	}{
		{problem(engine.BadRequest), 400, 2, true},
		{problem(engine.NotFound), 404, 4, true},
		{problem(engine.Refused), 409, 5, true},
		{problem(engine.Unavailable), 503, 75, true},
		{problem(0), 500, 1, true},
		{refusal(tag.NoSuchTag), 404, 4, true},
		{refusal(tag.NotWritable), 409, 5, true},
		{refusal(tag.BadValue), 400, 2, false},
		{refusal(tag.Guarded), 409, 5, false},
		{refusal(0), 500, 1, false},
		{tag.ErrNotConnected, 503, 75, false},
		{context.DeadlineExceeded, 503, 75, false},
		{context.Canceled, 503, 75, false},
		{errStopping, 503, 75, true},
		{errors.New("other"), 500, 1, false},
	} {
		e := tell(c.err)
		if k := e.Code.Kind(); k.Status != c.status || k.Exit != c.exit || (e.Hint != "") != c.hint || e.ExitCode() != c.exit {
			t.Errorf("%v became %+v, status %d, exit code %d", c.err, e, k.Status, k.Exit)
		}
	}
	if k := wire.Code("from a later version").Kind(); k.Exit != 1 {
		t.Errorf("an unknown code ends with %d", k.Exit)
	}
	seen := map[int]bool{}
	for _, k := range wire.Kinds() {
		if seen[k.Exit] || k.Status != 0 && seen[k.Status] {
			t.Errorf("the line of %s is not unique", k.Code)
		}
		seen[k.Exit], seen[k.Status] = true, true
	}
}

// TestWritesOfLinks holds which rejections say "try again".
func TestWritesOfLinks(t *testing.T) {
	t.Parallel()
	for code, want := range map[tag.StatusCode]bool{
		tag.BadNoCommunication: true, tag.BadNotConnected: true, tag.BadShutdown: true,
		tag.BadOutOfRange: false, tag.BadNotWritable: false, tag.BadUserAccessDenied: false, tag.Good: false,
	} {
		if ofLink(code) != want {
			t.Errorf("%s: %v", code, !want)
		}
	}
}

// TestRoutesHaveAccess holds that nothing that acts can be done by a viewer.
func TestRoutesHaveAccess(t *testing.T) {
	t.Parallel()
	for _, rt := range New(Config{}).list() {
		if acts := rt.method != "GET" && rt.path != fatesPath; acts != (rt.access > viewer) {
			t.Errorf("%s %s takes %s", rt.method, rt.path, rt.access)
		}
	}
}

// FuzzDecode: a request that is read is strict, and means what it says: written
// out and read again, it is the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"workflow": "w", "inputs": {"a": [1, 2.5, null]}, "id": "x", "dedup_id": "", "timeout_ms": 5, "queue": "", "partition": "", "priority": -1}`,
		`{"workflow": "w", "WORKFLOW": "v"}`, `{"inputs": 1e400}`, `{"a": {"a": 1, "a": 2}}`, `[]`, `{}`, `{"id": "\ud800"}`, "{\"id\": \"\xff\"}", `{"inputs":"\u0000"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second wire.Start
		err := (&request{body: body}).decode(&first)
		if err != nil {
			if tell(err).Code != wire.BadRequest {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&request{body: again}).decode(&second); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		third, err := json.Marshal(second)
		if err != nil || string(again) != string(third) {
			t.Fatalf("%s became %s, %v", again, third, err)
		}
	})
}

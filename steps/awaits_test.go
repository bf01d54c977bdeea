package steps

import (
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/gateway/tag"
)

// A step says what it waits for, and until when.
func TestAwaits(t *testing.T) {
	t.Parallel()
	tags := newPlant(writable("filler/valve", tag.TypeInt16))
	began := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		step  string
		args  []any
		what  string
		until time.Duration // behind began; 0: not known
	}{
		{"wait.until_tag_equals", []any{"path", "filler/valve", "expected", true, "timeout_ms", int64(600_000)}, "filler/valve", 10 * time.Minute},
		{"wait.until_tag_equals", []any{"path", "filler/valve", "expected", true, "timeout_ms", "long"}, "filler/valve", 0},
		{"sleep.sleep_ms", []any{"ms", int64(2000)}, "", 2 * time.Second},
		{"sleep.sleep_chunked", []any{"total_ms", int64(3000)}, "", 3 * time.Second},
		{"tags.write", []any{"path", "filler/valve", "value", int64(1)}, "filler/valve", 0},
		{"tags.write_confirm", []any{"path", "filler/valve", "value", int64(1)}, "filler/valve", 10 * time.Second},
		{"tags.write_confirm", []any{"path", "filler/valve", "value", int64(1), "confirm_path", "filler/state"}, "filler/state", 10 * time.Second},
	} {
		all := append(append(TagSteps(tags, time.Minute), WaitSteps(tags)...), SleepSteps()...)
		step := named(t, all, c.step)
		a := call(t, step, c.args...)
		a.Began = began
		what, until := step.(engine.Awaiter).Awaits(a)
		want := began.Add(c.until)
		if c.until == 0 {
			want = time.Time{}
		}
		if what != c.what || !until.Equal(want) {
			t.Errorf("%s waits for %q until %v, want %q until %v", c.step, what, until, c.what, want)
		}
	}
}

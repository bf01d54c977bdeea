package steps

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
)

func TestSleep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step string
		args []any
		gone time.Duration // since the sleep began, before a restart
		want string
		took time.Duration
	}{
		{step: "sleep.sleep_chunked", args: []any{"total_ms", int64(500)}, want: `{"slept_ms":500,"chunks":2,"chunk_ms":250}`, took: 500 * time.Millisecond},
		{step: "sleep.sleep_chunked", args: []any{"total_ms", int64(501), "chunk_ms", int64(100)}, want: `{"slept_ms":501,"chunks":6,"chunk_ms":100}`, took: 501 * time.Millisecond},
		{step: "sleep.sleep_chunked", args: []any{"total_ms", int64(0)}, want: `{"slept_ms":0,"chunks":0,"chunk_ms":250}`},
		{step: "sleep.sleep_ms", args: []any{"ms", 1.5}, want: `{"slept_ms":1.5}`, took: 1500 * time.Microsecond},
		{step: "sleep.sleep_ms", args: []any{"ms", int64(60000)}, gone: 45 * time.Second, want: `{"slept_ms":60000}`, took: 15 * time.Second},
		{step: "sleep.sleep_ms", args: []any{"ms", int64(60000)}, gone: time.Hour, want: `{"slept_ms":60000}`},
		{step: "sleep.sleep_ms", args: []any{"ms", int64(60000)}, gone: -time.Hour, want: `{"slept_ms":60000}`, took: time.Minute},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := named(t, SleepSteps(), c.step)
				a := call(t, s, c.args...)
				begin := time.Now()
				a.Began = begin.Add(-c.gone)
				res, err := s.Run(t.Context(), a)
				shows(t, res, err, c.want)
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if w := s.(engine.Waiter).Waits(a); c.gone == 0 && w != c.took {
					t.Errorf("it says it waits %v", w)
				}
			})
		})
	}
}

func TestSleepCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the run was cancelled")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(70*time.Millisecond, func() { cancel(why) })
		s := named(t, SleepSteps(), "sleep.sleep_chunked")
		begin := time.Now()
		_, err := s.Run(ctx, call(t, s, "total_ms", int64(3600000)))
		if !errors.Is(err, why) || time.Since(begin) != 70*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
	})
}

func TestSleepBadArguments(t *testing.T) {
	t.Parallel()
	s := named(t, SleepSteps(), "sleep.sleep_chunked")
	for message, args := range map[string][]any{
		"total_ms is -5, not a number of milliseconds, 0 or more": {"total_ms", int64(-5)},
		"chunk_ms is 0, not a number of milliseconds above 0":     {"total_ms", int64(5), "chunk_ms", int64(0)},
		`chunk_ms is "a", not a number of milliseconds`:           {"total_ms", int64(5), "chunk_ms", "a"},
	} {
		a := call(t, s, args...)
		_, err := s.Run(t.Context(), a)
		fails(t, err, "BadArgument", message)
	}
	if w := s.(engine.Waiter).Waits(call(t, s, "total_ms", "long")); w != 0 {
		t.Errorf("a wrong time waits %v", w)
	}
}

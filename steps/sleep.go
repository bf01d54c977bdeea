package steps

import (
	"context"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
)

// SleepSteps returns sleep.sleep_chunked and sleep.sleep_ms. Both end at once
// when cancelled, and sleep what is left after a restart.
func SleepSteps() []engine.Step {
	return []engine.Step{
		&sleepStep{described{"sleep.sleep_chunked", []engine.Param{required("total_ms"), optional("chunk_ms", int64(250))}}, "total_ms", true},
		&sleepStep{described{"sleep.sleep_ms", []engine.Param{required("ms")}}, "ms", false},
	}
}

// sleepStep is a sleep. Chunks are only counted: one timer does, as a sleep
// ends at once anyway when its context does.
type sleepStep struct {
	described
	length  string // the parameter that says how long
	chunked bool
}

// Waits returns the whole length of the sleep.
func (s sleepStep) Waits(a engine.Args) time.Duration { return waits(a, s.length) }

// Run returns {"slept_ms"}, and "chunks" and "chunk_ms" of a chunked sleep.
func (s sleepStep) Run(ctx context.Context, a engine.Args) (any, error) {
	whole, err := a.Millis(s.length)
	if err != nil {
		return nil, err
	}
	res := value.NewMap("slept_ms", a.Value(s.length))
	if s.chunked {
		chunk, err := a.Millis("chunk_ms")
		if err != nil {
			return nil, err
		}
		if chunk == 0 {
			return nil, engine.Errorf("BadArgument", "chunk_ms is 0, not a number of milliseconds above 0")
		}
		chunks := whole / chunk
		if whole%chunk > 0 {
			chunks++
		}
		res.Set("chunks", int64(chunks))
		res.Set("chunk_ms", a.Value("chunk_ms"))
	}
	t := time.NewTimer(whole - max(time.Since(a.Began), 0)) // the clock may have been set back
	defer t.Stop()
	select {
	case <-t.C:
		return res, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

package steps

import (
	"time"

	"holdfast/engine"
)

// Awaits returns the tag, and the end of timeout_ms.
func (u untilStep) Awaits(a engine.Args) (what string, until time.Time) {
	what, _ = a.Value("path").(string)
	return what, within(a, "timeout_ms")
}

// Awaits returns the end of the sleep.
func (s sleepStep) Awaits(a engine.Args) (what string, until time.Time) {
	return "", within(a, s.length)
}

// Awaits returns the tag that is to confirm the write, and the end of timeout_ms.
func (c confirmStep) Awaits(a engine.Args) (what string, until time.Time) {
	what, _ = a.Value("path").(string)
	if path, ok := a.Value("confirm_path").(string); ok {
		what = path
	}
	return what, within(a, "timeout_ms")
}

// Awaits returns the tag.
func (w writeStep) Awaits(a engine.Args) (what string, until time.Time) {
	what, _ = a.Value("path").(string)
	return what, time.Time{}
}

// within returns when a time is over that a parameter gives; the zero time for none.
func within(a engine.Args, name string) time.Time {
	d, err := a.Millis(name)
	if err != nil {
		return time.Time{}
	}
	return a.Began.Add(d)
}

package engine

import (
	"time"

	"holdfast/engine/value"
)

// Value returns an argument as it is; nil if it was not given.
func (a Args) Value(name string) any {
	v, _ := a.Values.Get(name)
	return v
}

// String returns a text argument. The error is a StepError of type BadArgument.
func (a Args) String(name string) (string, error) {
	if s, ok := a.Value(name).(string); ok {
		return s, nil
	}
	return "", a.bad(name, "a string")
}

// Int returns a whole-number argument; a float that is whole counts.
func (a Args) Int(name string) (int64, error) {
	switch v := a.Value(name).(type) {
	case int64:
		return v, nil
	case float64:
		if n := int64(v); float64(n) == v && v >= -1<<53 && v <= 1<<53 {
			return n, nil
		}
	}
	return 0, a.bad(name, "a whole number")
}

// Millis returns an argument in milliseconds as a duration. It must not be
// negative, nor more than a hundred years.
func (a Args) Millis(name string) (time.Duration, error) {
	const most = 100 * 365 * 24 * time.Hour
	var ms float64
	switch v := a.Value(name).(type) {
	case int64:
		ms = float64(v)
	case float64:
		ms = v
	default:
		return 0, a.bad(name, "a number of milliseconds")
	}
	if !(ms >= 0 && ms <= float64(most/time.Millisecond)) {
		return 0, a.bad(name, "a number of milliseconds, 0 or more")
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}

// Map returns a dict argument; nil for None.
func (a Args) Map(name string) (*value.Map, error) {
	switch v := a.Value(name).(type) {
	case nil:
		return nil, nil
	case *value.Map:
		return v, nil
	}
	return nil, a.bad(name, "a dict")
}

func (a Args) bad(name, want string) error {
	return Errorf("BadArgument", "%s is %s, not %s", name, value.Short(a.Value(name), 80), want)
}

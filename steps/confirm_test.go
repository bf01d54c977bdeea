package steps

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/gateway/tag"
)

// line is a valve with a feedback of its own.
func line() *plant {
	return newPlant(writable("valve", tag.TypeBool), tag.Info{Path: "valve_open", Type: tag.TypeBool})
}

// later changes a tag after a while of the bubble's clock.
func later(p *plant, after time.Duration, path tag.Path, v tag.Value, status tag.StatusCode) {
	go func() {
		<-time.After(after)
		p.put(path, v, status)
	}()
}

func TestConfirmAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(writable("sp", tag.TypeFloat32))
		confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
		begin := time.Now()
		res, err := attempt(t, t.Context(), confirm, call(t, confirm, "path", "sp", "value", 0.1))
		shows(t, res, err, `{"ok":true,"confirmed":true,"write_quality":"Good"}`)
		if time.Since(begin) != 0 {
			t.Errorf("it took %v", time.Since(begin))
		}
	})
}

// The confirmation wakes on the sample, not on the poll.
func TestConfirmByFeedback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := line()
		p.put("valve_open", tag.Bool(false), tag.Good)
		confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
		later(p, 1234*time.Millisecond, "valve_open", tag.Bool(true), tag.Good)
		begin := time.Now()
		res, err := attempt(t, t.Context(), confirm, call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open"))
		shows(t, res, err, `{"ok":true,"confirmed":true,"write_quality":"Good"}`)
		if took := time.Since(begin); took != 1234*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestConfirmRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := line()
		p.put("valve_open", tag.Bool(false), tag.Good)
		confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
		begin := time.Now()
		res, err := attempt(t, t.Context(), confirm, call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open", "timeout_ms", int64(3000)))
		shows(t, res, err, `{"ok":false,"confirmed":false,"write_quality":"Good","timeout_ms":3000}`)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A sample from before the write confirms nothing, also if it comes after it.
func TestConfirmIgnoresOlderSamples(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := line()
		p.put("valve_open", tag.Bool(true), tag.Good) // of the cycle before
		p.onWrite = func(tag.Path, tag.Value) *tag.Outcome {
			old := tag.Update{Path: "valve_open", Sample: p.sample("valve_open"), Asked: time.Now()}
			p.quietly("valve_open", tag.Bool(false), tag.Good)
			time.AfterFunc(10*time.Millisecond, func() { // it comes late
				p.mu.Lock()
				defer p.mu.Unlock()
				for _, w := range p.watches {
					w.put(old)
				}
			})
			<-time.After(5 * time.Millisecond)
			return &tag.Outcome{Result: tag.Accepted}
		}
		confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
		res, err := attempt(t, t.Context(), confirm, call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open", "timeout_ms", int64(1000)))
		shows(t, res, err, `{"ok":false,"confirmed":false,"write_quality":"Good","timeout_ms":1000}`)
	})
}

// A write that was not answered is done if the tag proves it.
func TestConfirmOfUnanswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		kind   tag.WriteKind
		before int64
		lands  bool
		want   string // "" is OutcomeUnknown
	}{
		{"it took effect", tag.Set, 4, true, `{"ok":true,"confirmed":true,"write_quality":"Good"}`},
		{"it did not", tag.Set, 4, false, ""},
		{"a pulse took effect", tag.Pulse, 4, true, `{"ok":true,"confirmed":true,"write_quality":"Good"}`},
		{"a pulse proves nothing", tag.Pulse, 5, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				info := writable("sp", tag.TypeInt16)
				info.Kind = c.kind
				p := newPlant(info)
				p.put("sp", tag.Int(c.before), tag.Good)
				p.onWrite = func(path tag.Path, v tag.Value) *tag.Outcome {
					p.set(path, tag.None(), tag.BadNoCommunication) // the link is down for two seconds
					back := tag.Int(c.before)
					if c.lands {
						back = v
					}
					later(p, 2*time.Second, path, back, tag.Good)
					return &tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}
				}
				confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
				res, err := attempt(t, t.Context(), confirm, call(t, confirm, "path", "sp", "value", int64(5)))
				if c.want != "" {
					shows(t, res, err, c.want)
					return
				}
				if e := fails(t, err, "OutcomeUnknown", ""); !e.Unknown {
					t.Error("the engine would not ask for evidence")
				}
			})
		})
	}
}

// After a restart the confirmation has what is left of its time, and one poll at least.
func TestConfirmRecovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		age     time.Duration
		opens   time.Duration // when the feedback comes; 0: never
		want    string
		expires time.Duration
	}{
		{"in time", 4 * time.Second, 2 * time.Second, `{"ok":true,"confirmed":true,"write_quality":"Good"}`, 2 * time.Second},
		{"what is left", 4 * time.Second, 0, `{"ok":false,"confirmed":false,"write_quality":"Good","timeout_ms":10000}`, 6 * time.Second},
		{"one poll", time.Hour, 0, `{"ok":false,"confirmed":false,"write_quality":"Good","timeout_ms":10000}`, 250 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := line()
				p.put("valve", tag.Bool(true), tag.Good)
				p.put("valve_open", tag.Bool(false), tag.Good)
				if c.opens > 0 {
					later(p, c.opens, "valve_open", tag.Bool(true), tag.Good)
				}
				confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
				a := call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open")
				a.Prepared = record(t, false, "Good", c.age)
				begin := time.Now()
				r, err := confirm.(engine.Recoverer).Recover(t.Context(), a)
				if r.Verdict != engine.Done {
					t.Fatalf("got %+v, %v", r, err)
				}
				shows(t, r.Result, err, c.want)
				if took := time.Since(begin); took != c.expires {
					t.Errorf("it took %v, want %v", took, c.expires)
				}
			})
		})
	}
}

func TestConfirmPathGone(t *testing.T) {
	t.Parallel()
	p := newPlant(writable("valve", tag.TypeBool))
	p.put("valve", tag.Bool(true), tag.Good)
	confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
	a := call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open")
	_, err := confirm.(engine.Preparer).Prepare(t.Context(), a)
	fails(t, err, "NoSuchTag", "valve_open: no such tag is configured")
	r, err := confirm.(engine.Recoverer).Recover(t.Context(), a)
	if err != nil || r.Verdict != engine.Failed {
		t.Fatalf("got %+v, %v", r, err)
	}
	fails(t, r.Err, "NoSuchTag", "valve_open: no such tag is configured")
}

func TestConfirmCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := line()
		why := errors.New("the run was cancelled")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(700*time.Millisecond, func() { cancel(why) })
		confirm := named(t, TagSteps(p, minute), "tags.write_confirm")
		begin := time.Now()
		_, err := attempt(t, ctx, confirm, call(t, confirm, "path", "valve", "value", true, "confirm_path", "valve_open"))
		if !errors.Is(err, why) || time.Since(begin) != 700*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
	})
}

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

func TestUntil(t *testing.T) {
	t.Parallel()
	type change struct {
		after  time.Duration
		value  tag.Value
		status tag.StatusCode
	}
	ms := time.Millisecond
	for _, c := range []struct {
		name     string
		first    tag.Value
		expected any
		args     []any
		changes  []change
		want     string
		took     time.Duration
	}{
		{name: "holds already", first: tag.Int(1), expected: 1.0, want: `{"ok":true,"value":1,"quality":"Good"}`},
		{name: "wakes on the sample", first: tag.Int(0), expected: int64(3), changes: []change{{1111 * ms, tag.Int(3), tag.Good}},
			want: `{"ok":true,"value":3,"quality":"Good"}`, took: 1111 * ms},
		{name: "runs out", first: tag.Int(0), expected: int64(3), args: []any{"timeout_ms", int64(2000)}, changes: []change{{999 * ms, tag.Int(2), tag.Good}},
			want: `{"ok":false,"value":2,"quality":"Good","timeout_ms":2000}`, took: 2000 * ms},
		{name: "uncertain will do", first: tag.Int(0), expected: int64(3), changes: []change{{5 * ms, tag.Int(3), tag.Uncertain}},
			want: `{"ok":true,"value":3,"quality":"Uncertain"}`, took: 5 * ms},
		{name: "bad equals nothing", first: tag.Int(0), expected: nil, args: []any{"timeout_ms", int64(100)}, changes: []change{{50 * ms, tag.None(), tag.BadNoCommunication}},
			want: `{"ok":false,"value":null,"quality":"BadNoCommunication","timeout_ms":100}`, took: 100 * ms},
		{name: "a bool is no number", first: tag.Bool(true), expected: int64(1), args: []any{"timeout_ms", 100.0},
			want: `{"ok":false,"value":true,"quality":"Good","timeout_ms":100.0}`, took: 100 * ms},
		{name: "no time at all asks once", first: tag.Int(3), expected: int64(3), args: []any{"timeout_ms", int64(0)}, want: `{"ok":true,"value":3,"quality":"Good"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(tag.Info{Path: "pv"})
				p.put("pv", c.first, tag.Good)
				until := WaitSteps(p)[0]
				for _, ch := range c.changes {
					later(p, ch.after, "pv", ch.value, ch.status)
				}
				begin := time.Now()
				a := call(t, until, append([]any{"path", "pv", "expected", c.expected}, c.args...)...)
				res, err := until.Run(t.Context(), a)
				shows(t, res, err, c.want)
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				synctest.Wait()
				if len(p.watches) != 0 {
					t.Error("the watch is still there")
				}
			})
		})
	}
}

// A sample that may be from before the wait does not end it, but has the device
// asked at once.
func TestUntilToldLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		has  tag.Value // the device
		want string
		took time.Duration
	}{
		{"it is so", tag.Int(3), `{"ok":true,"value":3,"quality":"Good"}`, 100 * time.Millisecond},
		{"it was so", tag.Int(4), `{"ok":false,"value":4,"quality":"Good","timeout_ms":1000}`, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(tag.Info{Path: "pv"})
				until := WaitSteps(p)[0]
				begin := time.Now()
				time.AfterFunc(100*time.Millisecond, func() {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.quietly("pv", tag.Int(3), tag.Good)
					told := tag.Update{Path: "pv", Sample: p.sample("pv"), Asked: begin.Add(-time.Millisecond)}
					p.quietly("pv", c.has, tag.Good)
					p.watches[0].put(told)
				})
				res, err := until.Run(t.Context(), call(t, until, "path", "pv", "expected", int64(3), "timeout_ms", int64(1000)))
				shows(t, res, err, c.want)
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
}

// What a deadband keeps from being shown is what a wait goes by.
func TestUntilWithinDeadband(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		shown, own tag.Value
		want       string
	}{
		{"it is there", tag.Float(50), tag.Float(50.4), `{"ok":true,"value":50.4,"quality":"Good"}`},
		{"it is gone", tag.Float(50.4), tag.Float(50), `{"ok":false,"value":50.0,"quality":"Good","timeout_ms":1000}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(tag.Info{Path: "pv"})
				until := WaitSteps(p)[0]
				time.AfterFunc(100*time.Millisecond, func() {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.quietly("pv", c.own, tag.Good)
					u := tag.Update{Path: "pv", Sample: p.sample("pv"), Own: c.own, Asked: time.Now()}
					u.Sample.Value = c.shown
					p.watches[0].put(u)
				})
				res, err := until.Run(t.Context(), call(t, until, "path", "pv", "expected", 50.4, "timeout_ms", int64(1000)))
				shows(t, res, err, c.want)
			})
		})
	}
}

// A change that no scan tells of is found by asking, every poll_ms.
func TestUntilAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(tag.Info{Path: "pv"})
		p.latency = 30 * time.Millisecond
		go func() {
			<-time.After(time.Second)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.quietly("pv", tag.Int(3), tag.Good)
		}()
		until := WaitSteps(p)[0]
		begin := time.Now()
		res, err := until.Run(t.Context(), call(t, until, "path", "pv", "expected", int64(3), "poll_ms", int64(200)))
		shows(t, res, err, `{"ok":true,"value":3,"quality":"Good"}`)
		for i, at := range p.reads {
			if want := time.Duration(i) * 230 * time.Millisecond; at.Sub(begin) != want {
				t.Errorf("question %d after %v, want %v", i, at.Sub(begin), want)
			}
		}
		if len(p.reads) != 6 || time.Since(begin) != 5*230*time.Millisecond+30*time.Millisecond {
			t.Errorf("%d questions, %v", len(p.reads), time.Since(begin))
		}
	})
}

// While samples come by themselves nothing is asked, and a device that hangs
// in an answer does not keep the wait from seeing them.
func TestUntilBesideHangingRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(tag.Info{Path: "pv"})
		p.latency = time.Hour
		for i := range 8 {
			later(p, time.Duration(i+1)*100*time.Millisecond, "pv", tag.Int(int64(i)), tag.Good)
		}
		until := WaitSteps(p)[0]
		begin := time.Now()
		res, err := until.Run(t.Context(), call(t, until, "path", "pv", "expected", int64(7), "poll_ms", int64(250)))
		shows(t, res, err, `{"ok":true,"value":7,"quality":"Good"}`)
		if time.Since(begin) != 800*time.Millisecond || len(p.reads) != 1 {
			t.Errorf("it took %v and %d questions", time.Since(begin), len(p.reads))
		}
	})
}

func TestUntilNothingSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(tag.Info{Path: "pv"})
		p.latency = time.Hour
		until := WaitSteps(p)[0]
		res, err := until.Run(t.Context(), call(t, until, "path", "pv", "expected", int64(7), "timeout_ms", int64(500)))
		shows(t, res, err, `{"ok":false,"value":null,"quality":"BadTimeout","timeout_ms":500}`)
	})
}

// A restart does not begin the time anew.
func TestUntilAfterRestart(t *testing.T) {
	t.Parallel()
	for gone, want := range map[time.Duration]time.Duration{
		4 * time.Second: 6 * time.Second,
		time.Hour:       250 * time.Millisecond,
		-time.Hour:      10 * time.Second, // the clock was set back
	} {
		t.Run(gone.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(tag.Info{Path: "pv"})
				until := WaitSteps(p)[0]
				a := call(t, until, "path", "pv", "expected", int64(7))
				if until.(engine.Waiter).Waits(a) != 10*time.Second {
					t.Error("it does not say how long it waits")
				}
				begin := time.Now()
				a.Began = begin.Add(-gone)
				res, err := until.Run(t.Context(), a)
				shows(t, res, err, `{"ok":false,"value":0,"quality":"Good","timeout_ms":10000}`)
				if took := time.Since(begin); took != want {
					t.Errorf("it took %v, want %v", took, want)
				}
			})
		})
	}
}

func TestUntilCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(tag.Info{Path: "pv"})
		why := errors.New("the run was cancelled")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(333*time.Millisecond, func() { cancel(why) })
		until := WaitSteps(p)[0]
		begin := time.Now()
		_, err := until.Run(ctx, call(t, until, "path", "pv", "expected", int64(7)))
		if !errors.Is(err, why) || time.Since(begin) != 333*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
	})
}

func TestUntilBadArguments(t *testing.T) {
	t.Parallel()
	p := newPlant(tag.Info{Path: "pv"})
	until := WaitSteps(p)[0]
	for _, c := range []struct {
		kind, message string
		args          []any
	}{
		{"NoSuchTag", "xx: no such tag is configured", []any{"path", "xx", "expected", true}},
		{"BadArgument", "timeout_ms is -1, not a number of milliseconds, 0 or more", []any{"path", "pv", "expected", true, "timeout_ms", int64(-1)}},
		{"BadArgument", "poll_ms is 0, not a number of milliseconds above 0", []any{"path", "pv", "expected", true, "poll_ms", int64(0)}},
		{"BadArgument", `poll_ms is "x", not a number of milliseconds`, []any{"path", "pv", "expected", true, "poll_ms", "x"}},
	} {
		_, err := until.Run(t.Context(), call(t, until, c.args...))
		fails(t, err, c.kind, c.message)
	}
}

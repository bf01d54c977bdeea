package steps

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// record is what the journal has of an attempt that began age ago.
func record(t *testing.T, before any, quality string, age time.Duration) any {
	t.Helper()
	return recode(t, value.NewMap("value", before, "quality", quality, "at", stamp(time.Now().Add(-age))))
}

// TestRecoverTable holds promise 3 of the authoring contract against every
// kind of tag, value before, value now and age of the intent.
func TestRecoverTable(t *testing.T) {
	t.Parallel()
	const target, other, third = int64(5), int64(4), int64(9)
	type before struct {
		name    string
		value   any
		quality string
	}
	cases := 0
	for _, kind := range []tag.WriteKind{tag.Set, tag.Pulse, tag.Toggle, tag.Increment} {
		for _, b := range []before{{"target", target, "Good"}, {"other", other, "Good"}, {"unreadable", nil, "BadNoCommunication"}, {"uncertain", other, "UncertainLastUsableValue"}} {
			for _, now := range []any{target, other, third, nil} {
				for _, age := range []time.Duration{0, 59 * time.Second, 60 * time.Second, time.Hour, -time.Minute} {
					cases++
					want := engine.InDoubt
					switch {
					case now == any(target) && kind == tag.Set:
						want = engine.Done
					case now == any(target) && b.name == "other":
						want = engine.Done
					case now == any(other) && b.name == "other" && kind == tag.Set && age >= 0 && age < minute:
						want = engine.Again
					}
					t.Run(fmt.Sprintf("%s/%s/%v/%v", kind, b.name, now, age), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							info := writable("sp", tag.TypeInt16)
							info.Kind = kind
							p := newPlant(info)
							if now == nil {
								p.put("sp", tag.None(), tag.BadNoCommunication)
							} else {
								p.put("sp", tag.Int(now.(int64)), tag.Good)
							}
							write := named(t, TagSteps(p, minute), "tags.write")
							a := call(t, write, "path", "sp", "value", target)
							a.Prepared = record(t, b.value, b.quality, age)
							r, err := write.(engine.Recoverer).Recover(t.Context(), a)
							if err != nil {
								t.Fatal(err)
							}
							if r.Verdict != want {
								t.Fatalf("verdict %d, want %d: %s", r.Verdict, want, r.Doubt.Why)
							}
							switch want {
							case engine.Done:
								shows(t, r.Result, nil, `{"quality":"Good","outcome":"confirmed"}`)
							case engine.InDoubt:
								if !strings.HasPrefix(r.Doubt.Why, "sp ") || r.Doubt.Tag != "sp" || r.Doubt.Step != "tags.write" {
									t.Errorf("doubt %+v", r.Doubt)
								}
								shows(t, r.Doubt.Target, nil, "5")
								res, err := value.Decode(r.Doubt.Now)
								if err != nil || res != now {
									t.Errorf("now is %v, %v", res, err)
								}
							}
						})
					})
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// A device that says its own type may hold a double, and then the value before
// can be what the target would be in single precision: that is no proof that
// the write was done.
func TestRecoverRoundedIsNoProof(t *testing.T) {
	t.Parallel()
	single := float64(float32(0.1))
	for _, c := range []struct {
		name                string
		before, now, target tag.Value
		want                engine.Verdict
	}{
		{"a double as before", tag.Float(1e6), tag.Float(1e6), tag.Float(1000000.03), engine.Again},
		{"in a list as before", tag.List([]tag.Value{tag.Float(1e6)}), tag.List([]tag.Value{tag.Float(1e6)}), tag.List([]tag.Value{tag.Float(1000000.03)}), engine.Again},
		{"whole, as before", tag.Float(20000000), tag.Float(20000000), tag.Int(20000001), engine.Again},
		{"a single that changed", tag.Float(0), tag.Float(single), tag.Float(0.1), engine.Done},
		{"the target itself as before", tag.Float(0.1), tag.Float(0.1), tag.Float(0.1), engine.Done},
	} {
		e := evidence{goal: goal{writable("sp", tag.TypeAny), c.target}, before: preimage{value: c.before, known: true},
			now: tag.Sample{Value: c.now}, staleAfter: minute}
		if got, why := e.judge(); got != c.want {
			t.Errorf("%s: verdict %d, want %d: %s", c.name, got, c.want, why)
		}
	}
}

// The words that an operator is asked with.
func TestDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := func(v int64) tag.Sample { return tag.Sample{Value: tag.Int(v)} }
		known := func(v int64) preimage { return preimage{value: tag.Int(v), known: true} }
		for _, c := range []struct {
			kind     tag.WriteKind
			readOnly bool
			before   preimage
			now      tag.Sample
			age      time.Duration
			why      string
		}{
			{before: known(4), now: tag.BadSample(tag.BadNoCommunication, time.Now()), why: "sp cannot be read: BadNoCommunication"},
			{before: known(4), now: tag.Sample{Value: tag.Int(5), Status: tag.Uncertain}, why: "sp cannot be read: Uncertain"},
			{kind: tag.Pulse, now: good(5), why: "sp holds the target 5, but what it held before is not known, so that proves nothing of a tag of kind pulse"},
			{kind: tag.Increment, before: known(5), now: good(5), why: "sp holds the target 5, but so it did before, which proves nothing of a tag of kind increment"},
			{now: good(4), why: "sp holds 4, not the target 5, and what it held before is not known"},
			{before: known(3), now: good(4), why: "sp holds 4, which is neither the target 5 nor 3, the value before"},
			{kind: tag.Toggle, before: known(4), now: good(4), why: "sp holds 4 as before, but a tag of kind toggle may have acted and come back"},
			{readOnly: true, before: known(4), now: good(4), why: "sp holds 4 as before, and the configuration does not permit writing it any more"},
			{before: known(4), now: good(4), age: -1, why: "sp holds 4 as before, but the clock has been set back since, so the write's age is not known"},
			{before: known(4), now: good(4), age: 90 * time.Second, why: "sp holds 4 as before, but the write is 1m30s old, and after 1m0s none is sent again by itself"},
		} {
			info := writable("sp", tag.TypeInt16)
			info.Kind, info.Writable = c.kind, !c.readOnly
			v, why := evidence{goal: goal{info, tag.Int(5)}, before: c.before, now: c.now, age: c.age, staleAfter: minute}.judge()
			if v != engine.InDoubt || why != c.why {
				t.Errorf("got  %d %s\nwant %s", v, why, c.why)
			}
		}
	})
}

// A PLC that starts later than the gateway is waited for.
func TestRecoverWaitsForDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(writable("sp", tag.TypeInt16))
		p.put("sp", tag.None(), tag.BadNoCommunication)
		write := named(t, TagSteps(p, minute), "tags.write")
		a := call(t, write, "path", "sp", "value", int64(5))
		a.Prepared = record(t, int64(4), "Good", 0)
		begin := time.Now()
		go func() {
			<-time.After(42*time.Second + 300*time.Millisecond)
			p.put("sp", tag.Int(4), tag.Good)
		}()
		r, err := write.(engine.Recoverer).Recover(t.Context(), a)
		if err != nil || r.Verdict != engine.Again {
			t.Fatalf("got %+v, %v", r, err)
		}
		if took := time.Since(begin); took != 42*time.Second+300*time.Millisecond {
			t.Errorf("it woke after %v", took)
		}
	})
}

// A tag that the configuration has not any more is a question, not a failure.
func TestRecoverTagGone(t *testing.T) {
	t.Parallel()
	p := newPlant()
	for _, name := range []string{"tags.write", "tags.write_confirm"} {
		s := named(t, TagSteps(p, minute), name)
		r, err := s.(engine.Recoverer).Recover(t.Context(), call(t, s, "path", "sp", "value", int64(5)))
		if err != nil || r.Verdict != engine.InDoubt || r.Doubt.Tag != "sp" || !strings.Contains(r.Doubt.Why, "no such tag is configured") {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}

// Without a preimage on record the age is that of the step.
func TestPreimageOfNothing(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour)
	if b := preimageOf(engine.Args{Began: began}); b.known || !b.at.Equal(began) {
		t.Errorf("got %+v", b)
	}
}

// Should the operator answer that a step in doubt was done, the script gets a
// result of the shape that it expects.
func TestDoubtHasAResult(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"tags.write":         `{"quality":"Good","outcome":"resolved"}`,
		"tags.write_confirm": `{"ok":true,"confirmed":false,"write_quality":"Good"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlant(writable("sp", tag.TypeInt16))
			p.put("sp", tag.Int(9), tag.Good)
			step := named(t, TagSteps(p, minute), name)
			a := call(t, step, "path", "sp", "value", int64(5))
			a.Prepared = record(t, int64(4), "Good", 0)
			r, err := step.(engine.Recoverer).Recover(t.Context(), a)
			if r.Verdict != engine.InDoubt {
				t.Errorf("%s: verdict %v", name, r.Verdict)
			}
			shows(t, r.Result, err, want)
		})
	}
}

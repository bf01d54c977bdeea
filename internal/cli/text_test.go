package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
)

// testApp shows times in UTC, five minutes after eight.
func testApp() *app {
	return newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, Deps{Now: func() time.Time { return clock(20, 5, 0) }, Zone: time.UTC})
}

func clock(h, m, s int) time.Time { return time.Date(2026, 11, 21, h, m, s, 123e6, time.UTC) }

func ptr(t time.Time) *time.Time { return &t }

func raw(t *testing.T, json string) value.Raw {
	t.Helper()
	var r value.Raw
	if err := r.UnmarshalJSON([]byte(json)); err != nil {
		t.Fatal(err)
	}
	return r
}

// sameAsFile compares text with a golden file, which is edited by hand: it is the
// text that we mean to have.
func sameAsFile(t *testing.T, name, text string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", name, text, want)
	}
}

func sampleRuns(t *testing.T) []engine.RunInfo {
	t.Helper()
	return []engine.RunInfo{
		{
			ID: "20261121-200230123-7f3k", Workflow: "line.batch", Status: engine.Running, State: isa88.Held, Queue: "default", Partition: "line1",
			Priority: 3, DedupID: "batch-17", Inputs: raw(t, `{"batch": "17", "bottles": 200}`), Commands: "engine", CurrentStep: "tags.write",
			Events:    map[string]value.Raw{"phase.last_message": raw(t, `"bottle 3/200"`), "filled": raw(t, "3")},
			CreatedAt: clock(20, 2, 30), StartedAt: ptr(clock(20, 2, 31)), Deadline: ptr(clock(22, 2, 30)), Recoveries: 1,
			InDoubt: &engine.Doubt{Step: "tags.write", Tag: "filler/dose", Target: raw(t, "5"), Before: raw(t, "3"), Why: "the tag is a pulse"},
		},
		{
			ID: "20261121-200100123-1abc", Workflow: "line.clean", Status: engine.Running, State: isa88.Running, Queue: "default", Commands: "script",
			Events: map[string]value.Raw{"phase.last_message": raw(t, `"rinsing"`)}, CreatedAt: clock(20, 1, 0), StartedAt: ptr(clock(20, 1, 0)),
		},
		{
			ID: "20261121-190000123-0xyz", Workflow: "line.batch", Status: engine.Error, State: isa88.Error, Queue: "default", Commands: "engine",
			Error:     &engine.RunError{Type: "GuardRefused", Message: "filler/speed_sp: 1300 is above max 1200", Step: "tags.write", Traceback: "line.star:12: in batch\nline.star:30: in set_speed"},
			CreatedAt: clock(19, 0, 0), StartedAt: ptr(clock(19, 0, 0)), CompletedAt: ptr(clock(19, 3, 5)), Result: value.AppendNil(nil),
			SafeState:   []engine.SafeResult{{Tag: "filler/speed_sp", Value: raw(t, "0"), OK: true}, {Tag: "filler/valve", Value: raw(t, "false"), Detail: "BadNoCommunication"}},
			Obligations: []engine.Obligation{{ID: "20261121-190000123-0xyz:filler/valve", Tag: "filler/valve", Value: raw(t, "false"), State: engine.Owed, Why: "filler/valve cannot be read: BadNoCommunication"}},
		},
	}
}

func TestRunText(t *testing.T) {
	t.Parallel()
	var all []string
	for _, r := range sampleRuns(t) {
		all = append(all, testApp().runText(r))
	}
	sameAsFile(t, "show.txt", strings.Join(all, "-----\n"))
	sameAsFile(t, "runs.txt", testApp().runsTable(sampleRuns(t)))
}

func TestStepsTable(t *testing.T) {
	t.Parallel()
	table := newTable(stepsHead()...)
	for _, s := range []engine.StepInfo{
		{Seq: 0, Name: "tags.read", Status: "SUCCESS", Args: raw(t, `{"path": "filler/speed"}`), Attempts: 1, Count: 1,
			Result: raw(t, `{"value": 12.5, "quality": "Good", "timestamp": "2026-11-21T20:00:00.000Z"}`), StartedAt: clock(20, 0, 0), CompletedAt: ptr(clock(20, 0, 0))},
		{Seq: 1, Name: "rt.recvCommand", Status: "SUCCESS", Attempts: 1, Count: 600, StartedAt: clock(20, 0, 1), CompletedAt: ptr(clock(20, 2, 1))},
		{Seq: 601, Name: "http.request", Status: "ERROR", Args: raw(t, `{"method": "GET"}`), Attempts: 3, Count: 1, Recovered: true,
			Error: &engine.StepError{Type: "Timeout", Message: "no answer\nin 10 s"}, StartedAt: clock(20, 2, 2), CompletedAt: ptr(clock(20, 2, 32))},
		{Seq: 602, Name: "tags.write", Status: "STARTED", Args: raw(t, `{"path": "filler/dose", "value": 5}`), Attempts: 1, Count: 1, StartedAt: clock(20, 2, 33)},
	} {
		table.row(testApp().stepRow(&s)...)
	}
	sameAsFile(t, "steps.txt", table.String())
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	sameAsFile(t, "status.txt", testApp().statusText(wire.Status{
		Version: "v0.1.0", State: wire.StateRunning, StartedAt: clock(18, 0, 0), UptimeMS: (2*time.Hour + 5*time.Minute).Milliseconds(), Socket: "/run/holdfast/holdfast.sock",
		Engine: engine.Health{Running: 3, Held: 1, InDoubt: 1, JournalError: "no space left on device",
			Obligations: []engine.Obligation{{ID: "20261121-190000123-0xyz:filler/valve"}},
			Journal:     engine.JournalInfo{BarrierPerDay: 3_100_000, TimerPerDay: 900_000, CheckpointPerDay: 52_000, HistoryPerDay: 700, RepeatMS: 150_000},
			Alarms: []engine.Alarm{
				{ID: "owed:20261121-190000123-0xyz:filler/valve", Severity: engine.Critical, Run: "20261121-190000123-0xyz", Message: "safe state of filler/valve not reached: BadNoCommunication", Since: clock(19, 3, 5)},
				{ID: "history", Severity: engine.Warning, Message: "runs that have ended stay among the live ones", Since: clock(19, 4, 5), AcknowledgedBy: "ada", AcknowledgedAt: ptr(clock(19, 5, 5))}}},
		Connections: []wire.Link{
			{Name: "plc1", Driver: "modbus", State: "up", Since: clock(18, 0, 1), LastData: ptr(clock(20, 4, 59)), Requests: 12345, Errors: 2, LastError: "cannot read holding 100–149 (50 registers) from tcp://192.0.2.10:502: request timed out"},
			{Name: "press", Driver: "opcua", State: "connecting", Since: clock(18, 0, 0)},
		},
		Tags: wire.TagCount{Good: 120, Bad: 3},
	}))
}

func TestWatchLine(t *testing.T) {
	t.Parallel()
	got := testApp().watchLine(wire.Tag{Path: "a/b", Value: tag.Float(1.5), Units: "bar", Quality: "Good", Timestamp: &wire.Time{Time: clock(20, 0, 7)}}, 6)
	got += testApp().watchLine(wire.Tag{Path: "a/long", Quality: "BadWaitingForInitialData"}, 6)
	if want := "20:00:07.123  a/b     1.5 bar  Good\n              a/long  -  BadWaitingForInitialData\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 0: "0ms", 999 * time.Millisecond: "999ms", 5250 * time.Millisecond: "5.2s", 59999 * time.Millisecond: "59.9s",
		time.Minute: "1m00s", 59*time.Minute + 59*time.Second: "59m59s", time.Hour: "1h00m", 47 * time.Hour: "47h00m", 50 * time.Hour: "2d02h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) is %s, want %s", d, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	if got := short("ein\n Überfluß an  Wörtern", 12); got != "ein Überflu…" {
		t.Errorf("short is %q", got)
	}
	if got := oneLine("a\r\nb\n\nc"); got != "a; b; c" {
		t.Errorf("oneLine is %q", got)
	}
}

func TestProgressOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry, msg string
		done, of   float64
		counted    bool
	}{
		{`{"ts": "", "message": "loop 3/20", "extra": null}`, "loop 3/20", 3, 20, true},
		{`{"message": "filling", "extra": {"done": 2.5, "of": 10}}`, "filling", 2.5, 10, true},
		{`{"message": "1/2 of 3/4", "extra": {"done": 7}}`, "1/2 of 3/4", 1, 2, true},
		{`{"message": "rinsing", "extra": {"done": true, "of": 2}}`, "rinsing", 0, 0, false},
		{`{"message": "n/a"}`, "n/a", 0, 0, false},
		{`{"message": "3/0"}`, "3/0", 0, 0, false},
		{`{"message": {"a": 1}}`, `{"a":1}`, 0, 0, false},
		{`{"note": 1}`, `{"note":1}`, 0, 0, false},
		{`[1]`, `[1]`, 0, 0, false},
	} {
		msg, done, of, counted := progressOf(raw(t, c.entry))
		if msg != c.msg || counted != c.counted || counted && (done != c.done || of != c.of) {
			t.Errorf("%s is %q, %v of %v, %v", c.entry, msg, done, of, counted)
		}
	}
}

func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &progress{out: &out, terminal: true}
	p.entry(engine.LogEntry{Value: raw(t, `{"message": "loop 1/4"}`)})
	p.entry(engine.LogEntry{Value: raw(t, `{"message": "loop 2/4"}`)})
	p.state(engine.RunInfo{Status: engine.Running, State: isa88.Held}, &engine.RunInfo{State: isa88.Running})
	p.entry(engine.LogEntry{Value: raw(t, `{"message": "too much", "extra": {"done": 9, "of": 4}}`)})
	p.close()
	want := "\r[######..................] 1/4  loop 1/4\x1b[K" +
		"\r[############............] 2/4  loop 2/4\x1b[K" + "\nHELD\n" +
		"\r[########################] 9/4  too much\x1b[K\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

// What the first look at a run finds, nobody has been told before.
func TestProgressAtFirst(t *testing.T) {
	t.Parallel()
	for state, want := range map[isa88.State]string{
		isa88.Idle: "", isa88.Starting: "", isa88.Running: "", isa88.Held: "HELD\n", isa88.Stopping: "STOPPING\n", isa88.Complete: "",
	} {
		r := engine.RunInfo{Status: engine.Running, State: state}
		if state == isa88.Complete {
			r.Status = engine.Success
		}
		var out strings.Builder
		p := &progress{out: &out}
		p.state(r, nil)
		p.state(r, &r)
		if out.String() != want {
			t.Errorf("%s: got %q, want %q", state, out.String(), want)
		}
	}
}

// Whether the first look falls before or after a run's turn is chance, and no
// news; going on after HELD is.
func TestProgressAfterwards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		last, now isa88.State
		want      string
	}{
		{isa88.Starting, isa88.Running, ""}, {isa88.Running, isa88.Holding, "HOLDING\n"}, {isa88.Holding, isa88.Held, "HELD\n"},
		{isa88.Held, isa88.Running, "RUNNING\n"}, {isa88.Held, isa88.Held, ""},
	} {
		var out strings.Builder
		p := &progress{out: &out}
		p.state(engine.RunInfo{Status: engine.Running, State: c.now}, &engine.RunInfo{Status: engine.Running, State: c.last})
		if out.String() != c.want {
			t.Errorf("%s after %s: got %q, want %q", c.now, c.last, out.String(), c.want)
		}
	}
}

func TestShelter(t *testing.T) {
	t.Parallel()
	root := testApp().root()
	for in, want := range map[string]string{
		"tags write a/b -5":                      "tags write a/b -- -5",
		"tags write a/b -.5 --confirm":           "tags write a/b --confirm -- -.5",
		"--socket s tags write a/b -1e3 -o json": "--socket s tags write a/b -o json -- -1e3",
		"tags write a/b -- -5":                   "tags write a/b -- -5",
		"tags write a/b -o json 5":               "tags write a/b -o json 5",
		"send r -5":                              "send r -- -5",
		"runs --limit -5":                        "runs --limit -5",
		"nix -5":                                 "nix -5",
	} {
		if got := strings.Join(shelter(root, strings.Fields(in)), " "); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"start", "status", "steps", "stop", "tags"}
	for word, want := range map[string]string{"statu": "status", "strat": "start", "tag": "tags", "STOP": "stop", "x": "", "": "", "workflows": ""} {
		if got := meant(word, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	a := testApp()
	for text, want := range map[string]time.Time{
		"": {}, "2h": clock(18, 5, 0), "2026-11-21": time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
		"2026-11-21 06:00:00": time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC), "2026-11-21T06:00:00+01:00": time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC),
	} {
		if got, ok := a.moment(text); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"-2h", "tomorrow", "21.11.2026"} {
		if _, ok := a.moment(text); ok {
			t.Errorf("%q is taken for a moment", text)
		}
	}
}

// TestExitCodes holds that each kind of failure ends with the contract's code.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	var codes []int
	for _, k := range wire.Kinds() {
		if got := exitCode(cannotf("do it", k.Code, "", "why")); got != k.Exit {
			t.Errorf("%s ends with %d", k.Code, got)
		}
		codes = append(codes, k.Exit)
	}
	if want := []int{1, 2, 3, 4, 5, 6, 75, 78}; !slices.Equal(codes, want) {
		t.Errorf("the exit codes are %v", codes)
	}
	if got := exitCode(cannot("do it", context.Canceled)); got != 1 {
		t.Errorf("an error of no kind ends with %d", got)
	}
}

package script

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

const replayed = `
rt = getWorkflows()

@step(name="mix", options={"retries_allowed": True, "interval_seconds": 0})
def mix(x, *more):
    return {"x": x, "more": more, "set": set(["b", "a"]), "f": 1 / 3.0}

@workflow
def w(n=3):
    seen = {}
    for i in range(n):
        seen["k%d" % (i * 7 % 5)] = tags.read("line/speed")["value"]
        tags.write("line/speed", i)
        r = attempt(tags.read, "nothing")
        rt.progress("loop %s" % i, extra=r.error.message)
    m = mix(1.5, *[x for x in range(n)])
    rt.setEvent("mixed", m)
    luck = rt.random()
    tags.write("line/luck", luck)
    got = rt.recv("data", 0)
    return [seen, m, tags.read("line/luck")["value"] == luck, got, str(seen), hash("x"), type(rt.now())]
`

// TestReplay cuts the power at every change of the journal, and sees each run
// go on to the same result, without a step run again whose outcome was kept.
func TestReplay(t *testing.T) {
	t.Parallel()
	files := map[string]string{"w.star": replayed}
	p := newPlant()
	f := p.front(t, Options{})
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, files)...)
	whole := b.result(b.start("w"))
	want := shown(t, whole.Result)
	if whole.Status != engine.Success || !strings.HasPrefix(want, `[{"k0":7,"k2":0,"k4":1},{"x":1.5,"more":[0,1,2],"set":["b","a"],"f":0.333`) {
		t.Fatalf("%s, %+v", want, whole.Error)
	}
	cuts := 0
	for k := uint64(1); ; k++ {
		done := cut(t, k, files, want)
		cuts++
		if done {
			break
		}
		if k > 200 {
			t.Fatal("the run never ends")
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 8 {
		t.Errorf("only %d places to cut at", cuts)
	}
}

// cut stops the journal after k changes, starts anew on what it has, with a
// Front of its own, and compares the result. It reports whether the run ended
// before the cut.
func cut(t *testing.T, k uint64, files map[string]string, want string) bool {
	t.Helper()
	dir := t.TempDir()
	p := newPlant()
	f := p.front(t, Options{})
	ws := mustLoad(t, f, files)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := journaltest.CrashAfter(k)
	crash := o.BeforeAppend
	o.BeforeAppend = func(n uint64, c journal.Change) error {
		err := crash(n, c)
		if err != nil {
			cancel()
		}
		return err
	}
	b := boot(t, dir, f, o, ws...)
	id := b.start("w")
	ended := false
	for version := uint64(0); !ended; {
		var err error
		if version, ended, err = b.e.Await(ctx, id, version); err != nil {
			break
		}
	}
	b.shutdown()
	before := p.count("tags.write")
	f2 := p.front(t, Options{})
	again := boot(t, dir, f2, journal.Options{}, mustLoad(t, f2, files)...)
	info := again.result(id)
	if got := shown(t, info.Result); info.Status != engine.Success || got != want {
		t.Errorf("cut after %d: %s %s, %+v", k, info.Status, got, info.Error)
	}
	if after := p.count("tags.write"); after > 5 || after < before {
		t.Errorf("cut after %d: %d writes before, %d after", k, before, after)
	}
	return ended
}

// TestPinned sees a run go on with the files that it was started with.
func TestPinned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := func(answer string) map[string]string {
		return map[string]string{
			"w.star":      "from lib.it import answer\n@workflow\ndef w():\n    getWorkflows().recv(\"go\", 3600)\n    return answer()\n",
			"lib/it.star": "def answer():\n    return \"" + answer + "\"\n",
		}
	}
	f := newPlant().front(t, Options{})
	b := boot(t, dir, f, journal.Options{}, mustLoad(t, f, files("old"))...)
	id := b.start("w")
	b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	b.shutdown()
	f = newPlant().front(t, Options{})
	b = boot(t, dir, f, journal.Options{}, mustLoad(t, f, files("new"))...)
	for run, want := range map[string]string{id: `"old"`, b.start("w"): `"new"`} {
		if _, err := b.e.Send(t.Context(), run, engine.Message{Topic: "go", Body: value.AppendInt(nil, 1)}); err != nil {
			t.Fatal(err)
		}
		if info := b.result(run); shown(t, info.Result) != want {
			t.Errorf("%s, %+v, not %s", shown(t, info.Result), info.Error, want)
		}
	}
}

// TestCancel cancels runs that compute, wait, and work on a step.
func TestCancel(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{MaxSteps: 1 << 60})
	ws := mustLoad(t, f, map[string]string{"w.star": `
def spin():
    getWorkflows().setEvent("at", "work")
    while True:
        pass

@workflow
def computes(): attempt(spin)

@workflow
def waits():
    getWorkflows().setEvent("at", "work")
    attempt(getWorkflows().recv, "never", 3600)

@step
def slow(n):
    while True:
        pass

@workflow
def steps():
    getWorkflows().setEvent("at", "work")
    attempt(slow, 1)

@workflow
def polite():
    getWorkflows().setEvent("at", "work")
    while not getWorkflows().isCancelled():
        pass
    getWorkflows().checkCancelled()
`})
	b := boot(t, t.TempDir(), f, journal.Options{}, ws...)
	for _, w := range ws {
		id := b.start(w.Name)
		b.await(id, func(i engine.RunInfo) bool { return i.Events["at"] != nil })
		if err := b.e.Cancel(t.Context(), id, "enough", "tester"); err != nil {
			t.Fatal(err)
		}
		if info := b.result(id); info.Status != engine.Cancelled {
			t.Errorf("%s ended as %s, %+v", w.Name, info.Status, info.Error)
		}
	}
}

// TestStepTimeout ends an attempt of a step that computes for too long.
func TestStepTimeout(t *testing.T) {
	t.Parallel()
	info, _ := run(t, Options{MaxSteps: 1 << 60}, `
@step(options={"timeout_seconds": 0.05, "retries_allowed": True, "max_attempts": 2, "interval_seconds": 0})
def slow():
    while True:
        pass

@workflow
def w():
    e = attempt(slow).error
    return [e.type, e.step, e.attempts]
`)
	if got := shown(t, info.Result); got != `["Timeout","slow",2]` {
		t.Errorf("%s, %+v", got, info.Error)
	}
}

// TestMismatch shows the record's side and the script's line.
func TestMismatch(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	ws := mustLoad(t, f, map[string]string{"w.star": "@workflow\ndef w():\n    tags.write(\"a\", 1)\n    getWorkflows().recv(\"go\", 3600)\n"})
	other := mustLoad(t, f, map[string]string{"w.star": "@workflow\ndef w():\n\n    attempt(tags.write, \"a\", 2)\n"})
	other[0].Source = ws[0].Source // as if the pinned text did something else
	dir := t.TempDir()
	b := boot(t, dir, f, journal.Options{}, ws...)
	id := b.start("w")
	b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	for {
		steps, err := b.e.Steps(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) > 0 && steps[0].Status == "SUCCESS" {
			break
		}
	}
	b.shutdown()
	b = boot(t, dir, f, journal.Options{}, other...)
	info := b.await(id, func(i engine.RunInfo) bool { return i.Error != nil })
	for _, want := range []string{"value=1", "value=2", "w.star:4"} {
		if !strings.Contains(info.Error.Message, want) {
			t.Errorf("%s lacks %s", info.Error.Message, want)
		}
	}
}

// TestExamples keeps the files of the testdata free of faults that a reader
// would copy.
func TestExamples(t *testing.T) {
	t.Parallel()
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.Name() == "bad" || d.Name() == "hostile" || d.Name() == "fuzz" {
			continue
		}
		if _, faults := newPlant().front(t, Options{}).LoadDir(filepath.Join("testdata", d.Name())); len(faults) > 0 {
			t.Error(fmt.Sprint(faults))
		}
	}
}

// TestMismatchNamesLine replays a record with a program that asks for something
// else, by each of rt's calls, and sees the line of the script in the message.
func TestMismatchNamesLine(t *testing.T) {
	t.Parallel()
	for call, asked := range map[string]string{
		`rt.now()`:                          `rt.now()`,
		`rt.random()`:                       `rt.random()`,
		`rt.uuid()`:                         `rt.uuid()`,
		`rt.setEvent("b", 1)`:               `rt.setEvent("b", …)`,
		`rt.setEvent("a", 2)`:               `rt.setEvent("a", …)`,
		`rt.writeStream("a", 1)`:            `rt.writeStream("a", …)`,
		`rt.progress("a")`:                  `rt.progress("a", …)`,
		`rt.send("x", 1)`:                   `rt.send(workflowId="x", message=1, topic="cmd", messageUUID="")`,
		`rt.recv("t", 1)`:                   `rt.recv(topic="t")`,
		`rt.recvCommand(topic="t")`:         `rt.recvCommand(topic="t")`,
		`attempt(lambda: tags.read("a"))`:   `tags.read(path="a")`,
		`[rt.now() for i in range(2)]`:      `rt.now()`,
		`attempt(rt.setEvent, "b", None)`:   `rt.setEvent("b", …)`,
		`getattr(rt, "recv")("t")`:          `rt.recv(topic="t")`,
		`(lambda *a: rt.progress(*a))("b")`: `rt.progress("b", …)`,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			f := newPlant().front(t, Options{})
			src := func(line string) map[string]string {
				return map[string]string{"w.star": "rt = getWorkflows()\n@workflow\ndef w():\n    x = 1\n    " + line + "\n    rt.recv(\"go\", 3600)\n"}
			}
			old := mustLoad(t, f, src(`rt.setEvent("a", 1)`))
			b := boot(t, dir, f, journal.Options{}, old...)
			id := b.start("w")
			b.await(id, func(i engine.RunInfo) bool { return i.Events["a"] != nil })
			b.shutdown()
			changed := mustLoad(t, f, src(call))
			changed[0].Source = old[0].Source // so that it is taken for what the run was started with
			b = boot(t, dir, f, journal.Options{}, changed...)
			info := b.await(id, func(i engine.RunInfo) bool { return i.State == isa88.Held || i.Status.Ended() })
			want := `the program does not match its record at place 0: recorded rt.setEvent("a", …), the program asks for ` + asked + ` at w.star:5`
			if info.Error == nil || info.Error.Message != want {
				t.Errorf("got %+v, want %s", info.Error, want)
			}
		})
	}
}

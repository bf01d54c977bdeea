package script

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// hostileAlloc bounds what a hostile script may make the process allocate from
// its start to its end, garbage included: a run's memory is bounded to 32 MiB,
// and one value to 16 MiB, which are copied a few times on their way.
const hostileAlloc = 512 << 20

// hostile returns the scripts in testdata/hostile by name.
func hostile(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/hostile/*.star")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d scripts, %v", len(names), err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".star")] = string(text)
	}
	return all
}

// TestHostile runs each script of testdata/hostile to its end, which is
// LimitExceeded, and sees what was allocated meanwhile.
func TestHostile(t *testing.T) { // not parallel: it looks at the whole process
	for name, src := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			p := newPlant()
			f := p.front(t, Options{MaxSteps: 2_000_000})
			b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			info := b.result(b.start("w"))
			runtime.ReadMemStats(&after)
			made := after.TotalAlloc - before.TotalAlloc
			if info.Status != engine.Error || info.Error.Type != "LimitExceeded" || !strings.Contains(info.Error.Traceback, "w.star:") && info.Error.Step == "" && name != "shared_result" {
				t.Errorf("ended as %s with %+v", info.Status, info.Error)
			}
			if made > hostileAlloc {
				t.Errorf("%d MiB were allocated", made>>20)
			}
			if n := len(info.Error.Message); n > 1000 {
				t.Errorf("the message has %d bytes", n)
			}
			if p.count("tags.write") > 0 {
				t.Error("something was written")
			}
			t.Logf("%.1f MiB: %s", float64(made)/(1<<20), info.Error.Message)
		})
	}
}

// resume is a run in two lives: started, waiting when the process ends, and
// then on its way in a process of its own.
func resume(t *testing.T, src string) (*box, engine.RunInfo) {
	t.Helper()
	src = strings.Replace(src, "def w():\n", "def w():\n    getWorkflows().recv(\"go\", 3600)\n", 1)
	dir := t.TempDir()
	life := func() *box {
		f := newPlant().front(t, Options{MaxSteps: 2_000_000})
		return boot(t, dir, f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
	}
	b := life()
	id := b.start("w")
	b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	b.shutdown()
	b = life()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: value.AppendNil(nil)}); err != nil {
		t.Fatal(err)
	}
	return b, b.result(id)
}

// TestHostileAfterRestart sees that a run which holds such a script comes back
// after a restart, and then ends as it would have.
func TestHostileAfterRestart(t *testing.T) {
	t.Parallel()
	for name, src := range hostile(t) {
		if strings.HasPrefix(name, "endless_") {
			continue // they make nothing that is recorded
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, info := resume(t, src); info.Status != engine.Error || info.Error.Type != "LimitExceeded" {
				t.Errorf("ended as %s with %+v", info.Status, info.Error)
			}
		})
	}
}

// TestHostileReplay cuts the power at every change of the journal, before and
// behind the call that is refused, and sees the same error each time.
func TestHostileReplay(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"event":         `rt.setEvent("e", t)`,
		"argument":      `tags.write("line/speed", t)`,
		"result":        `return t`,
		"own step":      `return make(60)`,
		"own step read": `return dicts()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"w.star": `
rt = getWorkflows()

@step
def make(n):
    t = ()
    for i in range(n):
        t = (t, t)
    return t

@step
def dicts():
    return [[{}] * 1000] * 100

@workflow
def w():
    tags.write("line/speed", 1)
    t = make(2)
    for i in range(60):
        t = [t, t]
    attempt(tags.read, "nothing")
    rt.setEvent("at", 1)
    ` + last + "\n"}
			want := ""
			for k := uint64(0); ; k++ { // 0: without a cut
				info, ended := cutRun(t, k, files)
				if want == "" {
					want = info.Error.Error()
				}
				if info.Status != engine.Error || info.Error.Type != "LimitExceeded" || info.Error.Error() != want {
					t.Errorf("cut after %d: ended as %s with %+v", k, info.Status, info.Error)
				}
				if ended && k > 0 {
					break
				}
				if k > 100 {
					t.Fatal("the run never ends")
				}
			}
			t.Log(want)
		})
	}
}

// cutRun stops the journal after k changes, starts anew on what it has, and
// returns how the run ended, and whether that was before the cut.
func cutRun(t *testing.T, k uint64, files map[string]string) (engine.RunInfo, bool) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var o journal.Options
	if k > 0 {
		o = journaltest.CrashAfter(k)
		crash := o.BeforeAppend
		o.BeforeAppend = func(n uint64, c journal.Change) error {
			err := crash(n, c)
			if err != nil {
				cancel()
			}
			return err
		}
	}
	life := func(o journal.Options) *box {
		f := newPlant().front(t, Options{MaxMemory: 16 << 20})
		return boot(t, dir, f, o, mustLoad(t, f, files)...)
	}
	b := life(o)
	id := b.start("w")
	ended := false
	for version := uint64(0); !ended; {
		var err error
		if version, ended, err = b.e.Await(ctx, id, version); err != nil {
			break
		}
	}
	b.shutdown()
	return life(journal.Options{}).result(id), ended
}

// TestDeepAfterRestart sees that what is nested as deeply as may be recorded
// can be read again, wherever it is recorded.
func TestDeepAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	life := func() *box {
		f := newPlant().front(t, Options{})
		return boot(t, dir, f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": `
rt = getWorkflows()

def deep(n, around):
    t = 1
    for i in range(n):
        t = around(t)
    return t

@step
def same(v):
    return v

@workflow(safe_state = {"line/speed": deep(64, lambda t: (t,))})
def w(n = deep(63, lambda t: (t,))):
    for around in (lambda t: [t], lambda t: (t,), lambda t: struct(a = t), lambda t: {"k": t}):
        rt.setEvent("e", deep(64, around))
        rt.writeStream("s", deep(64, around))
        rt.progress("p", extra = deep(64, around))
        rt.send(rt.workflowId, deep(64, around), topic = "own")
        same(deep(63, around))
        rt.recv("own", 60)
    rt.send(rt.workflowId, {"cmd": "HOLD", "more": deep(63, lambda t: (t,))}, topic = "words")
    rt.recvCommand("RUNNING", topic = "words", timeoutSeconds = 60)
    rt.setEvent("ready", True)
    rt.recv("end", 3600)
    return deep(64, lambda t: (t,))
`})...)
	}
	b := life()
	id := b.start("w")
	if info := b.await(id, func(i engine.RunInfo) bool { return i.Events["ready"] != nil || i.Status.Ended() }); info.Status.Ended() {
		t.Fatalf("ended as %s with %+v", info.Status, info.Error)
	}
	b.shutdown()
	b = life()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "end", Body: value.AppendNil(nil)}); err != nil {
		t.Fatal(err)
	}
	b.result(id)
	b.shutdown()
	b = life()
	info := b.result(id)
	want := strings.Repeat("[", 64) + "1" + strings.Repeat("]", 64)
	if info.Status != engine.Success || shown(t, info.Result) != want || len(info.Events) != 3 {
		t.Errorf("ended as %s with %+v, %s", info.Status, info.Error, shown(t, info.Result))
	}
	if log, err := b.e.Log(t.Context(), id, "", 0); err != nil || len(log) != 8 {
		t.Errorf("%d lines of log, %v", len(log), err)
	} else if _, err := value.Decode(log[3].Value); err != nil {
		t.Error(err)
	}
}

// TestHostileAtLoad sees that what is evaluated while a file is loaded is
// bounded as well: the file has a fault.
func TestHostileAtLoad(t *testing.T) {
	t.Parallel()
	const shared = "def shared():\n    t = (1,)\n    for i in range(60):\n        t = (t, t)\n    return t\n"
	for want, src := range map[string]string{
		"in one cannot be kept":    "@workflow(safe_state = {\"line/speed\": shared()})\ndef w():\n    pass\n",
		"default of n: more than ": "@workflow\ndef w(n = shared()):\n    pass\n",
		"elements at once":         "x = list((\"x\" * 20000000).codepoints())\n",
		"as text":                  "x = {shared(): 1}\n",
		"variables hold more than": "x = shared()\n",
		"is seen by functions":     "def f():\n    def g():\n        return g\n    return g\nx = f()\n",
		"is not the path of a tag": "@workflow(safe_state = {(1, 2): 1})\ndef w():\n    pass\n",
	} {
		_, faults := newPlant().front(t, Options{}).LoadDir(writeFiles(t, map[string]string{"w.star": shared + src}))
		if len(faults) != 1 || !strings.Contains(faults[0].Message, want) || len(faults[0].Message) > 300 {
			t.Errorf("%s: %v", want, faults)
		}
	}
}

// TestViewed makes sure that what Starlark's strings and bytes return to be
// gone through is as viewed expects.
func TestViewed(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`"é".elems()`: "é", `"é".elem_ords()`: "é", `"é".codepoints()`: "é", `"é".codepoint_ords()`: "é", `b"ab".elems()`: "ab", `"".elems()`: "",
		`range(3)`: "no", `[1]`: "no", `{}`: "no", `"ab"`: "no", `set()`: "no", `(1,)`: "no", `1`: "no", `len`: "no",
	} {
		v, err := starlark.EvalOptions(options(), &starlark.Thread{}, "x.star", expr, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := viewed(v)
		if ok == (want == "no") || ok && got != want {
			t.Errorf("%s goes through %q, %v", expr, got, ok)
		}
	}
}

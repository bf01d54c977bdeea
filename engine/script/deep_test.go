package script

import (
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

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

package script

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// TestAttempt sees what attempt catches, and what not.
func TestAttempt(t *testing.T) {
	t.Parallel()
	const lib = `
@step(name="flaky", options={"retries_allowed": True, "max_attempts": 3, "interval_seconds": 0})
def flaky(x):
    fail("worn out:", x, [1])

@step
def buggy(): return {}["key"]

@step
def direct(path):
    return tags.read(path)["value"]

def show(r):
    return [r.ok, r.value, r.error and [r.error.type, r.error.message, r.error.step, r.error.attempts]]

def f(x, y=2): return x + y

def g(): fail("no", "way", sep="-")

def h():
    r = attempt(g)
    fail("again: " + r.error.message)

@workflow
def w():
`
	const ends = "ENDS "
	for body, want := range map[string]string{
		`return show(attempt(f, 1))`:                        `[true,3,null]`,
		`return show(attempt(f, 1, y=5))`:                   `[true,6,null]`,
		`return show(attempt(g))`:                           `[false,null,["Fail","no-way","",0]]`,
		`return show(attempt(h))`:                           `[false,null,["Fail","again: no-way","",0]]`,
		`return show(attempt(tags.read, "x"))`:              `[false,null,["NoSuchTag","there is no tag x","tags.read",1]]`,
		`return show(attempt(lambda: tags.read(path="x")))`: `[false,null,["NoSuchTag","there is no tag x","tags.read",1]]`,
		`return show(attempt(direct, "x"))`:                 `[false,null,["NoSuchTag","tags.read: there is no tag x","direct",1]]`,
		`return show(attempt(flaky, 1))`:                    `[false,null,["Fail","worn out: 1 [1]","flaky",3]]`,
		`return show(attempt(attempt, g).value)`:            `[false,null,["Fail","no-way","",0]]`,
		`return [attempt(f, i).value for i in range(2)]`:    `[2,3]`,
		`attempt(f)`:                             ends + `ScriptError: function f missing 1 argument (x)`,
		`attempt(f, "a")`:                        ends + `ScriptError: unknown binary op: string + int`,
		`attempt(lambda: {}["a"])`:               ends + `ScriptError: key "a" not in dict`,
		`attempt(tags.read, "x", 2)`:             ends + `ScriptError: tags.read takes (path), not 2`,
		`attempt(buggy)`:                         ends + `ScriptError buggy: key "key" not in dict (at w.star:7:23)`,
		`attempt(f(1))`:                          ends + `ScriptError: attempt wants a function and its arguments, attempt(fn, …), not a int: leave out the parentheses after the function's name`,
		`attempt()`:                              ends + `ScriptError: attempt wants a function: attempt(fn, …)`,
		`g()`:                                    ends + `Fail: no-way`,
		`flaky(2)`:                               ends + `Fail flaky: worn out: 2 [1]`,
		`tags.read("x")`:                         ends + `NoSuchTag tags.read: there is no tag x`,
		`return f`:                               ends + `ScriptError: result of w: a value of type function cannot be kept in the record`,
		`tags.read(f)`:                           ends + `ScriptError: tags.read: path: a value of type function cannot be kept in the record`,
		`tags.read(**{"pth": "x"})`:              ends + `ScriptError: tags.read has no parameter pth (did you mean path?): it takes (path)`,
		`tags.write("x")`:                        ends + `ScriptError: tags.write wants value: it takes (path, value)`,
		`tags.write("x", path="y", value=1)`:     ends + `ScriptError: tags.write is given path twice`,
		`tags.write_confirm(value=1)`:            ends + `ScriptError: tags.write_confirm wants path: it takes (path, value, confirm_path=None, timeout_ms=10000, poll_ms=250)`,
		`flaky()`:                                ends + `ScriptError: flaky wants x`,
		`flaky(1, 2)`:                            ends + `ScriptError: flaky takes 1 positional arguments at most, not 2`,
		`flaky(y=1)`:                             ends + `ScriptError: flaky has no parameter y`,
		`flaky(1, x=1)`:                          ends + `ScriptError: flaky is given x twice`,
		`w()`:                                    ends + `ScriptError: workflow w cannot be called as a function; put what both need into a function without @workflow (rt.runChild is not available yet)`,
		`step(name="late")(f)`:                   ends + `ScriptError: @step belongs at the top level of a file: a run cannot define anything`,
		`getWorkflows().runChild("w")`:           ends + `ScriptError: rt.runChild is not available yet`,
		`getWorkflows().recv(**{"topc": "x"})`:   ends + `ScriptError: rt.recv: unexpected keyword argument "topc" (did you mean topic?)`,
		`getWorkflows().recv(timeoutSeconds=-1)`: ends + `ScriptError: rt.recv: for parameter "timeoutSeconds": a number of seconds is 0 or more, and at most 100 years`,
		`getWorkflows().chekCancelled()`:         ends + `ScriptError: workflows has no .chekCancelled field or method (did you mean .checkCancelled?)`,
		`(tags, 1)[0].reed("x")`:                 ends + `ScriptError: module has no .reed field or method (did you mean .read?)`,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			info, _ := run(t, Options{}, lib+"    "+body+"\n")
			got := ""
			if e := info.Error; e != nil {
				got = strings.TrimSpace("ENDS " + e.Type + " " + e.Step)
				got += ": " + e.Message
				if e.Traceback == "" && !strings.HasPrefix(e.Message, "result of") {
					t.Error("there is no traceback")
				}
			} else {
				got = shown(t, info.Result)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestUserStep sees that the body of a step works on values of its own, that
// arguments are recorded by name, and that results are new each time.
func TestUserStep(t *testing.T) {
	t.Parallel()
	info, p := run(t, Options{}, `
rt = getWorkflows()

@step(name="grow")
def grow(l, n=2, *more, sep=",", **kw):
    l.append(n)
    first = tags.read("line/speed")["value"]
    tags.write("line/speed", first + 1)
    inner(l)
    return [l, more, sep, kw, first, rt.isCancelled(), rt.workflowName, rt.inputs["a"]]

@step
def inner(l):
    l.append("inner")

@step
def same():
    return SHARED

@step
def tells():
    rt.progress("no")

SHARED = [1]

@workflow
def w(a="in"):
    mine = [1]
    out = [grow(mine, 3, 4, 5, sep=";", z=1), grow(n=1, l=mine)]
    s = same()
    s.append(2)
    return out + [mine, s, same(), rt.inputs, rt.workflowName, type(rt.workflowId), getattr(rt, "workflowName"), hasattr(rt, "inputs")]
`)
	want := `[[[1,3,"inner"],[4,5],";",{"z":1},7,false,"w","in"],[[1,1,"inner"],[],",",{},8,false,"w","in"],[1],[1,2],[1],{"a":"in"},"w","string","w",true]`
	if got := shown(t, info.Result); got != want {
		t.Errorf("got  %s, %+v\nwant %s", got, info.Error, want)
	}
	if p.count("tags.write") != 2 {
		t.Errorf("%d writes", p.count("tags.write"))
	}
}

func TestStepRecord(t *testing.T) {
	t.Parallel()
	p := newPlant()
	p.fails["tags.write"] = 2
	f := p.front(t, Options{})
	ws := mustLoad(t, f, map[string]string{"w.star": `
write = step(name="stubborn", options={"retries_allowed": True, "interval_seconds": 0, "backoff_rate": 1})(tags.write)

@step
def pair(b, a=1): return (a, b)

@workflow
def w():
    write("line/speed", value=3)
    pair(a=2, b=1)
    return pair(1, 2)
`})
	b := boot(t, t.TempDir(), f, journal.Options{}, ws...)
	id := b.start("w")
	if info := b.result(id); shown(t, info.Result) != "[2,1]" {
		t.Fatalf("%+v", info.Error)
	}
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, s := range steps {
		got += s.Name + shown(t, s.Args) + shown(t, s.Result) + strings.Repeat("*", s.Attempts) + "\n"
	}
	want := `stubborn{"path":"line/speed","value":3}{"quality":"Good","outcome":"accepted"}***` + "\n" +
		`pair{"b":1,"a":2}[2,1]*` + "\n" + `pair{"b":1,"a":2}[2,1]*` + "\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestRuntime calls what getWorkflows gives.
func TestRuntime(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := newPlant()
	f := p.front(t, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	ws := mustLoad(t, f, map[string]string{"w.star": `
rt = getWorkflows()
@workflow
def w(peer=None):
    print("hello", [1])
    if peer:
        rt.send(peer, {"n": 1}, topic="data", messageUUID="u1")
        rt.send(peer, {"n": 1}, topic="data", messageUUID="u1")
        rt.send(workflowId=peer, message="last", topic="data")
        rt.setEvent("sent", 3)
        return None
    rt.progress("waiting", extra={"a": 1})
    rt.progress(["not", "text"])
    rt.writeStream("values", (1, 2))
    rt.checkCancelled()
    got = [rt.recv(topic="data", timeoutSeconds=60), rt.recv("data", 60.0), rt.recv("data")]
    cmd = rt.recvCommand(currentState="RUNNING", timeoutSeconds=60)
    return [got, cmd["cmd"], cmd["priority"], type(rt.now()), 0 <= rt.random() and rt.random() < 1, len(rt.uuid()), rt.isCancelled()]
`})
	b := boot(t, t.TempDir(), f, journal.Options{}, ws...)
	id := b.start("w")
	sender := b.result(b.start("w", "peer", id))
	if sender.Status != engine.Success || shown(t, sender.Events["sent"]) != "3" {
		t.Errorf("sender: %+v", sender)
	}
	if _, err := b.e.Command(t.Context(), id, isa88.Stop, "", ""); err != nil {
		t.Fatal(err)
	}
	info := b.result(id)
	if got, want := shown(t, info.Result), `[[{"n":1},"last",null],"STOP",3,"float",true,36,false]`; got != want {
		t.Errorf("got  %s, %+v\nwant %s", got, info.Error, want)
	}
	if got := shown(t, info.Events["phase.last_message"]); got != `"[\"not\", \"text\"]"` {
		t.Errorf("last message %s", got)
	}
	entries, err := b.e.Log(t.Context(), id, "values", 0)
	if err != nil || len(entries) != 1 || shown(t, entries[0].Value) != "[1,2]" {
		t.Errorf("stream: %+v, %v", entries, err)
	}
	b.shutdown()
	if !strings.Contains(log.String(), `level=DEBUG msg="script prints" run=`+id+` text="hello [1]"`) {
		t.Errorf("the log is %s", log.String())
	}
}

// TestStepsAreApart sees what a step's body may not do.
func TestStepsAreApart(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		`rt.send("x", 1)`:   "rt.send cannot be called inside step s: what a step does is not recorded call by call; call it from the workflow (at w.star:4:12)",
		`rt.recv()`:         "rt.recv cannot be called inside step s: what a step does is not recorded call by call; call it from the workflow (at w.star:4:12)",
		`rt.inputs["b"]`:    `key "b" not in dict (at w.star:4:14)`,
		`OUTER.append(1)`:   "append: cannot append to frozen list (at w.star:4:17)",
		`[1] * 1000000000`:  "a single value of 1000000000 times 16 bytes is more than the 33554432 that a run may hold",
		`attempt(rt.now)`:   "rt.now cannot be called inside step s: what a step does is not recorded call by call; call it from the workflow (at w.star:4:12)",
		`rt.checkCancelled`: "",
	} {
		info, _ := run(t, Options{}, "rt = getWorkflows()\n@step\ndef s():\n    "+call+"\nOUTER = []\n@workflow\ndef w():\n    attempt(s)\n")
		switch {
		case want == "":
			if info.Status != engine.Success {
				t.Errorf("%s: %+v", call, info.Error)
			}
		case info.Error == nil || info.Error.Message != want || info.Error.Step != "s" || !strings.Contains(info.Error.Traceback, "w.star:8:12: in w"):
			t.Errorf("%s: %+v, want %s", call, info.Error, want)
		}
	}
}

// TestErrorIsFound sees that both the run's error and the step's are found.
func TestErrorIsFound(t *testing.T) {
	t.Parallel()
	info, p := run(t, Options{}, "@workflow\ndef w():\n    tags.read(\"x\")\n")
	want := &engine.RunError{Type: "NoSuchTag", Message: "there is no tag x", Step: "tags.read", Traceback: "w.star:3:14: in w"}
	if *info.Error != *want || p.count("tags.read") != 1 {
		t.Errorf("%+v", info.Error)
	}
	err := judge(t.Context(), &budget{}, errors.Join(engine.Errorf("NoSuchTag", "x")))
	if !errors.As(err, new(*engine.StepError)) || !errors.As(err, new(*engine.RunError)) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestInputsAndDefaults(t *testing.T) {
	t.Parallel()
	info, _ := run(t, Options{}, "@workflow\ndef w(a, b=[1], **more):\n    b.append(a)\n    return [b, more, getWorkflows().inputs]\n",
		"a", int64(5), "z", value.Tuple{int64(1)})
	if got, want := shown(t, info.Result), `[[1,5],{"z":[1]},{"a":5,"b":[1],"z":[1]}]`; got != want {
		t.Errorf("got %s, %+v", got, info.Error)
	}
}

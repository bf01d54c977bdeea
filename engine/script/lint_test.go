package script

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/journal"
)

// smallPlant is a Plant with three tags and three qualities.
type smallPlant struct{}

func (smallPlant) Tag(path string) error {
	if path == "line/speed" || path == "line/valve" || path == "line/state" {
		return nil
	}
	return fmt.Errorf("no tag %q is configured", path)
}

func (smallPlant) Write(path string, v any) error {
	_, isBool := v.(bool)
	n, isNumber := v.(int64)
	switch {
	case path == "line/state":
		return errors.New("nobody may write it")
	case path == "line/valve" && !isBool:
		return fmt.Errorf("%v is not a bool", v)
	case path == "line/speed" && !isNumber:
		return fmt.Errorf("%v is not an int16", v)
	case path == "line/speed" && n > 100:
		return fmt.Errorf("%d is above max 100", n)
	}
	return nil
}

func (smallPlant) Quality(name string) error {
	if name == "Good" || name == "Bad" || name == "BadNoCommunication" {
		return nil
	}
	return fmt.Errorf("%q is no quality", name)
}

// judged loads files on smallPlant, and returns faults and warnings, a line
// each, without their folder.
func judged(t *testing.T, files map[string]string) (workflows int, faults, warnings []string) {
	t.Helper()
	f := newPlant().front(t, Options{Plant: smallPlant{}})
	dir := writeFiles(t, files)
	ws, fs := f.LoadDir(dir)
	lines := func(list []Fault) (out []string) {
		for _, ft := range list {
			out = append(out, strings.TrimPrefix(ft.Error(), dir+string(filepath.Separator)))
		}
		return out
	}
	return len(ws), lines(fs), lines(f.Warnings(dir))
}

// TestSafeStateJudged sees each line of a safe state that can never be written
// as a fault of the file, at its key.
func TestSafeStateJudged(t *testing.T) {
	t.Parallel()
	n, faults, _ := judged(t, map[string]string{
		"w.star": `
@workflow(name = "a", safe_state = {
    "line/speed": 5, "line/valve": False,
    "line/sped": 5,
    "line/state": 1,
})
def a(): pass

@workflow(safe_state = {"line/valve": 1, "line/speed": 101})
def b(): pass

paths = ["line/none"]
@workflow(safe_state = {p: 1 for p in paths})
def c(): pass

d = workflow(name = "d", safe_state = {"line/nowhere": 1})(lambda: None)
`,
		"good.star": "@workflow(safe_state = {\"line/speed\": 100, \"line/valve\": True})\ndef good(): pass\n",
	})
	sameLines(t, "faults", faults, []string{
		`w.star:4:5: safe_state of a: line/sped: no tag "line/sped" is configured`,
		`w.star:5:5: safe_state of a: line/state: nobody may write it`,
		`w.star:9:25: safe_state of b: line/valve: 1 is not a bool`,
		`w.star:9:42: safe_state of b: line/speed: 101 is above max 100`,
		`w.star:14:1: safe_state of c: line/none: no tag "line/none" is configured`,
		`w.star:16:40: safe_state of d: line/nowhere: no tag "line/nowhere" is configured`,
	})
	if n != 1 {
		t.Errorf("%d workflows", n)
	}
}

// TestPinnedIsNotJudged sees that a run goes on with the source that it was
// started with, whatever has become of the plant since.
func TestPinnedIsNotJudged(t *testing.T) {
	t.Parallel()
	src := map[string]string{"w.star": "@workflow(safe_state = {\"gone\": 1})\ndef w():\n    tags.read(\"gone\")\n    tags.write(\"line/speed\", 500)\n"}
	old := mustLoad(t, newPlant().front(t, Options{}), src)
	if _, faults, _ := judged(t, src); len(faults) != 2 {
		t.Fatalf("faults are %q", faults)
	}
	f := newPlant().front(t, Options{Plant: smallPlant{}})
	if w, err := f.Load(old[0].Source.Bundle, "w"); err != nil || w.SafeState[0].Tag != "gone" {
		t.Errorf("got %+v, %v", w, err)
	}
}

// TestWarnings compares what check warns of, and what it has for faults, with
// what the comments of a file say.
func TestWarnings(t *testing.T) {
	t.Parallel()
	n, faults, warnings := judged(t, map[string]string{
		"w.star": `
load("lib/a.star", "helper", also = "patient")
from holdfast import tags as t
rt = getWorkflows()

@workflow
def unused(path = "line/speed"):
    tags.write_confirm(path, 5)
    wait.until_tag_equals(path, 5)
    also(path, 5)
    res = tags.write_confirm(path, 5)
    seen = tags.write_confirm(path, 5)
    _ = tags.write_confirm(path, 5)
    _ignored = tags.write_confirm(path, 5)
    tags.write(path, 5)
    return seen["ok"]

@workflow
def conditions(path = "line/speed"):
    if tags.write_confirm(path, 5): pass
    r = wait.until_tag_equals(path, 5)
    while not (r): pass
    x = 1 if path == "x" or also(path, 5) else 2
    if r and r["ok"]: pass
    if r["ok"] or r.get("ok"): pass
    many = tags.read(path)
    many = []
    if many: pass
    cmd = rt.recvCommand()
    if cmd: pass
    return [i for i in (1, 2) if http.request("GET", path)]

@workflow
def tagged(path = "line/speed"):
    tags.read("line/sped")
    t.read(path = "line/nothing")
    tags.write("line/valve", 1)
    tags.write("line/valve", value = True)
    tags.write("line/speed", -5)
    tags.write("line/state", path)
    also("line/speed", 500)
    ok = wait.until_tag_equals("line/none", 1)["ok"]
    return ok and helper(path) and tags.write_confirm(path, 1, confirm_path = "line/there")["ok"]

@workflow
def compared(path = "line/speed"):
    q = tags.read(path)
    quality = q["quality"]
    a = q["quality"] == "GOOD" or "Goood" == q.get("quality")
    b = quality != "BAD" and quality == "fine"
    c = tags.write_confirm(path, 1)["write_quality"] in ("Good", "good", "ok")
    d = q["value"] == "GOOD" or q["quality"] == "BadNoCommunication"
    return [a, b, c, d]

@workflow
def named():
    local = getWorkflows()
    local.progres("x")
    rt.startChild("x")
    rt.setEvent("a", rt.inputs)
    return rt.workflowID + getWorkflows().nothing()

@workflow(commands = "script")
def deaf():
    pass

@step
def inside():
    rt.progress("fine")
    return helper(rt.now()) + [rt.recv("x") for i in range(2)][0]
`,
		"lib/a.star": `
patient = step(name = "patient")(tags.write_confirm)
def helper(x):
    if tags.read("line/zero"): pass
    return x
`,
		"lonely.star": "def f(): pass\n",
		"broken.star": "def (\n",
	})
	sameLines(t, "faults", faults, []string{
		`broken.star:1:6: not an identifier`,
		`lib/a.star:4:18: tags.read: no tag "line/zero" is configured`,
		`w.star:35:15: tags.read: no tag "line/sped" is configured`,
		`w.star:36:12: tags.read: no tag "line/nothing" is configured`,
		`w.star:42:32: wait.until_tag_equals: no tag "line/none" is configured`,
		`w.star:43:64: tags.write_confirm: no tag "line/there" is configured`,
	})
	const confirm = `tells in "ok" whether what was asked for has come; to do without, `
	sameLines(t, "warnings", warnings, []string{
		`lib/a.star:4:17: this is always true: tags.read returns a dict; look at ["quality"] in it`,
		`lonely.star: it defines no workflow, and no other file loads it`,
		`w.star:8:23: the result of tags.write_confirm is not looked at: it ` + confirm + `write _ = tags.write_confirm(…)`,
		`w.star:9:26: the result of wait.until_tag_equals is not looked at: it ` + confirm + `write _ = wait.until_tag_equals(…)`,
		`w.star:10:9: the result of patient is not looked at: it ` + confirm + `write _ = patient(…)`,
		`w.star:11:5: res is not looked at: the result of tags.write_confirm ` + confirm + `name it _`,
		`w.star:20:26: this is always true: tags.write_confirm returns a dict; look at ["ok"] in it`,
		`w.star:22:16: this is always true: wait.until_tag_equals returns a dict; look at ["ok"] in it`,
		`w.star:23:33: this is always true: patient returns a dict; look at ["ok"] in it`,
		`w.star:31:46: this is always true: http.request returns a dict; look at ["status"] in it`,
		`w.star:37:30: tags.write will fail: line/valve: 1 is not a bool`,
		`w.star:41:9: the result of patient is not looked at: it ` + confirm + `write _ = patient(…)`,
		`w.star:41:24: patient will fail: line/speed: 500 is above max 100`,
		`w.star:49:25: this can never hold: "GOOD" is no quality`,
		`w.star:49:35: this can never hold: "Goood" is no quality`,
		`w.star:50:20: this always holds: "BAD" is no quality`,
		`w.star:51:66: none is ever equal to this: "good" is no quality`,
		`w.star:51:74: none is ever equal to this: "ok" is no quality`,
		`w.star:58:11: rt has no progres (did you mean progress?)`,
		`w.star:59:8: rt.startChild is not available yet`,
		`w.star:61:15: rt has no workflowID (did you mean workflowId?)`,
		`w.star:61:43: rt has no nothing`,
		`w.star:64:1: workflow deaf is to handle commands itself, and reaches no recvCommand: HOLD and RESUME come to nobody`,
		`w.star:70:22: rt.now is refused inside step inside: what a step does is not recorded call by call; call it from the workflow`,
		`w.star:70:35: rt.recv is refused inside step inside: what a step does is not recorded call by call; call it from the workflow`,
	})
	if n != 0 {
		t.Errorf("%d workflows of files with faults", n)
	}
}

// TestWarningsKeepNothingBack sees that a file with warnings gives its workflows.
func TestWarningsKeepNothingBack(t *testing.T) {
	t.Parallel()
	n, faults, warnings := judged(t, map[string]string{"w.star": "@workflow\ndef w():\n    tags.write_confirm(\"line/speed\", 1000)\n"})
	if n != 1 || len(faults) > 0 || len(warnings) != 2 {
		t.Errorf("%d workflows, faults %q, warnings %q", n, faults, warnings)
	}
}

// TestMethodParameters sees that check knows the parameters of rt's methods as
// they are: each that it knows is taken, and no other.
func TestMethodParameters(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	src := ""
	for method, params := range f.rt.params {
		if params.any {
			continue
		}
		for _, name := range append([]string{"nobody_knows"}, params.names...) {
			src += fmt.Sprintf("@workflow\ndef %s_%s():\n    getattr(getWorkflows(), %q)(**{%q: None})\n", method, name, method, name)
		}
	}
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
	for _, w := range b.e.Workflows() {
		info := b.result(b.start(w.Name))
		unknown := info.Error != nil && (strings.Contains(info.Error.Message, "unexpected keyword") || strings.Contains(info.Error.Message, "unexpected argument"))
		if unknown != strings.HasSuffix(w.Name, "_nobody_knows") {
			t.Errorf("%s: %+v", w.Name, info.Error)
		}
	}
}

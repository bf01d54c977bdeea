package script

import (
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
)

// TestCommandsByWorkflow sees that it is decided for each workflow, and not for
// its file, who handles its commands: by what its function can reach.
func TestCommandsByWorkflow(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"lib/ops.star": `
rt = getWorkflows()
def poll():
    return rt.recvCommand("RUNNING")
def quiet():
    return rt.now()
table = {"poll": poll}
def outer(fn):
    return fn()
`,
		"w.star": `
load("lib/ops.star", "poll", "quiet", "table", "outer", renamed = "poll")
import lib.ops as ops
rt = getWorkflows()

@workflow
def deaf():
    tags.write("line/speed", 1)

@workflow
def asks():
    def inner():
        return rt.recvCommand()
    return inner()

@workflow
def by_helper():
    return helper()

@workflow
def by_load():
    return renamed()

@workflow
def by_module():
    return ops.poll()

@workflow
def beside_it_in_the_module():
    return ops.quiet() or quiet()

@workflow
def by_table():
    return table["poll"]()

@workflow
def by_value():
    return outer(poll)

@workflow
def by_whole_module():
    return outer(lambda: getattr(ops, "poll")())

@workflow
def by_method(fn = None, *, also = None):
    return attempt(bound)

@workflow
def by_name():
    return getattr(rt, "recvCommand")()

@workflow
def by_partner():
    return ping(3)

@workflow
def in_a_step():
    return stepwise()

@workflow
def shadowed(helper = None):
    return helper

@workflow(commands = "engine")
def told():
    return helper()

@workflow(commands = "script")
def also_told():
    pass

made = workflow(name = "made")(lambda: helper())

bound = rt.recvCommand

def helper():
    return middle()

def middle():
    return [rt.recvCommand][0]()

def ping(n):
    return n and pong(n - 1)

def pong(n):
    return n and ping(n - 1) or poll()

@step
def stepwise():
    return rt.recvCommand()
`,
	}
	want := map[string]string{
		"deaf":                    "engine: it reaches no recvCommand",
		"asks":                    "script: it reaches recvCommand at w.star:13",
		"by_helper":               "script: it reaches recvCommand at w.star:80 through helper, middle",
		"by_load":                 "script: it reaches recvCommand at lib/ops.star:4 through poll",
		"by_module":               "script: it reaches recvCommand at lib/ops.star:4 through poll",
		"beside_it_in_the_module": "engine: it reaches no recvCommand",
		"by_table":                "script: it reaches recvCommand at lib/ops.star:4 through poll",
		"by_value":                "script: it reaches recvCommand at lib/ops.star:4 through poll",
		"by_whole_module":         "script: it reaches recvCommand at lib/ops.star:4 through poll",
		"by_method":               "script: it reaches recvCommand",
		"by_name":                 "script: it reaches recvCommand at w.star:50",
		"by_partner":              "script: it reaches recvCommand at lib/ops.star:4 through ping, pong, poll",
		"in_a_step":               "engine: it reaches no recvCommand",
		"shadowed":                "engine: it reaches no recvCommand",
		"told":                    `engine: commands="engine"`,
		"also_told":               `script: commands="script"`,
		"made":                    "script: it reaches recvCommand at w.star:80 through helper, middle",
	}
	for _, w := range mustLoad(t, newPlant().front(t, Options{}), files) {
		if got := w.Commands.String() + ": " + w.CommandsWhy; got != want[w.Name] {
			t.Errorf("%s: got %q, want %q", w.Name, got, want[w.Name])
		}
		delete(want, w.Name)
	}
	if len(want) > 0 {
		t.Errorf("not loaded: %v", want)
	}
}

// TestDeafNeighbour runs a workflow beside one that polls: it is the engine
// that takes its HOLD.
func TestDeafNeighbour(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": `
rt = getWorkflows()

@workflow
def polls():
    return rt.recvCommand("RUNNING", timeoutSeconds = 60)

@workflow
def works():
    rt.setEvent("at", "work")
    rt.recv("other", 3600)
`})...)
	works, polls := b.start("works"), b.start("polls")
	b.await(works, func(i engine.RunInfo) bool { return i.Events["at"] != nil })
	for _, id := range []string{works, polls} {
		if _, err := b.e.Command(t.Context(), id, isa88.Hold, "", "test"); err != nil {
			t.Fatal(err)
		}
	}
	b.await(works, func(i engine.RunInfo) bool { return i.State == isa88.Held })
	if info := b.result(polls); info.Status != engine.Success || !strings.Contains(shown(t, info.Result), `"cmd":"HOLD"`) {
		t.Errorf("polls ended as %s with %s", info.Status, shown(t, info.Result))
	}
}

// TestStopGrace sees the option checked, and carried into the run's header.
func TestStopGrace(t *testing.T) {
	t.Parallel()
	load := func(option string) ([]engine.Workflow, []Fault) {
		return newPlant().front(t, Options{}).LoadDir(writeFiles(t, map[string]string{"w.star": "@workflow(stop_grace = " + option + ")\ndef w():\n    getWorkflows().recvCommand()\n"}))
	}
	for option, want := range map[string]string{"2.5": "2.5s", "None": "0s", "60": "1m0s"} {
		ws, faults := load(option)
		if len(faults) > 0 || ws[0].StopGrace.String() != want {
			t.Errorf("%s: %v, %v", option, ws, faults)
		}
	}
	for _, option := range []string{"0", "-1", `"10s"`, "True", "float('nan')"} {
		if _, faults := load(option); len(faults) != 1 || faults[0].Line != 1 || !strings.Contains(faults[0].Message, "stop_grace is ") {
			t.Errorf("%s: %v", option, faults)
		}
	}
}

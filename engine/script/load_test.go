package script

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/journal"
)

// TestDecorators sees that decorators, imports and "..." are found where they
// are, and nowhere else.
func TestDecorators(t *testing.T) {
	t.Parallel()
	src := `"""A docstring
@workflow(name="in a docstring")
from nowhere import nothing
"""
from exchange.workflows.bootstrap import (  # of the seed
    workflow,
    step as unit,
)
from exchange.workflows.steps import tags as t, http; import holdfast as hf
import exchange.workflows.steps.tags as tt
# @workflow(name="in a comment")
text = '''
@step(name="in a string")
from a import b
''' + "@x" + r'\d' + "\"@y\""

order = []

def mark(name):
    def of(fn):
        order.append(name)
        return fn
    return of

@mark("outer")
# a comment, and a blank line

@mark(
    "in" +
    "ner",  # with a comment, and (
)
def both(x):
    ...; x += 1
    if x: ...
    return [x]

@unit
def plain(x): return x

if True:
    def nested():
        "@step"
        ...

größe = "süß"; out = order + both(1)

@workflow
def w(): return [out, plain(3), t.read("line/speed")["value"], tt.read("line/speed")["value"], hf.tags.read("line/speed")["value"],
                 größe, len(text), nested(), db.update("d", sql="x")["rows_affected"], [x for x in (1, 2) if x > 1],
                 (1 +
                  2)]
`
	info, _ := run(t, Options{}, src)
	want := fmt.Sprintf(`[["inner","outer",2],3,7,7,7,"süß",%d,null,1,[2],3]`, len("\n@step(name=\"in a string\")\nfrom a import b\n@x\\d\"@y\""))
	if got := shown(t, info.Result); got != want {
		t.Errorf("got %s, %+v, want %s", got, info.Error, want)
	}
}

// TestPositions compares the positions in a traceback with those of the file.
func TestPositions(t *testing.T) {
	t.Parallel()
	src := strings.Join([]string{
		`from holdfast import workflow`,
		`@workflow(`,
		`    name="w",`,
		`)`,
		`def w():`,
		`    ...; x = helper("ä", 3); y = 1`,
		``,
		`def helper(s, n):`,
		`    return [s + n for i in range(3)]`,
	}, "\r\n")
	info, _ := run(t, Options{}, src)
	want := "w.star:6:20: in w\nw.star:9:15: in helper"
	if info.Error == nil || info.Error.Traceback != want || info.Error.Type != "ScriptError" || info.Error.Message != "unknown binary op: string + int" {
		t.Errorf("got %+v, want the traceback\n%s", info.Error, want)
	}
}

// TestWorkflowOptions compares what the engine gets to know with what the
// decorator says.
func TestWorkflowOptions(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	ws := mustLoad(t, f, map[string]string{"sub/full.star": `
@workflow(name="full", timeout_s=1.5, queue="default", commands="engine", on_power_loss="hold", description="All of them",
          safe_state={"line/valve": False, "line/speed": 0})
def full_fn(a, b=[1, 2], *, c, d="x", **more):
    recvCommand = 1

@workflow(on_power_loss="stop")
def short(): pass

again = workflow("other")(lambda x=None: x)
`})
	if len(ws) != 3 || ws[0].Name != "full" || ws[1].Name != "other" || ws[2].Name != "short" {
		t.Fatalf("got %+v", ws)
	}
	w := ws[0]
	in := ""
	for _, i := range w.Inputs {
		in += fmt.Sprintf("%s %v %s; ", i.Name, i.Required, shown(t, i.Default))
	}
	safe := ""
	for _, s := range w.SafeState {
		safe += s.Tag + "=" + shown(t, s.Value) + " "
	}
	got := fmt.Sprint(w.Description, w.File, w.Timeout, w.Commands, w.OnPowerLoss, w.AnyInput, " ", in, safe)
	want := fmt.Sprint("All of them", "sub/full.star:4", 1500*time.Millisecond, engine.ByEngine, engine.HoldAfterLoss, true, " ",
		`a true null; b false [1,2]; c true null; d false "x"; `, "line/valve=false line/speed=0 ")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if ws[2].OnPowerLoss != engine.StopAfterLoss || ws[2].Commands != engine.ByEngine || ws[1].File != "sub/full.star:10" {
		t.Errorf("got %+v", ws[1:])
	}
}

// TestCommandsAuto sees that what counts is a file's code, not its comments.
func TestCommandsAuto(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	for body, want := range map[string]engine.CommandMode{
		"    # recvCommand\n    return \"rt.recvCommand\"":        engine.ByEngine,
		"    return getWorkflows().recvCommand()":                 engine.ByScript,
		"    return getWorkflows\ndef g(rt):\n    rt.recvCommand": engine.ByEngine, // nothing calls g
	} {
		if ws := mustLoad(t, f, map[string]string{"a.star": "@workflow\ndef a():\n" + body + "\n"}); ws[0].Commands != want {
			t.Errorf("%s: commands are handled by %v", body, ws[0].Commands)
		}
	}
}

// TestLoads loads files that load others, in all forms, and compares running
// from the folder with running from the bundle.
func TestLoads(t *testing.T) {
	t.Parallel()
	p := newPlant()
	f := p.front(t, Options{})
	files := map[string]string{
		"lib/units.star":     "load(\"lib/deep/base.star\", \"BASE\")\ndef clamp(v, lo, hi): return max(lo, min(hi, v))\nLIMITS = {\"hi\": 100 + BASE}\n_private = 1\n",
		"lib/deep/base.star": "BASE = 5\n@step(name=\"lib.double\")\ndef double(x): return 2 * x\n",
		"sub/main.star": `
from lib.units import clamp, LIMITS as L
import lib.units as units
load("lib/deep/base.star", "double", b="BASE")
@workflow(name="main")
def main(): return [clamp(500, 0, L["hi"]), units.clamp(1, 2, 3), double(b), dir(units)]
`,
		"unused.star": "x = 1\n",
	}
	dir := writeFiles(t, files)
	ws, faults := f.LoadDir(dir)
	if len(faults) > 0 || len(ws) != 1 {
		t.Fatal(ws, faults)
	}
	if bytes.Contains(ws[0].Source.Bundle, []byte("unused")) || !bytes.Contains(ws[0].Source.Bundle, []byte("BASE = 5")) {
		t.Errorf("the bundle is %q", ws[0].Source.Bundle)
	}
	again, faults := newPlant().front(t, Options{}).LoadDir(dir)
	if len(faults) > 0 || again[0].Source.Hash != ws[0].Source.Hash || !bytes.Equal(again[0].Source.Bundle, ws[0].Source.Bundle) {
		t.Error("the same files give another bundle")
	}
	pinned, err := f.Load(ws[0].Source.Bundle, "main")
	if err != nil {
		t.Fatal(err)
	}
	if pinned.Source.Hash != ws[0].Source.Hash {
		t.Error("the bundle's workflow has another bundle")
	}
	for _, w := range []engine.Workflow{ws[0], pinned} {
		b := boot(t, t.TempDir(), f, journal.Options{}, w)
		info := b.result(b.start("main"))
		if got, want := shown(t, info.Result), `[105,2,10,["LIMITS","clamp"]]`; got != want {
			t.Errorf("got %s, %+v", got, info.Error)
		}
	}
	for what, err := range map[string]error{
		"its pinned source does not define it": second(f.Load(pinned.Source.Bundle, "other")),
		"cut short":                            second(f.Load([]byte{0xa1}, "main")),
		"it is no bundle of files":             second(f.Load([]byte{0x01}, "main")),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, not %s", err, what)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestFaultsOfManyFiles sees all faults of all files, each once.
func TestFaultsOfManyFiles(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	dir := writeFiles(t, map[string]string{
		"a.star":     "from b import x\n",
		"b.star":     "load(\"c.star\", \"y\")\nx = 1\n",
		"c.star":     "import a as aa\ny = 2\n",
		"d.star":     "from e import ok, okk\nfrom lib.nothing import z\n@workflow(name=\"same\")\ndef d(): pass\n",
		"e.star":     "ok = 1\n@workflow(name=\"good\")\ndef e(): pass\n@step(name=\"s\")\ndef s(): pass\n",
		"f.star":     "@workflow(name=\"good\")\ndef g(): pass\n@step(name=\"s\")\ndef s(): pass\n",
		"g.star":     "from h import x\n",
		"h.star":     "x = 1 / 0\n",
		"sub/i.star": "raise x\n",
		"n.star":     "@workflow(name=\"alone\")\ndef n(): pass\n",
		"j.star":     "from sub.i import z\n",
		"k.txt":      "not a workflow file",
		"l.star":     "load(\"m.star\", \"fn\")\nfn(3)\n",
		"m.star":     "def fn(n):\n    return [][n]\n",
	})
	ws, faults := f.LoadDir(dir)
	var got []string
	for _, ft := range faults {
		got = append(got, strings.TrimPrefix(ft.Error(), dir+string(filepath.Separator)))
	}
	want := []string{
		"a.star:1:6: cannot load b.star: the files load each other: b.star → c.star → a.star → b.star",
		"b.star:1:6: cannot load c.star: the files load each other: c.star → a.star → b.star → c.star",
		"c.star:1:8: cannot load a.star: the files load each other: a.star → b.star → c.star → a.star",
		"d.star:1:19: e.star has no okk (did you mean ok?)",
		"d.star:2:6: cannot load lib/nothing.star: no such file below the workflows directory",
		`f.star:2:1: workflow "good" is already defined at e.star:3`,
		`f.star:4:1: step "s" is already defined at e.star:5`,
		"h.star:1:7: floating-point division by zero",
		`m.star:2:14: index 3 out of range: empty list`,
		"sub/i.star:1:1: there is no raise: use fail(\"…\")",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(ws) != 1 || ws[0].File != "n.star:2" { // neither of the two that are called good
		t.Errorf("got workflows %+v", ws)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	ws, faults := f.LoadDir(filepath.Join(t.TempDir(), "none"))
	if len(ws) > 0 || len(faults) != 1 || !strings.Contains(faults[0].Message, "cannot read: ") || faults[0].Line != 0 {
		t.Errorf("got %v, %v", ws, faults)
	}
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "a.star")); err != nil {
		t.Fatal(err)
	}
	if _, faults = f.LoadDir(dir); len(faults) != 1 || faults[0].File != filepath.Join(dir, "a.star") {
		t.Errorf("got %v", faults)
	}
}

// TestText sees what no editor shows.
func TestText(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	for text, want := range map[string]string{
		"\ufeff@workflow\ndef w(): pass\n": "",
		"x = \"\ufffd\"\n":                 "",
		"x = 1\r\ny = \"\xe4\"\n":          "2:6: the file is not UTF-8 here: save it as UTF-8",
		"x = 1\rfail(\"a\")\x00\n":         "2:10: the file has a NUL character here: it is no text",
		"\ufeffx = 1\nwhile y: pass\n":     "2:7: undefined: y",
		"def f():\n\treturn 1\n\n\nf(1)\n": "5:2: function f accepts no arguments (1 given)",
	} {
		dir := writeFiles(t, map[string]string{"x.star": text})
		_, faults := f.LoadDir(dir)
		got := ""
		for _, ft := range faults {
			got += strings.TrimPrefix(ft.Error(), filepath.Join(dir, "x.star:"))
		}
		if got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	p := newPlant()
	for want, steps := range map[string][]engine.Step{
		"step tags.read is given twice":                     {p.steps()[0], p.steps()[0]},
		`step "read" is not named as module.function`:       {&fakeStep{name: "read"}},
		"step a.b: default of x: a chan int cannot be kept": {&fakeStep{name: "a.b", params: []engine.Param{{Name: "x", Default: make(chan int)}}}},
	} {
		if _, err := New(Options{Steps: steps}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

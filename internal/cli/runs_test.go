package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"holdfast/internal/control/controltest"
)

func TestStartPrintsTheID(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	id := start(t, d, "test.count", "n=7")
	var shown map[string]any
	hf(t, d.Socket, "show", id, "-o", "json").want(t, 0, id, "").decode(t, &shown)
	if in, _ := shown["inputs"].(map[string]any); in["n"] != 7.0 {
		t.Errorf("inputs are %v", shown["inputs"])
	}
	hf(t, d.Socket, "start", "test.count", "--id", "mine").want(t, 0, "mine\n", "")
	hf(t, d.Socket, "start", "test.count", "--id", "mine").want(t, 0, "mine\n", "it had been started before")
	var started map[string]any
	hf(t, d.Socket, "start", "test.count", "--id", "mine", "-o", "json").want(t, 0, "mine", "").decode(t, &started)
	if len(started) != 2 || started["id"] != "mine" || started["deduplicated"] != true {
		t.Errorf("start as JSON is %v", started)
	}
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	for _, c := range []struct {
		code       int
		args, want string
	}{
		{4, "start test.cuont", "holdfast: cannot start test.cuont: no such workflow\nhint: did you mean test.count?\n"},
		{2, "start test.count m=1", `unknown input "m", allowed are n`},
		{2, "start test.idle", `input "batch" is missing`},
		{2, "start test.count n", `holdfast: cannot run start: "n" is not an input, which is KEY=VALUE`},
		{2, "start test.count =5", `"=5" has no key`},
		{2, "start test.count n=1 n=2", "input n is given twice"},
		{2, "start test.count --input [1]", "--input is not a JSON object"},
		{2, "start test.count --timeout -1s", "--timeout -1s is not a number of milliseconds"},
		{2, "start test.count --id ..", "an id has 1 to 128"},
		{2, "start", "an argument is missing\nhint: usage: holdfast start WORKFLOW [KEY=VALUE …]\n"},
	} {
		if c.args == "start test.count --id .." {
			continue
		}
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			hf(t, d.Socket, strings.Fields(c.args)...).want(t, c.code, "", c.want)
		})
	}
}

func TestStartInputs(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	r := runIn(t.Context(), deps(d.Socket), `{"batch": "from stdin", "n": 1}`, "start", "test.count", "--input", "-")
	r.want(t, 2, "", `unknown input "batch"`)
	for text, want := range map[string]string{
		"n=1.0": "1.0", "n=true": "true", "n=null": "null", "n=": `""`, "n=a b": `"a b"`, `n="5"`: `"5"`, "n=[1,{\"a\":2}]": `[1,{"a":2}]`,
		"n=x=y": `"x=y"`, "n=007": `"007"`, "n=NaN": `"NaN"`,
	} {
		id := start(t, d, "test.count", "--input", `{"n": "overridden"}`, text)
		var shown struct{ Inputs json.RawMessage }
		hf(t, d.Socket, "show", id, "-o", "json").want(t, 0, id, "").decode(t, &shown)
		if got := strings.Join(strings.Fields(string(shown.Inputs)), ""); got != strings.ReplaceAll(`{"n":`+want+`}`, " ", "") {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestStartWait(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	r := hf(t, d.Socket, "start", "test.count", "--wait").want(t, 0, "SUCCESS after ", "")
	lines := strings.Split(r.out, "\n")
	if got := strings.Join(lines[1:4], "|"); got != "filling (1/3)|filling (2/3)|filling (3/3)" || !strings.HasSuffix(r.out, `: {"n":5}`+"\n") {
		t.Errorf("progress was:\n%s", r.out)
	}
	j := hf(t, d.Socket, "start", "test.count", "--wait", "-o", "json")
	j.want(t, 0, `"id"`, "filling (3/3)")
	var started map[string]any
	j.decode(t, &started)
	hf(t, d.Socket, "start", "test.fail", "--wait").want(t, 1, "\n", "it ended with ERROR: GuardRefused: line/speed_sp: 500 is above max 100\nhint: holdfast show ")
}

func TestStartWaitInterrupted(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	b := goRun(t, d.Socket, "start", "test.gate", "--id", "gate1", "--wait")
	b.out.await(t, "loop 1/2\n")
	b.interrupt()
	b.ends(t, 1)
	if want := "holdfast: cannot wait for run gate1: interrupted\nhint: it goes on: holdfast show gate1, holdfast stop gate1\n"; b.err.String() != want {
		t.Errorf("stderr is %q", b.err)
	}
	hf(t, d.Socket, "show", "gate").want(t, 0, "status      RUNNING", "")
}

func TestStartWaitShowsStateAndDoubt(t *testing.T) {
	t.Parallel()
	d := controltest.StartInDoubt(t)
	b := goRun(t, d.Socket, "start", "test.doubt", "--id", "doubtful", "--wait")
	b.out.await(t, "holdfast resolve doubtful done ")
	hf(t, d.Socket, "resolve", "doubt", "done", "--value", `{"outcome": "accepted"}`).want(t, 0, "doubtful  goes on with the answer done\n", "")
	b.ends(t, 0)
	b.out.await(t, `SUCCESS after`)

	s := goRun(t, d.Socket, "start", "test.script", "--id", "s1", "--wait")
	s.out.await(t, "s1\n")
	hf(t, d.Socket, "hold", "s1", "--wait", "20s").want(t, 0, "s1  HOLD taken", "")
	s.out.await(t, "HELD by ")
	hf(t, d.Socket, "stop", "s1").want(t, 0, "s1  STOP sent\n", "")
	s.ends(t, 0)
}

func TestRunIsAPrefix(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.gate", "--id", "batch-1")
	start(t, d, "test.gate", "--id", "batch-2")
	hf(t, d.Socket, "show", "batch-2").want(t, 0, "run         batch-2", "")
	hf(t, d.Socket, "show", "batch").want(t, 2, "", "batch is the beginning of several runs: ")
	hf(t, d.Socket, "show", "nix").want(t, 4, "", "holdfast: cannot show run nix: no such run: nix\nhint: holdfast runs lists")
	hf(t, d.Socket, "show", "..").want(t, 4, "", "there is no run \"..\"")
	hf(t, d.Socket, "show", "a/b").want(t, 2, "", "is not a run's id")
}

func TestRunsSelects(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	gate := start(t, d, "test.gate")
	hf(t, d.Socket, "start", "test.count", "--wait").want(t, 0, "SUCCESS", "")
	list := func(args ...string) (all []map[string]any) {
		hf(t, d.Socket, append([]string{"runs", "-o", "json"}, args...)...).want(t, 0, "[", "").decode(t, &all)
		return all
	}
	if all := list(); len(all) != 2 || all[0]["workflow"] != "test.count" || all[1]["id"] != gate {
		t.Errorf("runs are %v", all)
	}
	if all := list("--status", "success"); len(all) != 1 || all[0]["workflow"] != "test.count" {
		t.Errorf("runs of status SUCCESS are %v", all)
	}
	if all := list("--workflow", "test.gate"); len(all) != 1 || all[0]["id"] != gate {
		t.Errorf("runs of test.gate are %v", all)
	}
	if all := list("--since", "1h", "--limit", "1"); len(all) != 1 {
		t.Errorf("with --limit 1 there are %d runs", len(all))
	}
	if all := list("--since", "2999-01-01"); len(all) != 0 {
		t.Errorf("in the future there are %d runs", len(all))
	}
	hf(t, d.Socket, "runs").want(t, 0, "RUN ", "")
	hf(t, d.Socket, "runs", "--status", "done").want(t, 2, "", "allowed are ENQUEUED, RUNNING, SUCCESS, ERROR, CANCELLED")
	hf(t, d.Socket, "runs", "--since", "yesterday").want(t, 2, "", "neither a duration")
	hf(t, d.Socket, "runs", "--limit", "0").want(t, 2, "", "it takes 1 or more")
}

// TestRunJSON holds the keys of the contract.
func TestRunJSON(t *testing.T) {
	t.Parallel()
	d := controltest.StartInDoubt(t)
	var shown map[string]any
	hf(t, d.Socket, "show", "doubtful", "-o", "json").want(t, 0, "doubtful", "").decode(t, &shown)
	for _, key := range strings.Fields(`id workflow status state queue partition priority dedup_id inputs result error events
		created_at started_at completed_at deadline recoveries in_doubt`) {
		if _, ok := shown[key]; !ok {
			t.Errorf("a run has no %s", key)
		}
	}
	doubt, _ := shown["in_doubt"].(map[string]any)
	if doubt["step"] != "tags.write" || doubt["tag"] != "line/speed_sp" || doubt["target"] != 50.0 || doubt["before"] != 40.0 || doubt["now"] != 45.0 {
		t.Errorf("in_doubt is %v", doubt)
	}
	if at, _ := shown["created_at"].(string); !strings.HasSuffix(at, "Z") {
		t.Errorf("created_at is %s", at)
	}
	var steps []map[string]any
	hf(t, d.Socket, "steps", "doubtful", "-o", "json").want(t, 0, "[", "").decode(t, &steps)
	if len(steps) != 1 {
		t.Fatalf("steps are %v", steps)
	}
	for _, key := range strings.Fields("seq name status args result error attempts started_at completed_at recovered") {
		if _, ok := steps[0][key]; !ok {
			t.Errorf("a step has no %s", key)
		}
	}
	hf(t, d.Socket, "steps", "doubtful").want(t, 0, "tags.write", "")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	b := goRun(t, d.Socket, "start", "test.gate", "--id", "g1", "--wait")
	b.out.await(t, "loop 1/2")
	f := goRun(t, d.Socket, "logs", "g1", "-f", "-o", "json")
	f.out.await(t, "loop 1/2")
	stopped := goRun(t, d.Socket, "logs", "g1", "--follow")
	stopped.out.await(t, "  loop 1/2\n")
	stopped.interrupt()
	stopped.ends(t, 0)
	hf(t, d.Socket, "send", "g1", `{"go": 1}`, "--topic", "go").want(t, 0, "g1  message ", "")
	f.ends(t, 0)
	for _, line := range strings.Split(strings.TrimSpace(f.out.String()), "\n") {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil || e["stream"] != "log" {
			t.Errorf("line %q: %v", line, err)
		}
	}
	b.ends(t, 0)
	hf(t, d.Socket, "logs", "g1").want(t, 0, "  loop 2/2\n", "")
	var all []map[string]any
	hf(t, d.Socket, "logs", "g1", "-o", "json").want(t, 0, "[", "").decode(t, &all)
	if len(all) != 2 {
		t.Errorf("the log has %d lines", len(all))
	}
	hf(t, d.Socket, "logs", "nix", "-f").want(t, 4, "", "cannot follow the log of run nix: no such run")
}

// More steps and log entries than a page or a block of a table has come as one
// list, in either format.
func TestLongLists(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	if err := d.Engine.Register(controltest.Many()); err != nil {
		t.Fatal(err)
	}
	start(t, d, "test.many", "--id", "m1", "n=1200", "size=2000")
	hf(t, d.Socket, "send", "m1", "1", "--topic", "go").want(t, 0, "sent", "")
	hf(t, d.Socket, "logs", "m1", "-f").want(t, 0, "counted", "") // until it has ended
	var steps, log []map[string]any
	hf(t, d.Socket, "steps", "m1", "-o", "json").want(t, 0, "[\n  {\n    \"seq\": 0,", "").decode(t, &steps)
	hf(t, d.Socket, "logs", "m1", "-o", "json").want(t, 0, "[\n  {", "").decode(t, &log)
	if len(steps) != 1200 || len(log) != 1200 || steps[1199]["args"].(map[string]any)["i"] != 1199.0 {
		t.Errorf("%d steps, %d entries, the last is %.200v", len(steps), len(log), steps[len(steps)-1])
	}
	for verb, lines := range map[string]int{"steps": 1201, "logs": 1200} {
		r := hf(t, d.Socket, verb, "m1").want(t, 0, "\n", "")
		if n := strings.Count(r.out, "\n"); n != lines {
			t.Errorf("%s prints %d lines, want %d", verb, n, lines)
		}
	}
	hf(t, d.Socket, "steps", "nix", "-o", "json").want(t, 4, "", "cannot list the steps of run nix: no such run")
	hf(t, d.Socket, "logs", "nix").want(t, 4, "", "cannot show the log of run nix: no such run")
}

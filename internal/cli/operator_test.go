package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/internal/control/controltest"
)

func TestOperatorVerbs(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.idle", "batch=1", "--id", "i1")
	hf(t, d.Socket, "hold", "i1", "--reason", "jam", "--wait", "20s").want(t, 0, "i1  HOLD taken, state H", "")
	var sent map[string]any
	hf(t, d.Socket, "resume", "i1", "--wait", "20s", "-o", "json").want(t, 0, "{", "").decode(t, &sent)
	if fate, _ := sent["fate"].(map[string]any); sent["run"] != "i1" || sent["command"] != "RESUME" || sent["accepted"] != true || fate["taken"] != true {
		t.Errorf("resume as JSON is %v", sent)
	}
	hf(t, d.Socket, "resume", "i1", "--wait", "20s").want(t, 5, "i1  RESUME not allowed in ", "holdfast: cannot resume run i1: RESUME was not taken: not allowed in ")
	hf(t, d.Socket, "abort", "i1", "--wait", "20s").want(t, 0, "i1  ABORT taken", "")
	hf(t, d.Socket, "stop", "nix").want(t, 4, "", "holdfast: cannot stop run nix: no such run")
}

func TestCommandNotTakenInTime(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.deaf", "--id", "deaf")
	hf(t, d.Socket, "hold", "deaf", "--wait", "50ms").want(t, 75, "deaf  HOLD sent\n",
		"holdfast: cannot hold run deaf: HOLD is set; it waits for the script to ask for it, which is at ")
	hf(t, d.Socket, "stop", "deaf", "--wait", "50ms").want(t, 75, "deaf  STOP sent\n", "; the engine takes it in 9.")
	start(t, d, "test.gate", "--id", "stuck")
	hf(t, d.Socket, "stop", "stuck", "--wait", "0s").want(t, 0, "stuck  STOP sent\n", "")
	b := goRun(t, d.Socket, "stop", "deaf", "--wait", "1h")
	b.interrupt()
	if code := <-b.code; code != 1 && code != 6 { // 6: interrupted before the command was answered
		t.Errorf("exit code %d\n%s", code, b.err)
	}
}

func TestCommandToSelection(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.idle", "batch=1", "--id", "i1")
	start(t, d, "test.idle", "batch=2", "--id", "i2")
	start(t, d, "test.script", "--id", "s1")
	var all []map[string]any
	hf(t, d.Socket, "hold", "--workflow", "test.idle", "--wait", "20s", "-o", "json").want(t, 0, "[", "").decode(t, &all)
	if len(all) != 2 {
		t.Errorf("the command went to %v", all)
	}
	hf(t, d.Socket, "hold", "--workflow", "test.gate").want(t, 0, "", "there is no live run there\n")
	hf(t, d.Socket, "hold", "--partition", "p").want(t, 5, "", "cannot hold the selected runs: runs cannot be selected by partition: partitions are not available yet\n")
	hf(t, d.Socket, "hold", "--workflow", "test.idel").want(t, 4, "", "cannot hold the selected runs: there is no workflow test.idel\nhint: holdfast workflows")
	r := hf(t, d.Socket, "stop", "--all", "--wait", "20s").want(t, 0, "STOP taken", "")
	if n := strings.Count(r.out, "STOP taken"); n != 3 || !strings.HasSuffix(r.out, "\n3 of 3 runs told, taken by 3\n") {
		t.Errorf("stop --all reached %d of 3 runs:\n%s", n, r.out)
	}
	for _, c := range []string{"hold", "hold x --all", "hold --all --workflow w", "hold x y"} {
		hf(t, d.Socket, strings.Fields(c)...).want(t, 2, "", "hint: usage: holdfast hold RUN | --all | --workflow W | --partition P\n")
	}
	hf(t, d.Socket, "hold", "--all", "--wait", "-1s").want(t, 2, "", "--wait is negative")
}

// Runs whose state does not allow the command are shown. They are a failure only
// where they are not, and will not be, where it leads.
func TestCommandRefusedInSelection(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.idle", "batch=1", "--id", "i1")
	start(t, d, "test.idle", "batch=2", "--id", "i2")
	hf(t, d.Socket, "hold", "i1", "--wait", "20s").want(t, 0, "i1  HOLD taken, state H", "")
	hf(t, d.Socket, "hold", "--all", "--wait", "20s").want(t, 0, "i1  HOLD refused: not allowed in HELD\n1 of 2 runs told, taken by 1\n", "")
	hf(t, d.Socket, "hold", "--all").want(t, 0, "0 of 2 runs told\n", "")
	hf(t, d.Socket, "resume", "i2", "--wait", "20s").want(t, 0, "i2  RESUME taken", "")
	hf(t, d.Socket, "resume", "--all", "--wait", "20s").want(t, 0, "1 of 2 runs told, taken by 1\n", "")
	hf(t, d.Socket, "reset", "--all").want(t, 5, "0 of 2 runs told\n", "holdfast: cannot reset run i1: not allowed in RUNNING\n")
	var all []map[string]any
	hf(t, d.Socket, "reset", "--workflow", "test.idle", "-o", "json").want(t, 5, "[", "cannot reset run i1").decode(t, &all)
	for _, sent := range all {
		fate, _ := sent["fate"].(map[string]any)
		why, _ := sent["error"].(map[string]any)
		if sent["accepted"] != false || fate["taken"] != false || fate["state"] != "RUNNING" || why["code"] != "refused" {
			t.Errorf("a refused command is %v", sent)
		}
	}
}

// With more runs than workers, those that are told STOP make room for others: each
// run that was there is told all the same, and in the end none is left.
func TestStopAllReachesEveryRun(t *testing.T) {
	t.Parallel()
	const workers, runs, rounds = 3, 40, 5
	d := controltest.StartBusy(t, workers)
	inputs, err := value.Encode(value.NewMap("batch", 1))
	if err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		word := []string{"stop", "abort"}[round%2]
		ids := make([]string, runs)
		for i := range ids {
			s, err := d.Engine.Start(t.Context(), engine.StartRequest{Workflow: "test.idle", Inputs: inputs})
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = s.ID
		}
		r := hf(t, d.Socket, word, "--all").want(t, 0, fmt.Sprintf("\n%d of %d runs told\n", runs, runs), "")
		for _, id := range ids {
			if !strings.Contains(r.out, id+"  "+strings.ToUpper(word)+" sent\n") {
				t.Fatalf("round %d: run %s was not told:\n%s", round, id, r.out)
			}
			hf(t, d.Socket, "start", "test.idle", "--id", id, "batch=1", "--wait").want(t, 1, id, "it ended with CANCELLED")
		}
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.script", "--id", "s1")
	hf(t, d.Socket, "send", "s1", "FLY").want(t, 2, "", "holdfast: cannot send to run s1: ")
	hf(t, d.Socket, "send", "s1", "{fly").want(t, 2, "", "neither JSON")
	hf(t, d.Socket, "send", "s1", "two words").want(t, 2, "", "neither JSON")
	hf(t, d.Socket, "send", "s1", "-5", "--topic", "numbers").want(t, 0, "s1  message ", "")
	var receipt map[string]any
	hf(t, d.Socket, "send", "s1", "STOP", "-o", "json").want(t, 0, "{", "").decode(t, &receipt)
	if receipt["run"] != "s1" {
		t.Errorf("the receipt is %v", receipt)
	}
	hf(t, d.Socket, "start", "test.script", "--id", "s1", "--wait").want(t, 0, "SUCCESS", "it had been started before")
	hf(t, d.Socket, "send", "s1", "HOLD").want(t, 5, "", "run s1 has ended")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.gate", "--id", "g1")
	hf(t, d.Socket, "cancel", "g1", "--reason", "wrong batch").want(t, 0, "g1  is being cancelled\n", "")
	hf(t, d.Socket, "start", "test.gate", "--id", "g1", "--wait").want(t, 1, "g1\n", "cannot finish run g1: it ended with CANCELLED")
	hf(t, d.Socket, "cancel", "g1").want(t, 5, "", "holdfast: cannot cancel: run g1 has ended\n")
}

func TestResolveRefusals(t *testing.T) {
	t.Parallel()
	d := controltest.StartInDoubt(t)
	start(t, d, "test.gate", "--id", "g1")
	hf(t, d.Socket, "resolve", "g1", "done").want(t, 5, "", "cannot resolve run g1: run g1 is not in doubt")
	hf(t, d.Socket, "resolve", "doubtful", "maybe").want(t, 2, "", "allowed are done, retry, fail")
	hf(t, d.Socket, "resolve", "doubtful", "retry", "--value", "1").want(t, 2, "", "--value goes with done only")
	hf(t, d.Socket, "resolve", "doubtful", "done", "--value", "{").want(t, 2, "", "--value is not JSON")
	hf(t, d.Socket, "runs").want(t, 0, "IN DOUBT: holdfast show doubtful", "")
	var done map[string]any
	hf(t, d.Socket, "resolve", "doubtful", "fail", "-o", "json").want(t, 0, "{", "").decode(t, &done)
	hf(t, d.Socket, "start", "test.doubt", "--id", "doubtful", "--wait").want(t, 1, "doubtful\n", "cannot finish run doubtful: it ended with ERROR")
}

package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/control/controltest"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"stat":                   "holdfast: cannot run: unknown command \"stat\"\nhint: did you mean holdfast status?\n",
		"hodl":                   "holdfast: cannot run: unknown command \"hodl\"\nhint: did you mean holdfast hold?\n",
		"frobnicate":             "holdfast: cannot run: unknown command \"frobnicate\"\nhint: holdfast help lists the commands\n",
		"tags wirte":             "holdfast: cannot run tags: unknown command \"wirte\"\nhint: did you mean holdfast tags write?\n",
		"tags frobnicate":        "holdfast: cannot run tags: unknown command \"frobnicate\"\nhint: allowed are list, read, watch, write\n",
		"runs --stauts RUNNING":  "holdfast: cannot run runs: unknown flag --stauts\nhint: did you mean --status?\n",
		"runs --frobnicate":      "holdfast: cannot run runs: unknown flag --frobnicate\nhint: usage: holdfast runs\n",
		"runs -z":                "holdfast: cannot run runs: unknown flag -z\nhint: usage: holdfast runs\n",
		"runs --limit many":      `invalid argument "many" for "--limit" flag`,
		"runs --status":          "flag needs an argument: --status\n",
		"runs x":                 "\"x\" is one argument too many\n",
		"runs -o yaml":           `-o is "yaml", allowed are table, json`,
		"status --sokcet /x":     "hint: did you mean --socket?\n",
		"logs -5":                "unknown flag -5",
		"completion csh":         "unknown shell \"csh\"\nhint: allowed are bash, zsh, fish, powershell\n",
		"tags write a -5 x y":    "\"y\" is one argument too many",
		"resolve r":              "hint: usage: holdfast resolve RUN done|retry|fail [--value JSON]\n",
		"start w --timeout soon": `invalid argument "soon"`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			r := hf(t, "/nowhere", strings.Fields(args)...).want(t, 2, "", want)
			if n := strings.Count(r.err, "\n"); n > 2 || !strings.HasPrefix(r.err, "holdfast: cannot ") {
				t.Errorf("an error is one line and a hint:\n%s", r.err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		r := hf(t, "/nowhere", args...).want(t, 0, "Available Commands:", "")
		for verb := range strings.FieldsSeq("serve demo check config status workflows start runs show steps logs hold resume stop abort reset send cancel resolve tags journal version completion") {
			if !strings.Contains(r.out, "\n  "+verb+" ") {
				t.Errorf("help does not name %s", verb)
			}
		}
	}
	hf(t, "/nowhere", "tags").want(t, 0, "holdfast tags [command]", "")
	hf(t, "/nowhere", "start", "--help").want(t, 0, "--dedup-id", "")
}

func TestLocalVerbs(t *testing.T) {
	t.Parallel()
	const none = "/nowhere"
	hf(t, none, "version").want(t, 0, "holdfast v0.0.0-test (go", "")
	var v map[string]any
	hf(t, none, "version", "-o", "json").want(t, 0, "{", "").decode(t, &v)
	if v["version"] != "v0.0.0-test" {
		t.Errorf("version is %v", v)
	}
	hf(t, none, "config", "schema").want(t, 0, "{\"type\":\"object\"}\n", "")
	hf(t, none, "completion", "bash").want(t, 0, "complete", "")
	hf(t, none, "completion", "fish").want(t, 0, "complete -c holdfast", "")
	hf(t, none, "demo", "--dir", "/d").want(t, 0, "demo in /d, terminal false\n", "")

	hf(t, none, "check", "--plan", "--config", "good.yaml").want(t, 0, "plan true\ngood.yaml: no faults\n", "")
	hf(t, none, "check", "--config", "bad.yaml").want(t, 78, "plan false\n",
		"bad.yaml:1:1: fault one\nbad.yaml:2:1: fault two\nholdfast: cannot use bad.yaml: the configuration has 2 faults\n")
	var c struct {
		OK     bool
		Faults []string
		Notes  []string
	}
	hf(t, none, "check", "--config", "bad.yaml", "-o", "json").want(t, 78, "{", "fault two").decode(t, &c)
	if c.OK || len(c.Faults) != 2 || len(c.Notes) != 1 {
		t.Errorf("check as JSON is %+v", c)
	}
	hf(t, none, "serve", "--config", "h.yaml").want(t, 78, "",
		"h.yaml:3:1: unknown key \"tag\", did you mean tags?\nholdfast: cannot serve h.yaml: the configuration has a fault\n")
}

// TestSocketPrecedence looks at which socket is not to be reached.
func TestSocketPrecedence(t *testing.T) {
	t.Parallel()
	d := deps("")
	run := func(args ...string) string {
		r := runIn(t.Context(), d, "", append([]string{"status"}, args...)...)
		r.want(t, 3, "", "hint: is it running (holdfast serve)?")
		_, at, _ := strings.Cut(r.err, "no daemon listens at ")
		socket, _, _ := strings.Cut(at, "\n")
		return socket
	}
	env := map[string]string{}
	d.Getenv = func(key string) string { return env[key] }
	dir := t.TempDir()
	if got := run(); got != "/run/holdfast/holdfast.sock" {
		t.Errorf("without anything it is %s", got)
	}
	d.SocketOf = func(path string) (string, error) { return filepath.Join(dir, filepath.Base(path)+".sock"), nil }
	if got := run(); got != dir+"/holdfast.yaml.sock" {
		t.Errorf("of the default configuration it is %s", got)
	}
	env["HOLDFAST_CONFIG"] = "/c/env.yaml"
	if got := run(); got != dir+"/env.yaml.sock" {
		t.Errorf("of HOLDFAST_CONFIG it is %s", got)
	}
	if got := run("--config", "/c/flag.yaml"); got != dir+"/flag.yaml.sock" {
		t.Errorf("of --config it is %s", got)
	}
	env["HOLDFAST_SOCKET"] = dir + "/env.sock"
	if got := run("--config", "/c/flag.yaml"); got != dir+"/env.sock" {
		t.Errorf("of HOLDFAST_SOCKET it is %s", got)
	}
	if got := run("--socket", dir+"/flag.sock"); got != dir+"/flag.sock" {
		t.Errorf("of --socket it is %s", got)
	}
	delete(env, "HOLDFAST_SOCKET")
	d.SocketOf = func(string) (string, error) { return "", errors.New("no such file") }
	runIn(t.Context(), d, "", "status", "--config", "/c/x.yaml").want(t, 1, "", "holdfast: cannot find the daemon's socket: no such file\n")
}

func TestStatusAndRecovering(t *testing.T) {
	t.Parallel()
	ready := make(chan struct{})
	d := controltest.Start(t, ready)
	hf(t, d.Socket, "status").want(t, 0, "v0.0.0-test, recovering, up ", "")
	hf(t, d.Socket, "runs").want(t, 75, "", "holdfast: cannot list the runs: the daemon is recovering its runs\nhint: ")
	hf(t, d.Socket, "start", "test.count").want(t, 75, "", "cannot start test.count: the daemon is recovering")
	close(ready)
	var st map[string]any
	hf(t, d.Socket, "status", "-o", "json").want(t, 0, "{", "").decode(t, &st)
	if st["state"] != "running" || st["started_at"] != "2026-11-21T20:00:00Z" {
		t.Errorf("status is %v", st)
	}
	var ws []map[string]any
	hf(t, d.Socket, "workflows", "-o", "json").want(t, 0, "[", "").decode(t, &ws)
	if len(ws) != 8 || ws[0]["name"] != "test.count" || ws[0]["timeout_ms"] != 3600000.0 {
		t.Errorf("workflows are %v", ws)
	}
	r := hf(t, d.Socket, "workflows").want(t, 0, "test.count", "")
	golden(t, "workflows.txt", r.out)
}

func TestSocketIsNotHoldfast(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hf(t, path, "status").want(t, 3, "", "no daemon listens at "+path)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds what a script waits for; a sound program needs far less.
const patience = time.Minute

// commands are what the scripts have beside testscript's own:
//
//	exits CODE COMMAND…     the command ends with that exit code
//	until REGEXP COMMAND…   the command is repeated until its standard output matches
//	up                      the daemon at $HOLDFAST_SOCKET takes requests
//	term                    SIGTERM to all processes in the background
//	freeze, thaw            SIGSTOP, SIGCONT to all processes in the background
//	expand FILE…            $name in the files becomes the script's variable
//	plc VERB NAME …         a Modbus device: see plc_test.go
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": plain("exits CODE COMMAND…", 2, exits), "until": plain("until REGEXP COMMAND…", 2, until), "up": plain("up", 0, up),
		"term": plain("term", 0, toAll(syscall.SIGTERM)), "freeze": plain("freeze", 0, toAll(syscall.SIGSTOP)), "thaw": plain("thaw", 0, toAll(syscall.SIGCONT)),
		"expand": plain("expand FILE…", 1, expand), "plc": plain("plc VERB NAME …", 2, plcCommand),
	}
}

// plain is a command without a negation, and with least arguments or more.
func plain(use string, least int, f func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least {
			ts.Fatalf("usage: %s", use)
		}
		f(ts, args)
	}
}

func exits(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func until(ts *testscript.TestScript, args []string) {
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; pause() {
		got, complaint := look(ts, args[1:])
		if want.MatchString(got) {
			_, err := fmt.Fprint(ts.Stdout(), got)
			ts.Check(err)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q has not come in %v; the last that came:\n%s%s", args[0], patience, got, complaint)
		}
	}
}

// look runs a command once. It is not logged, as it may be run a thousand
// times; and a command that fails has not printed what is waited for.
func look(ts *testscript.TestScript, args []string) (stdout, stderr string) {
	if args[0] == "plc" {
		return plcAnswer(ts, args[1:]), ""
	}
	var out, complaint strings.Builder
	cmd := exec.Command(args[0], args[1:]...) // PATH is the test's, and has the program
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), &out, &complaint
	for _, name := range []string{"PATH", "HOLDFAST_SOCKET", "HOLDFAST_CONFIG", "GORACE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	return out.String(), complaint.String()
}

// pause lets real processes work, between two looks at them.
func pause() { <-time.After(20 * time.Millisecond) }

func up(ts *testscript.TestScript, _ []string) {
	until(ts, []string{", running,", "holdfast", "status"})
}

func toAll(sig syscall.Signal) func(*testscript.TestScript, []string) {
	return func(ts *testscript.TestScript, _ []string) {
		for _, cmd := range ts.BackgroundCmds() {
			ts.Check(cmd.Process.Signal(sig))
			if sig == syscall.SIGSTOP { // a script that fails must not wait for it
				ts.Defer(func() { _ = cmd.Process.Signal(syscall.SIGCONT) })
			}
		}
	}
}

func expand(ts *testscript.TestScript, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// numbers reads arguments as 16-bit numbers.
func numbers(ts *testscript.TestScript, args []string) []uint16 {
	out := make([]uint16, len(args))
	for i, arg := range args {
		n, err := strconv.ParseUint(arg, 0, 16)
		ts.Check(err)
		out[i] = uint16(n)
	}
	return out
}

// place splits "holding:100" into its table and address.
func place(ts *testscript.TestScript, s string) (table string, addr uint16) {
	table, text, _ := strings.Cut(s, ":")
	return table, numbers(ts, []string{text})[0]
}

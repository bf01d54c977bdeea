package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// report has TestDay measure and print its table. Without it, it only sees that
// single runs do write something, and no runs nothing.
var report = flag.Bool("report", false, "print what the journal writes in a day")

// TestDay measures in virtual time what the journal writes in a day, by its own
// counts, and prints it as a table.
func TestDay(t *testing.T) {
	cases := []struct {
		name, load string
		span       time.Duration
	}{
		{"nothing runs", "read=0", 24 * time.Hour},
		{"1 run that sleeps 1 s and reads", "read=1", 24 * time.Hour},
		{"1 run that writes each second", "write=1", 6 * time.Hour},
		{"1,000 that read beside one that writes", "read=1000,write=1", 6 * time.Minute},
		{"1 poll of recvCommand, 0.2 s", "command=1", 24 * time.Hour},
		{"1,000 polls of recvCommand, 0.2 s", "command=1000", 15 * time.Minute},
		{"1 wait that polls, 1 s a wait", "wait=1", 24 * time.Hour},
		{"1,000 waits that poll, 1 s a wait", "wait=1000", 15 * time.Minute},
	}
	if *report {
		fmt.Fprint(os.Stdout, "## A day in virtual time, MB\n\n| | log | journal.db | in all | commits | virtual time | checkpoints in it |\n|---|---|---|---|---|---|---|\n")
	}
	for _, c := range cases {
		if !*report {
			if strings.HasSuffix(c.load, "000") || strings.Contains(c.load, ",") {
				continue
			}
			f := virtualDay(t, c.load, 5*time.Minute)
			if idle := strings.HasSuffix(c.load, "=0"); idle != (f["counted_mb_day"] == 0) {
				t.Errorf("%s: %v", c.name, f)
			}
			continue
		}
		f := virtualDay(t, c.load, c.span)
		fmt.Fprintf(os.Stdout, "| %s | %s | %s | %s | %s | %v | %.0f |\n", c.name, number(f["log_mb_day"], 1), number(f["live_mb_day"], 1),
			number(f["counted_mb_day"], 1), number(f["commits_day"], 0), c.span, f["checkpoints"])
	}
}

func virtualDay(t *testing.T, load string, span time.Duration) (out figures) {
	t.Helper()
	runs, err := parseLoad(load)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b, err := openDay(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := runs.begin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // what is written once in a minute is written then
		synctest.Wait()
		before := b.journal.Stats()
		time.Sleep(span)
		synctest.Wait()
		out = daily(before, b.journal.Stats(), span)
		if err := errors.Join(runs.alive(b), b.close()); err != nil {
			t.Error(err)
		}
	})
	return out
}

package app

import (
	"bytes"
	"context"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// collector reads the collector's percent, its goal for the heap in bytes, and
// the cycles that it has run.
func collector() (percent, goal, cycles uint64) {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/heap/goal:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
}

// unset is an environment without variables.
func unset(string) string { return "" }

// collect runs the collector until what is known of it is as ok wants it.
func collect(t *testing.T, what string, ok func(percent, goal uint64) bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		runtime.GC()
		percent, goal, _ := collector()
		if ok(percent, goal) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: percent is %d, goal %d", what, percent, goal)
		}
	}
}

func onFloor(_, goal uint64) bool { return goal >= heapFloor-1<<20 && goal <= heapFloor+4<<20 }

// While little is alive, the goal is the floor; with more alive it is Go's own,
// and the floor again when that has gone. In the end all is as it was.
func TestHeapFloor(t *testing.T) { // not parallel: it is about the whole process
	before, _, _ := collector()
	stop := holdHeapFloor(unset)
	defer stop()
	if _, goal, _ := collector(); !onFloor(0, goal) {
		t.Errorf("at once the goal is %d", goal)
	}
	collect(t, "little", onFloor)
	some := make([]byte, 20<<20)
	collect(t, "20 MB", func(percent, goal uint64) bool { return percent == 100 && goal > 40<<20 })
	much := make([]byte, 40<<20)
	collect(t, "60 MB", func(percent, goal uint64) bool { return percent == 100 && goal > 120<<20 })
	runtime.KeepAlive(some)
	runtime.KeepAlive(much)
	collect(t, "little again", onFloor)
	stop()
	if after, _, _ := collector(); after != before {
		t.Errorf("the percent was %d, is %d", before, after)
	}
	collect(t, "stopped", func(percent, goal uint64) bool { return percent == before && goal < heapFloor/2 })
}

// Whoever sets GOGC or GOMEMLIMIT has the last word.
func TestHeapFloorKeepsAway(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		before, _, _ := collector()
		stop := holdHeapFloor(func(key string) string {
			if key == name {
				return "100"
			}
			return ""
		})
		for range 3 {
			runtime.GC()
		}
		if percent, goal, _ := collector(); percent != before || goal > heapFloor/2 {
			t.Errorf("with %s: percent %d, goal %d", name, percent, goal)
		}
		stop()
	}
}

// The daemon holds the floor while it runs.
func TestServeHoldsHeapFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log bytes.Buffer
	path, ready, done := folder(t, simple), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Serve(ctx, Options{ConfigPath: path, Stderr: &log, Ready: func(*Status) { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("%v\n%s", err, log.String())
	}
	collect(t, "serving", onFloor)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	if percent, _, _ := collector(); percent != 100 || strings.Contains(log.String(), "ERROR") {
		t.Errorf("percent is %d\n%s", percent, log.String())
	}
}

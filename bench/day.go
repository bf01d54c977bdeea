package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/gateway/tag"
	"holdfast/journal"
	"holdfast/steps"
)

// dayScript has what a plant's workflows do all day.
const dayScript = `
rt = getWorkflows()

@workflow(name="read", commands="engine")
def read():
    while True:
        tags.read("plant/speed")
        sleep.sleep_ms(1000)

@workflow(name="write", commands="engine")
def write():
    n = 0
    while True:
        n += 1
        tags.write("plant/speed", float(n))
        sleep.sleep_ms(1000)

@workflow(name="command")
def command():
    while True:
        rt.recvCommand(currentState="RUNNING", timeoutSeconds=0.2)

@workflow(name="wait", commands="engine")
def wait_for(): # wait is the module
    while True:
        wait.until_tag_equals("plant/speed", -1.0, timeout_ms=1000, poll_ms=200)
`

// workload is how many runs there are of each workflow of dayScript.
type workload map[string]int

// parseLoad reads "read=1000,write=1".
func parseLoad(s string) (workload, error) {
	out := workload{}
	for part := range strings.SplitSeq(s, ",") {
		name, count, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || n < 0 || !strings.Contains(dayScript, fmt.Sprintf("name=%q", name)) {
			return nil, fmt.Errorf("%q is not one of read, write, command and wait with a number of runs: read=1000", part)
		}
		out[name] = n
	}
	return out, nil
}

// plant is one tag whose value is another at each look.
type plant struct{}

func (plant) sample() tag.Sample {
	at := time.Now()
	return tag.Sample{Value: tag.Float(float64(at.UnixMicro()%1_000_000) / 1000), Status: tag.Good, Received: at}
}

// Read implements steps.Tags.
func (p plant) Read(context.Context, tag.Path, time.Time) (tag.Sample, error) { return p.sample(), nil }

// Write implements steps.Tags.
func (plant) Write(context.Context, tag.Path, tag.Value) (tag.Outcome, error) {
	return tag.Outcome{Result: tag.Accepted, Status: tag.Good}, nil
}

// Watch implements steps.Tags: there is nothing to tell.
func (plant) Watch(ctx context.Context, _ ...tag.Path) (<-chan tag.Update, error) {
	c := make(chan tag.Update)
	context.AfterFunc(ctx, func() { close(c) })
	return c, nil
}

// Lookup implements steps.Tags.
func (plant) Lookup(p tag.Path) (tag.Info, bool) {
	return tag.Info{Path: p, Connection: "plant", Driver: "bench", Type: tag.TypeFloat64, Writable: true, Kind: tag.Set}, true
}

// openDay opens an engine with the workflows of dayScript.
func openDay(dir string) (*box, error) {
	library, err := steps.All(steps.Config{Tags: plant{}, StaleAfter: time.Minute})
	if err != nil {
		return nil, err
	}
	return openScripts(dir, journal.Options{}, dayScript, library...)
}

// begin starts the runs of a workload, not all at the same moment.
func (l workload) begin(ctx context.Context, b *box) error {
	for name, n := range l {
		for range n {
			if _, err := b.start(ctx, name, nil); err != nil {
				return err
			}
			if err := pause(ctx, 997*time.Microsecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// alive returns an error if a run has ended, which none may.
func (l workload) alive(b *box) error {
	want := 0
	for _, n := range l {
		want += n
	}
	if got := b.engine.Health().Running; got != want {
		return fmt.Errorf("%d runs of %d are alive", got, want)
	}
	return nil
}

// daily is what a span adds up to in a day.
func daily(before, after journal.Stats, span time.Duration) figures {
	day := float64(24*time.Hour) / float64(span)
	return figures{
		"log_mb_day":     float64(after.LogWritten-before.LogWritten) * day / 1e6,
		"live_mb_day":    float64(after.LiveWritten-before.LiveWritten) * day / 1e6,
		"counted_mb_day": float64(after.Written()-before.Written()) * day / 1e6,
		"commits_day":    float64(after.Commits-before.Commits) * day,
		"checkpoints":    float64(after.Checkpoints - before.Checkpoints),
	}
}

// measureDay measures a workload for o.dur of real time: what the journal
// counts, beside what Linux has counted.
func measureDay(ctx context.Context, o options) (out figures, err error) {
	load, err := parseLoad(o.load)
	if err != nil {
		return nil, err
	}
	b, err := openDay(o.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := errors.Join(load.begin(ctx, b), pause(ctx, o.warm)); err != nil {
		return nil, err
	}
	before, err := now("")
	if err != nil {
		return nil, err
	}
	writtenBefore, err := written()
	if err != nil {
		return nil, err
	}
	diskBefore, err := diskBytes(o.dir)
	if err != nil {
		return nil, err
	}
	first, began := b.journal.Stats(), time.Now()
	if err := pause(ctx, o.dur); err != nil {
		return nil, err
	}
	span := time.Since(began)
	out = daily(first, b.journal.Stats(), span)
	writtenAfter, err := written()
	if err != nil {
		return nil, err
	}
	after, err := now("")
	if err != nil {
		return nil, err
	}
	diskAfter, err := diskBytes(o.dir)
	if err != nil {
		return nil, err
	}
	day := float64(24*time.Hour) / float64(span) / 1e6
	out["written_mb_day"], out["disk_mb_day"] = float64(writtenAfter-writtenBefore)*day, float64(diskAfter-diskBefore)*day
	out["cpu_percent"] = (after.cpu - before.cpu).Seconds() / span.Seconds() * 100
	return out, load.alive(b)
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	hf "holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// stepsEach is how many steps the runs have that a restart finds, two records each.
const stepsEach = 50

// parking is a workflow whose runs make their steps, and then wait for a message.
type parking struct {
	steps  program
	parked *atomic.Int64
}

func (p parking) Run(ctx context.Context, r *hf.Run) (any, error) {
	if res, err := p.steps.Run(ctx, r); err != nil {
		return res, err
	}
	p.parked.Add(1)
	return r.Recv("go", 1<<50)
}

func newParking() (hf.Workflow, *atomic.Int64) {
	parked := new(atomic.Int64)
	return hf.Workflow{Name: "parking", AnyInput: true, Program: parking{program{new(probe)}, parked}}, parked
}

// fillAndWait is the process that measureRestart kills: it makes the record,
// says so, and waits.
func fillAndWait(ctx context.Context, o options) (figures, error) {
	wf, parked := newParking()
	b, err := openBox(o.dir, journal.Options{LogBytes: o.logBytes}, nil, wf)
	if err != nil {
		return nil, err
	}
	runs := o.records / (2 * stepsEach)
	for range runs {
		if _, err := b.start(ctx, "parking", value.NewMap("n", int64(stepsEach))); err != nil {
			return nil, err
		}
	}
	for int(parked.Load()) < runs {
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err := b.journal.Sync(); err != nil {
		return nil, err
	}
	s := b.journal.Stats()
	if err := json.NewEncoder(os.Stdout).Encode(figures{"log_bytes": float64(s.LogWritten), "checkpoints": float64(s.Checkpoints)}); err != nil {
		return nil, err
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// measureRestart has another process make a record of o.records records, kills
// it, and measures how long it takes to be back.
func measureRestart(ctx context.Context, o options) (out figures, err error) {
	if out, err = fillAndKill(ctx, o); err != nil {
		return nil, err
	}
	wf, parked := newParking()
	began := time.Now()
	j, err := journal.Open(o.dir, journal.Options{})
	if err != nil {
		return nil, err
	}
	opened := time.Now()
	b := &box{journal: j, over: make(chan error, 1)}
	if err := b.recover(nil, wf); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	recovered := time.Now()
	b.launch()
	defer func() { err = errors.Join(err, b.close()) }()
	runs := o.records / (2 * stepsEach)
	for int(parked.Load()) < runs {
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	back := time.Now()
	if r := j.Report(); !r.Interrupted || r.Err() != nil {
		return nil, fmt.Errorf("the journal was not found as a kill leaves it: %+v", r)
	}
	for name, span := range map[string]time.Duration{
		"open_ms": opened.Sub(began), "recover_ms": recovered.Sub(opened), "replay_ms": back.Sub(recovered), "all_ms": back.Sub(began),
	} {
		out[name] = float64(span.Microseconds()) / 1000
	}
	return out, nil
}

func fillAndKill(ctx context.Context, o options) (out figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-measure", "fill", "-dir", o.dir, "-records", fmt.Sprint(o.records), "-log", fmt.Sprint(o.logBytes))
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(said).ReadBytes('\n')
	if kerr := cmd.Process.Kill(); kerr != nil {
		return nil, kerr
	}
	_ = cmd.Wait() // it was killed
	if err != nil {
		return nil, fmt.Errorf("the process that was to be killed has ended before: %w", err)
	}
	return out, json.Unmarshal(line, &out)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

// measureSteps keeps o.runs runs at work.
func measureSteps(ctx context.Context, o options) (out figures, err error) {
	if o.engine == "dbos-pg" && o.postgres == "" {
		s, err := startServer(ctx, o.dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		o.postgres = s.data
	}
	p := new(probe)
	make, ok := engines(p, o)[o.engine]
	if !ok {
		return nil, fmt.Errorf("unknown engine %q, there are %s", o.engine, strings.Join(engineNames(), ", "))
	}
	if o.engine != "dbos-pg" {
		o.postgres = ""
	}
	e := make()
	if _, alone := e.(*bareFile); alone && o.runs != 1 {
		return nil, fmt.Errorf("%s is for one run", o.engine)
	}
	if err := e.open(o.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if o.steps > 0 {
		return measureShort(ctx, o, e, p)
	}
	return measureLong(ctx, o, e, p)
}

// measureLong measures a span of runs that do not end. Bytes are counted until
// they have, and so are the steps that they are divided by.
func measureLong(ctx context.Context, o options, e engine, p *probe) (figures, error) {
	var all sync.WaitGroup
	errs := make([]error, o.runs)
	for i := range o.runs {
		all.Go(func() { errs[i] = e.run(ctx, 0) })
	}
	if err := pause(ctx, o.warm); err != nil {
		return nil, err
	}
	s, err := startSpan(o, p)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, o.dur); err != nil {
		return nil, err
	}
	err = errors.Join(s.endTime(), s.endCPU())
	p.stop.Store(true)
	all.Wait()
	if err := errors.Join(append(errs, err, s.endBytes())...); err != nil {
		return nil, err
	}
	return s.out, nil
}

// measureShort measures runs of o.steps steps, from the first one's start until
// the last has ended. What they have left behind then is waited for: it counts
// for CPU and bytes, if not for the rate.
func measureShort(ctx context.Context, o options, e engine, p *probe) (figures, error) {
	if _, err := keepRunning(ctx, o, o.warm, e); err != nil {
		return nil, err
	}
	if _, err := e.settle(ctx); err != nil {
		return nil, err
	}
	s, err := startSpan(o, p)
	if err != nil {
		return nil, err
	}
	times, err := keepRunning(ctx, o, o.dur, e)
	if err = errors.Join(err, s.endTime()); err != nil {
		return nil, err
	}
	behind, err := e.settle(ctx)
	if err = errors.Join(err, s.endCPU(), s.endBytes()); err != nil {
		return nil, err
	}
	s.out["run_p50_ms"], s.out["runs"], s.out["behind"] = millis(times, 0.5), float64(len(times)), float64(behind)
	return s.out, nil
}

// keepRunning has o.runs runs at work, one behind the other, begins none after
// d, and returns how long they took, in order.
func keepRunning(ctx context.Context, o options, d time.Duration, e engine) ([]time.Duration, error) {
	end := time.Now().Add(d)
	times := make([][]time.Duration, o.runs)
	errs := make([]error, o.runs)
	var all sync.WaitGroup
	for i := range o.runs {
		all.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				began := time.Now()
				errs[i] = e.run(ctx, o.steps)
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	all.Wait()
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	return sorted, errors.Join(errs...)
}

// startProfile begins a CPU profile, if a name is given; stop ends it.
func startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

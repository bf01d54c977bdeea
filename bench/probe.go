package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// probe is where the workflows tell that a step's body runs.
type probe struct {
	runs     sync.Map // id → *runProbe
	steps    atomic.Int64
	stop     atomic.Bool // runs without end are to end
	counting atomic.Bool // times are kept
}

// runProbe is of one run, whose steps come one after another.
type runProbe struct {
	all   *probe
	last  time.Time
	times []time.Duration // from one step's body to the next one's
}

// of returns the probe of a run.
func (p *probe) of(id string) *runProbe {
	v, ok := p.runs.Load(id)
	if !ok {
		v, _ = p.runs.LoadOrStore(id, &runProbe{all: p})
	}
	return v.(*runProbe)
}

// step is called by a step's body. It reports whether a run without end goes on.
func (r *runProbe) step() bool {
	now := time.Now()
	if !r.last.IsZero() && r.all.counting.Load() {
		r.times = append(r.times, now.Sub(r.last))
	}
	r.last = now
	r.all.steps.Add(1)
	return !r.all.stop.Load()
}

// times returns the times between steps of all runs, in order. No step is at work.
func (p *probe) times() []time.Duration {
	var all []time.Duration
	p.runs.Range(func(_, v any) bool {
		all = append(all, v.(*runProbe).times...)
		return true
	})
	slices.Sort(all)
	return all
}

// millis returns the given part of sorted times; 0 if there are none.
func millis(sorted []time.Duration, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(float64(len(sorted)-1)*part)]) / 1e6
}

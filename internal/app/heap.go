package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// heapFloor is the size of the heap, in bytes, below which the collector
	// does not run. Most of what a daemon allocates is the journal's pages,
	// which die at once; with the few MB that are alive, Go's own goal of twice
	// that had the collector run for every handful of commits.
	heapFloor = 32 << 20

	usualPercent = 100                                  // Go's GOGC
	goMinimum    = 4 << 20                              // Go's least goal, in bytes, at GOGC=100; it grows with it
	mostPercent  = heapFloor * usualPercent / goMinimum // with it, that least goal is the floor
)

// holdHeapFloor keeps the collector from running before the heap has heapFloor
// bytes, until stop is called: after each of its cycles, GOGC is set so that the
// next one begins there, and is Go's own where more is alive than that leaves
// room for. Who has set GOGC or GOMEMLIMIT has decided otherwise.
func holdHeapFloor(getenv func(string) string) (stop func()) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	h := &heapHolder{percent: usualPercent}
	h.set()
	return h.stop
}

// heapHolder sets GOGC after each cycle of the collector.
type heapHolder struct {
	mu      sync.Mutex
	percent int // as set
	stopped bool
}

// cycle is an object that nobody keeps: its cleanup tells that a cycle is over.
// It has a pointer, as small objects without one may be kept with others.
type cycle struct{ _ *heapHolder }

// set sets GOGC for what is alive now, and asks to be called after the next cycle.
func (h *heapHolder) set() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	if p := floorPercent(readHeap()); p != h.percent {
		h.percent = p
		debug.SetGCPercent(p)
	}
	runtime.AddCleanup(&cycle{}, (*heapHolder).set, h)
}

func (h *heapHolder) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped && h.percent != usualPercent {
		debug.SetGCPercent(usualPercent)
	}
	h.stopped = true
}

// readHeap returns how many bytes of the heap the newest cycle has found alive,
// and how many bytes of stacks and globals count beside them.
func readHeap() (live, roots uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() + s[2].Value.Uint64()
}

// floorPercent returns the GOGC with which the next cycle begins at heapFloor:
// Go's goal is live + (live + roots) · GOGC / 100.
func floorPercent(live, roots uint64) int {
	if live >= heapFloor {
		return usualPercent
	}
	p := (heapFloor - live) * 100 / max(live+roots, 1)
	return int(min(max(p, usualPercent), mostPercent))
}

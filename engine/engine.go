package engine

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Config is what an Engine is made with. The zero value of a field is its default.
type Config struct {
	Workers   int    // runs that execute at once; others wait their turn (1000)
	Replaying int64  // bytes of records that are in memory at once for being replayed, but for a single one that is longer (64 MiB)
	SafeWrite Step   // writes one line of a safe_state: parameters path and value
	Loader    Loader // for runs whose files have changed; nil: such runs are HELD
	Log       *slog.Logger
}

// Engine runs workflows. Its methods may be called by many goroutines.
type Engine struct {
	cfg     Config
	journal *journal.Journal
	writers sync.Pool       // of *journal.Writer, for goroutines other than runs
	base    context.Context // lifetime of all runs; ends with errShutdown
	halt    context.CancelCauseFunc
	slots   chan struct{}       // one a run that executes
	replays *semaphore.Weighted // bytes of records that are replayed
	ready   chan struct{}       // closed when Run has begun
	wg      sync.WaitGroup

	mu        sync.Mutex // guards what follows; never held during I/O
	phase     phase
	workflows map[string]Workflow
	runs      map[string]*Run   // live, by id
	dedup     map[string]string // dedup id of a live run → its id
	starting  map[string]chan struct{}
	waiting   []*Run // recovered, until Run
	lastID    time.Time

	notLoaded []string // files without workflows, with their faults

	alarms alarms
	owed   obligations // lines of safe states that are still to be written

	unmoved time.Time // since when the journal cannot move ended runs, as far as was seen; zero: it can
	told    int       // sentences of the journal about damage and loss that are alarms already
}

type phase uint8

const (
	phaseNew phase = iota
	phaseRunning
	phaseStopping
)

// New makes an Engine on an open journal.
func New(cfg Config, j *journal.Journal) (*Engine, error) {
	if cfg.Workers == 0 {
		cfg.Workers = 1000
	}
	if cfg.Replaying <= 0 {
		cfg.Replaying = 64 << 20
	}
	if cfg.Workers < 0 {
		return nil, fmt.Errorf("cannot make an engine: %d workers", cfg.Workers)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg, journal: j, workflows: map[string]Workflow{}, runs: map[string]*Run{}, dedup: map[string]string{},
		starting: map[string]chan struct{}{}, ready: make(chan struct{}), slots: make(chan struct{}, cfg.Workers),
		replays: semaphore.NewWeighted(cfg.Replaying)}
	e.alarms.byID, e.alarms.wake = map[string]*alarm{}, make(chan struct{}, 1)
	e.writers.New = func() any { return j.Writer() }
	e.base, e.halt = context.WithCancelCause(context.Background())
	return e, nil
}

// Register adds workflows. Two of one name are an error that names both places.
func (e *Engine) Register(ws ...Workflow) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range ws {
		if old, twice := e.workflows[w.Name]; twice {
			return fmt.Errorf("cannot register workflow %q of %s: %s has it already", w.Name, w.File, old.File)
		}
		if len(w.SafeState) > 0 && e.cfg.SafeWrite == nil {
			return fmt.Errorf("cannot register workflow %q: it has a safe_state, and there is no step to write it", w.Name)
		}
		e.workflows[w.Name] = w
	}
	return nil
}

// Workflows lists what is registered, by name.
func (e *Engine) Workflows() []WorkflowInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]WorkflowInfo, 0, len(e.workflows))
	for _, w := range e.workflows {
		inputs := w.Inputs
		if inputs == nil {
			inputs = []Input{}
		}
		out = append(out, WorkflowInfo{Name: w.Name, Description: w.Description, File: w.File, Inputs: inputs, AnyInput: w.AnyInput,
			Commands: CommandModeName(w.Commands.String()), CommandsWhy: w.CommandsWhy,
			StopGraceMS: cmp.Or(w.StopGrace, DefaultStopGrace).Milliseconds(), TimeoutMS: w.Timeout.Milliseconds()})
	}
	slices.SortFunc(out, func(a, b WorkflowInfo) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Run executes runs until ctx ends, and returns when all their goroutines
// have. Runs that have not ended go on at the next start.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	if e.phase != phaseNew {
		e.mu.Unlock()
		return fmt.Errorf("cannot run the engine: it has been run before")
	}
	e.phase = phaseRunning
	for _, r := range e.waiting {
		e.launch(r)
	}
	e.waiting = nil
	e.mu.Unlock()
	e.keepAll()
	e.wg.Go(e.keepAlarms)
	close(e.ready)
	<-ctx.Done()
	e.mu.Lock()
	e.phase = phaseStopping
	e.mu.Unlock()
	e.halt(errShutdown)
	e.wg.Wait()
	return nil
}

// Ready is closed when Run has begun, and Start is possible.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// launch starts a run's goroutine. The caller holds e.mu, so that no run is
// launched behind Run's back.
func (e *Engine) launch(r *Run) {
	e.wg.Go(r.execute)
}

// enter takes a turn if one is free.
func (e *Engine) enter() bool {
	select {
	case e.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (e *Engine) leave() { <-e.slots }

// newRun makes a live run. Its context ends with the engine's.
func (e *Engine) newRun(num uint64, h header) *Run {
	r := &Run{eng: e, num: num, head: h, log: e.journal.WriterOf(num), wake: make(chan struct{}, 1), over: make(chan struct{}),
		events: map[string]value.Raw{}, seen: map[string]uint64{}, fates: map[uint64]Fate{}, safeFrom: laneSafe, notes: laneNotes,
		version: 1}
	r.ctx, r.cancel = context.WithCancelCause(e.base)
	r.life = r.ctx
	return r
}

// watchDeadline ends a run at its deadline.
func (r *Run) watchDeadline() {
	if r.head.deadline.IsZero() {
		return
	}
	end := &ending{state: isa88.Aborted, kind: "Timeout", why: "the run's time limit has come, " + r.head.deadline.Format(time.RFC3339)}
	left := time.Until(r.head.deadline)
	if left <= 0 {
		r.cancel(end) // before the program is replayed, which must not see it come
		return
	}
	t := time.AfterFunc(left, func() { r.cancel(end) })
	context.AfterFunc(r.ctx, func() { t.Stop() })
}

// forget takes an ended run out of the table; the journal answers for it now.
func (e *Engine) forget(r *Run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.runs, r.head.id)
	if r.head.dedup != "" && e.dedup[r.head.dedup] == r.head.id {
		delete(e.dedup, r.head.dedup)
	}
}

// writer lends a journal writer to a goroutine that is not a run's.
func (e *Engine) writer() (*journal.Writer, func()) {
	w := e.writers.Get().(*journal.Writer)
	return w, func() { e.writers.Put(w) }
}

// live returns a live run.
func (e *Engine) live(id string) *Run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id]
}

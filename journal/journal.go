package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// What callers branch on.
var (
	// ErrNotFound says that there is no such run, or script.
	ErrNotFound = errors.New("not in the journal")
	// ErrFailed says that the journal accepts nothing more until it is opened
	// again. Whether the Change that got this error is durable is not known.
	ErrFailed = errors.New("the journal accepts nothing more")
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("the journal is closed")
	// ErrLocked says that another process has the journal open.
	ErrLocked = errors.New("in use by another process")
)

// Names of the files in the journal's folder.
const (
	liveName    = "journal.db"
	historyName = "history.db"
)

// Options of Open. The zero value is what a daemon wants.
type Options struct {
	// Log gets a line for each thing mended at open, and for a failure. Nil: none.
	Log *slog.Logger

	// SoonWithin and LaterWithin bound how long an appended Change waits.
	// Zero: 5 ms and 1 s. Where flash wear matters, longer is kinder.
	SoonWithin, LaterWithin time.Duration

	// MoveWithin bounds how long the record of a run that has ended stays in
	// the live file; 256 of them leave it at once. Zero: 10 s.
	MoveWithin time.Duration

	// Retention bounds what is kept of runs that have ended.
	Retention Retention

	// OnDamage is called, in the background, when damage was found in the
	// history while the journal is open, with all that is known then. It must
	// not close the journal.
	OnDamage func(Report)

	// MaxBytes bounds the size of journal.db: a clean error before the disk is
	// full. Zero: no bound.
	MaxBytes int64

	// BeforeAppend is for tests. It is called with every Change in the order of
	// the journal, n counting from 1. An error makes the journal fail for good
	// there: what was appended before becomes durable, nothing after does. It
	// must not call the journal.
	BeforeAppend func(n uint64, c Change) error

	wrap  func(name string, s store) store // tests: a store that fails or is slow
	tests historyTests
}

// Journal is open between Open and Close. Its methods may be called by any
// goroutine; a Writer belongs to one at a time.
type Journal struct {
	dir  string
	opts Options
	log  *slog.Logger
	lock *os.File

	live     store
	liveFile *boltStore // below it
	history  *history

	q         *queue
	committed chan struct{} // closed when commitLoop has returned
	serial    uint64        // committer's: of the last commit
	failure   error         // committer's: a commit has failed

	mover   *mover
	floor   uint64        // highest number that left the live file; with history.write
	runs    atomic.Uint64 // highest number given out
	amends  atomic.Uint64 // highest number of a replaced summary
	damaged numberSet
	scripts nameSet
	used    nameSet // scripts that were put or named since Open
	stats   counters

	reporting sync.Mutex
	report    Report // with reporting, once the journal is open
	unread    bool   // the history was not read through at open

	closing sync.Once
	closed  error
}

// Open opens the journal in dir, which must exist, or begins a new one. It
// checks what it finds, mends what it can, and says so in Report. It fails with
// ErrLocked when another process has the journal, and rather than begin a new
// journal where one was.
func Open(dir string, o Options) (*Journal, error) {
	j := &Journal{dir: dir, opts: o, log: o.Log, committed: make(chan struct{})}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	j.q = newQueue(limits{
		soon: orDefault(o.SoonWithin, 5*time.Millisecond), later: orDefault(o.LaterWithin, time.Second),
		queueOps: 1 << 16, queueBytes: 16 << 20,
		flushOps: 4096, flushBytes: 1 << 20,
		commitOps: 4096, commitBytes: 1 << 20,
	})
	j.mover = newMover(j, orDefault(o.MoveWithin, 10*time.Second))
	if err := j.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the journal in %s: %w", dir, err), j.release())
	}
	go j.commitLoop()
	go j.mover.loop()
	return j, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }

// release closes the files and gives up the lock.
func (j *Journal) release() error {
	var errs []error
	if j.history != nil {
		errs = append(errs, j.history.Close())
	}
	if j.liveFile != nil {
		errs = append(errs, j.liveFile.Close())
	}
	if j.lock != nil {
		errs = append(errs, unlock(j.lock))
		j.lock = nil
	}
	return errors.Join(errs...)
}

// Close makes durable what was appended, and ends. What it returns is why
// something may not be durable, or the journal could not be left in order.
// Further calls return the same.
func (j *Journal) Close() error {
	j.closing.Do(func() { j.closed = j.close() })
	return j.closed
}

func (j *Journal) close() error {
	j.mover.close()
	j.q.mu.Lock()
	j.q.stop(ErrClosed)
	reason := j.q.err
	j.q.mu.Unlock()
	j.q.flush()
	<-j.committed
	err := j.failure
	if err == nil && !errors.Is(reason, ErrClosed) {
		err = reason
	}
	if err == nil {
		err = j.markClean()
	}
	return errors.Join(err, j.release())
}

// Dir returns the folder that the journal lies in.
func (j *Journal) Dir() string { return j.dir }

// Err returns why nothing more is accepted: an error that wraps ErrFailed, or
// ErrClosed; nil while all is well.
func (j *Journal) Err() error {
	j.q.mu.Lock()
	defer j.q.mu.Unlock()
	return j.q.err
}

// NextRun returns a number for a new run, greater than that of every run before
// it, ended ones too. Numbers given out and not used may come again after a restart.
func (j *Journal) NextRun() uint64 { return j.runs.Add(1) }

// Report returns what Open found and mended, and what was found since.
func (j *Journal) Report() Report {
	j.reporting.Lock()
	defer j.reporting.Unlock()
	return j.report.clone()
}

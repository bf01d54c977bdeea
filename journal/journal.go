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

	"golang.org/x/sys/unix"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// What callers branch on.
var (
	// ErrNotFound says that there is no such run, or script.
	ErrNotFound = errors.New("not in the journal")
	// ErrFailed says that the journal accepts nothing more until it is opened
	// again. Whether the Change that got this error is durable is not known.
	ErrFailed = errors.New("the journal accepts nothing more")
	// ErrNoRoom says that nothing of the Change was recorded, because the disk is
	// full, and what is kept in reserve is for Changes that are Essential. It can
	// be tried again: Room tells when.
	ErrNoRoom = errors.New("the journal has no room")
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
	// Zero: the constants of these names.
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

	// BeforeSync is for tests and measurements: a slow disk. It is called before
	// each sync of the log and the marker, and twice before each commit of
	// journal.db and of history.db, which bbolt syncs twice. Nil: nothing is called.
	BeforeSync func()

	// LogBytes is how long a segment of the log is, of which there are three, and
	// bounds the memory for what is not in journal.db yet. Zero: 8 MiB, less on a
	// small file system. A log that is there keeps its size.
	LogBytes int64

	// Reserve is how much of the log is kept for Changes that are Essential while
	// the disk is full. Zero: 4 MiB. At most half a segment.
	Reserve int64

	wrap       func(name string, s store) store // tests: a store that fails or is slow
	beforeDown func(ops []op) error             // tests: the log's checkpoints fail
	folder     disk.Folder                      // tests: the files of the journal's own
	tests      historyTests
	lost       []string // Salvage: what is known to be lost, in words

	watch func(name string, commit func() error) error // tests: carries out each commit of a database
}

// Journal is open between Open and Close. Its methods may be called by any
// goroutine; a Writer belongs to one at a time.
type Journal struct {
	dir    string
	folder disk.Folder
	id     wal.Identity
	opts   Options
	log    *slog.Logger
	lock   *os.File

	live     store
	logged   *logStore  // live, with the log
	liveFile *boltStore // below it, as it was opened
	history  *history

	q         *queue
	gathering gathering
	// Who has the turn to commit owns these.
	serial  uint64 // of the last commit
	failure error  // a commit has failed
	company int    // barriers of the last commit
	scratch []op

	room    roomState
	reserve int64 // of the log, for Changes that are essential
	longest int   // body of a Change that goes through the log
	mover   *mover
	floor   uint64        // highest number that left the live file; with history.write
	runs    atomic.Uint64 // highest number given out
	amends  atomic.Uint64 // highest number of a replaced summary
	scripts nameSet
	used    nameSet // scripts that were put or named since Open
	stats   counters

	reporting sync.Mutex
	report    Report // with reporting, once the journal is open
	unread    bool   // the history was not read through at open

	putting sync.Mutex // one script at a time
	closing sync.Once
	closed  error
}

// Open opens the journal in dir, which must exist, or begins a new one. It
// checks what it finds, mends what it can, and says so in Report. It fails with
// ErrLocked when another process has the journal, and rather than begin a new
// journal where one was.
func Open(dir string, o Options) (*Journal, error) {
	j := unopened(dir, o)
	j.q = newQueue(limits{
		soon: orDefault(o.SoonWithin, SoonWithin), later: orDefault(o.LaterWithin, LaterWithin),
		queueOps: 1 << 17, queueBytes: 16 << 20,
		flushOps: 1 << 16, flushBytes: 4 << 20,
		commitOps: 4096, commitBytes: commitBytes,
	}, j.lead, j.fits)
	j.gathering.begin(j.come)
	j.mover = newMover(j, orDefault(o.MoveWithin, 10*time.Second))
	j.stats.since = time.Now()
	if err := j.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the journal in %s: %w", dir, err), j.release())
	}
	go j.mover.loop()
	return j, nil
}

// unopened returns a Journal that knows its folder, and no more.
func unopened(dir string, o Options) *Journal {
	j := &Journal{dir: dir, folder: o.folder, opts: o, log: o.Log}
	if j.folder == nil {
		j.folder = disk.At(dir)
	}
	if o.BeforeSync != nil {
		j.folder = slowFolder{j.folder, o.BeforeSync}
	}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	return j
}

func orDefault[T ~int64](d, otherwise T) T {
	if d > 0 {
		return d
	}
	return otherwise
}

// commitBytes bounds one transaction of the live file, and so one frame of the
// log, but for a single Change that is longer.
const commitBytes = 1 << 20

const (
	segmentDefault = 8 << 20
	segmentLeast   = 256 << 10
)

// segmentBytes is how long the segments of a new log are.
func (j *Journal) segmentBytes() int64 {
	size := j.opts.LogBytes
	if size <= 0 {
		size = segmentDefault
		// All three take at most a quarter of the file system.
		var st unix.Statfs_t
		if unix.Statfs(j.dir, &st) == nil && st.Blocks > 0 {
			size = min(size, int64(st.Blocks)*int64(st.Bsize)/4/wal.Segments)
		}
	}
	return max(size, segmentLeast) / wal.Page * wal.Page
}

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }

// release closes the files and gives up the lock.
func (j *Journal) release() error {
	var errs []error
	switch {
	case j.logged != nil:
		errs = append(errs, j.logged.release())
	case j.liveFile != nil:
		errs = append(errs, j.liveFile.Close())
	}
	if j.history != nil {
		errs = append(errs, j.history.Close())
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
	j.logged.hurry()
	j.mover.close()
	_ = j.gathering.end() // why it was not accepted is said below
	j.q.mu.Lock()
	j.q.stop(ErrClosed)
	reason := j.q.err
	j.q.mu.Unlock()
	j.q.drain()
	err := j.failure
	if err == nil && !errors.Is(reason, ErrClosed) {
		err = reason
	}
	inOrder, lerr := j.logged.Close()
	if err == nil && lerr != nil {
		err = failed(lerr)
	}
	if err == nil && inOrder {
		err = writeMarker(j.folder, marker{id: j.id, state: stateClosed, seq: j.serial, history: j.history.serial})
		if disk.Full(err) { // the one that is there says that it was not closed, which loses nothing
			j.log.Warn("the marker could not be written", "error", err)
			err = nil
		}
	}
	return errors.Join(err, j.release())
}

// fail ends acceptance for good: what becomes of the log behind it is not known.
func (j *Journal) fail(err error) {
	j.q.mu.Lock()
	j.q.stop(failed(err))
	j.q.mu.Unlock()
	j.log.Error("journal accepts nothing more", "error", err)
}

// Identity returns what tells this journal from any other: one that was restored
// from a backup of it among them.
func (j *Journal) Identity() string { return identityText(j.id) }

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

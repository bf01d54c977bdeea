package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Stats are counts since Open, and sizes now.
type Stats struct {
	Commits      int64     // frames of the log: each one write and one sync
	Records      int64     // entries put or removed
	ValueBytes   int64     // of keys and values given to be kept
	Since        time.Time // when the journal was opened
	LogWritten   int64     // bytes of frames
	LazyWritten  int64     // of these, what nobody waited for: written when its time had come
	LiveWritten  int64     // bytes of pages of journal.db: checkpoints
	OldWritten   int64     // bytes of pages of history.db
	Checkpoints  int64     // of the log into journal.db
	LiveBytes    int64     // size of journal.db
	HistoryBytes int64     // size of history.db
	HistoryUsed  int64     // of it in use; the rest is free for runs to come
	Queued       int       // entries that wait for a commit
	Moved        int64     // runs moved to history.db
	Deleted      int64     // ended runs removed by Delete and Retention
	ToMove       int       // ended runs whose record still lies in journal.db
	MoveError    error     // why no runs are moved at present; nil when it works again
	RoomError    error     // why nothing is carried from the log into journal.db now; else nil
}

type counters struct {
	since time.Time

	commits, records, bytes, lazy, moved, deleted atomic.Int64
}

// Stats returns counts and sizes. A size that cannot be read is 0.
func (j *Journal) Stats() Stats {
	s := Stats{
		Commits:      j.stats.commits.Load(),
		Records:      j.stats.records.Load(),
		ValueBytes:   j.stats.bytes.Load(),
		Moved:        j.stats.moved.Load(),
		Since:        j.stats.since,
		LazyWritten:  j.stats.lazy.Load(),
		Deleted:      j.stats.deleted.Load(),
		LiveBytes:    fileSize(j.path(liveName)),
		HistoryBytes: fileSize(j.path(historyName)),
	}
	s.LogWritten, s.Checkpoints = j.logged.stats.frameBytes.Load(), j.logged.stats.checkpoints.Load()
	s.LiveWritten = j.logged.written()
	s.OldWritten = j.history.pageBytes()
	s.RoomError = j.logged.noRoom()
	if _, used, err := j.history.room(); err == nil {
		s.HistoryUsed = used
	}
	j.q.mu.Lock()
	s.Queued = len(j.q.filling.sizes)
	j.q.mu.Unlock()
	s.ToMove, s.MoveError = j.mover.state()
	return s
}

func fileSize(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return fi.Size()
}

// Damage names what a run has lost, or may have lost.
type Damage struct {
	Run   uint64
	ID    string // if it is known
	Ended bool   // it is in the history
	Lost  bool   // nothing is left to go on from: Live and Load do not give it
	What  string // a sentence
}

// Report says what was found in the files, and what was done about it.
type Report struct {
	// Clean: nothing was found damaged or lost.
	Clean bool
	// Interrupted: the process before did not close the journal. That alone
	// loses nothing that was committed.
	Interrupted bool
	// Damaged names runs that have lost records, or may have: none of them may
	// go on by itself. A live one is named at each Open until a Change with
	// LossNoted, which is to say on its record that it is on hold.
	Damaged []Damage
	// SetAside names the damaged files that were kept, in the journal's folder.
	SetAside []string
	// Sentences tell all this to an operator.
	Sentences []string
}

func (r *Report) say(format string, args ...any) {
	r.Clean = false
	r.Sentences = append(r.Sentences, fmt.Sprintf(format, args...))
}

func (r *Report) clone() Report {
	out := *r
	out.Damaged, out.SetAside, out.Sentences = slices.Clone(r.Damaged), slices.Clone(r.SetAside), slices.Clone(r.Sentences)
	return out
}

// Err returns an error with the first of the sentences when the report is not
// clean, else nil.
func (r *Report) Err() error {
	if r.Clean {
		return nil
	}
	if len(r.Sentences) == 0 {
		return errors.New("the journal is damaged")
	}
	return errors.New(r.Sentences[0])
}

// Written returns how many bytes were written to all files: what wears the disk.
func (s *Stats) Written() int64 { return s.LogWritten + s.LiveWritten + s.OldWritten }

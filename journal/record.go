package journal

import "time"

// Kind tells what a Record is. The numbers are part of the file format.
type Kind uint8

// Record is one line of a run's record. (Seq, Kind) is its key within the run:
// appending a second Record of the same key replaces the first.
type Record struct {
	Seq   uint32    // place in the run's record
	Kind  Kind      // sorts records of one Seq; below 64
	Count uint32    // how many equal results in a row it stands for; 0 counts as 1
	Time  time.Time // wall clock, kept to the millisecond, UTC
	Data  []byte
}

// Count says of a record that it stands for so many equal results now.
type Count struct {
	Seq   uint32
	Kind  Kind
	Count uint32
}

// Message is a line of a run's mailbox.
type Message struct {
	Number uint64 // grows with each message of its run
	Time   time.Time
	Data   []byte
}

// Header is what a run is started with.
type Header struct {
	Run     uint64 // number, from NextRun
	ID      string // unique among live and ended runs
	Created time.Time
	Script  string // hash of the script that it needs, put before with PutScript; "": none
	Data    []byte
}

// Change is a set of changes to one run, and to what the engine keeps beside its
// runs, that becomes durable as one.
type Change struct {
	Run     uint64    // 0: only State is changed
	Start   *Header   // the run begins; Start.Run == Run
	Records []Record  // added or replaced
	Again   bool      // by WriterOf: there may be records of the same place and kind already, which these replace
	Counts  []Count   // of records that are there already
	Drop    uint32    // not 0: records of places below are removed, before Records are added
	Inbox   []Message // arrived
	Taken   []uint64  // numbers of messages that left the mailbox
	End     []byte    // not nil: the run has ended, with this summary; it moves to the history
	Terms   []string  // with End: what EndedBy is to find the run by, at most 8 of 1 to 128 bytes
	Amend   []byte    // not nil: replaces the summary of a run that has ended before
	State   []Entry   // put or removed

	// LossNoted says that what the Report says of this run is on record now: it
	// is not said again.
	LossNoted bool

	// Essential says that it may use what is kept in reserve when there is no
	// room on the disk: what an operator asks for, what makes the plant safe,
	// the outcome of what has been done already.
	Essential bool
}

// Entry is one line of what the engine keeps beside its runs.
type Entry struct {
	Table string // "alarm", say: 1 to 32 bytes, none of them zero
	Key   string // 1 to 512 bytes
	Value []byte // nil: the entry is removed
}

// Urgency is how long an appended Change may wait for company.
type Urgency uint8

// The urgencies.
const (
	Soon  Urgency = iota // the outcome of an effect, a message taken: few are to be in doubt after a crash
	Later                // what costs nothing to compute again
	urgencies
)

// How long an appended Change may wait for company.
const (
	SoonWithin  = 5 * time.Millisecond
	LaterWithin = time.Minute // each flush wears flash, and a crash repeats only what nobody has seen
)

// Run is everything the journal holds of one run.
type Run struct {
	Header  Header
	Records []Record  // by Seq, then Kind
	Inbox   []Message // by Number
	End     []byte    // the summary, once it has ended; else nil
}

package wire

import (
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
)

// Start asks for a run; its answer is an engine.Started.
type Start struct {
	Workflow  string `json:"workflow"`
	Inputs    Value  `json:"inputs"` // an object; null: none
	ID        string `json:"id"`     // "": the engine makes one
	DedupID   string `json:"dedup_id"`
	TimeoutMS int64  `json:"timeout_ms"` // 0: the workflow's
	Queue     string `json:"queue"`
	Partition string `json:"partition"`
	Priority  int    `json:"priority"`
}

// Command is an operator command to one run. The actor is the user of the
// socket's other end.
type Command struct {
	Command isa88.Command `json:"command"`
	Reason  string        `json:"reason"`
}

// Commands is an operator command to all live runs of a selection: All, or those
// of a Workflow. Its answer is one Sent a run, those that were told first. A
// Partition is refused: partitions are not available yet.
type Commands struct {
	Command   isa88.Command `json:"command"`
	Reason    string        `json:"reason"`
	All       bool          `json:"all"`
	Workflow  string        `json:"workflow"`
	Partition string        `json:"partition"`
}

// Sent says what is known of a command to one run. Accepted means that it is on
// disk; Fate is null until it is decided what becomes of it, which for a run
// whose state does not allow it is at once.
type Sent struct {
	Run      string        `json:"run"`
	Command  isa88.Command `json:"command"`
	Accepted bool          `json:"accepted"`
	Message  uint64        `json:"message"` // its number in the run's mailbox
	Fate     *engine.Fate  `json:"fate"`
	Error    *Error        `json:"error"` // why it was not accepted

	Outlook *engine.Outlook `json:"outlook,omitempty"` // what the run is at that has not taken it yet
}

// Fates asks for the fates of many commands, and waits for all of them together.
// Its answer is one Sent each, in the same order.
type Fates struct {
	Messages []engine.Receipt `json:"messages"`
	WaitMS   int64            `json:"wait_ms"`
}

// Message is what goes to a run's mailbox; its answer is an engine.Receipt.
type Message struct {
	Topic string `json:"topic"` // "": cmd
	Body  Value  `json:"body"`
	UUID  string `json:"uuid"` // "": not checked for having been seen
}

// Cancel ends a run.
type Cancel struct {
	Reason string `json:"reason"`
}

// Resolve answers the question of a run in doubt.
type Resolve struct {
	Decision string `json:"decision"` // done, retry or fail
	Value    Value  `json:"value"`    // the step's result, for done
}

// Done is the answer to what has no other.
type Done struct {
	Run string `json:"run"`
}

// Line is one line of a stream: at most one field is set; a line without any is a
// sign of life. A stream that ends without an Error is complete.
type Line struct {
	Entry   *engine.LogEntry    `json:"entry,omitempty"` // of the run's log
	Run     *engine.RunInfo     `json:"run,omitempty"`   // the run, as it has become
	Tag     *Tag                `json:"tag,omitempty"`
	Command *engine.CommandInfo `json:"command,omitempty"` // of the run, which has had its fate
	Error   *Error              `json:"error,omitempty"`   // why the stream ends early
}

// The states of the daemon.
const (
	StateRecovering = "recovering" // it reads the record of its runs
	StateRunning    = "running"
)

// Status is the daemon at a glance.
type Status struct {
	Version     string        `json:"version"`
	State       string        `json:"state"` // StateRecovering or StateRunning
	StartedAt   time.Time     `json:"started_at"`
	UptimeMS    int64         `json:"uptime_ms"`
	Socket      string        `json:"socket"`
	Engine      engine.Health `json:"engine"`
	Connections []Link        `json:"connections"`
	Tags        TagCount      `json:"tags"`
}

// Link is how the link of one connection fares. The counters run since the start.
type Link struct {
	Name       string     `json:"name"`
	Driver     string     `json:"driver"`
	State      string     `json:"state"` // connecting, up or down
	Since      time.Time  `json:"since"`
	LastError  string     `json:"last_error"` // the newest, also of a link that is up again
	LastData   *time.Time `json:"last_data"`
	Requests   uint64     `json:"requests"`
	Errors     uint64     `json:"errors"`
	Samples    uint64     `json:"samples"`
	Reconnects uint64     `json:"reconnects"`
	Overruns   uint64     `json:"overruns"`
}

// TagCount is the number of tags by the severity of their last quality.
type TagCount struct {
	Good      int `json:"good"`
	Uncertain int `json:"uncertain"`
	Bad       int `json:"bad"`
}

package engine

import (
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

// Status is how far a run has come.
type Status string

// The statuses of a run, as in DBOS.
const (
	Enqueued  Status = "ENQUEUED"
	Running   Status = "RUNNING"
	Success   Status = "SUCCESS"
	Error     Status = "ERROR"
	Cancelled Status = "CANCELLED"
)

// Ended reports whether nothing more will happen to a run of this status.
func (s Status) Ended() bool { return s == Success || s == Error || s == Cancelled }

// RunError is why a run ended with ERROR or CANCELLED, or is HELD by the engine.
type RunError struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Step      string `json:"step"`
	Traceback string `json:"traceback"`
}

// Error returns the message.
func (e *RunError) Error() string { return e.Message }

// RunInfo is a run as the outside sees it; its JSON is the contract's.
type RunInfo struct {
	ID          string               `json:"id"`
	Workflow    string               `json:"workflow"`
	Status      Status               `json:"status"`
	State       isa88.State          `json:"state"`
	Queue       string               `json:"queue"`
	Partition   string               `json:"partition"`
	Priority    int                  `json:"priority"`
	DedupID     string               `json:"dedup_id"`
	Inputs      value.Raw            `json:"inputs"`
	Result      value.Raw            `json:"result"`
	Error       *RunError            `json:"error"`
	Events      map[string]value.Raw `json:"events"`
	CreatedAt   time.Time            `json:"created_at"`
	StartedAt   *time.Time           `json:"started_at"`
	CompletedAt *time.Time           `json:"completed_at"`
	Deadline    *time.Time           `json:"deadline"`
	Recoveries  int                  `json:"recoveries"`
	InDoubt     *Doubt               `json:"in_doubt"`
	SafeState   []SafeResult         `json:"safe_state,omitempty"`  // of a run whose safe state was written
	Obligations []Obligation         `json:"obligations,omitempty"` // lines of it that are still to be written
	Commands    CommandModeName      `json:"commands"`
	CurrentStep string               `json:"current_step"` // at work now; "" between steps
	Waits       *Waiting             `json:"waits"`        // what the step at work waits for
	Operator    *Word                `json:"operator"`     // the command that the run has followed last
	Held        *Word                `json:"held"`         // of a HELD run: whose word holds it
	Pending     *Word                `json:"pending"`      // of the commands that wait to be taken, the first in priority
}

// CommandModeName is "engine" or "script".
type CommandModeName string

// SafeResult is what became of one line of a safe_state.
type SafeResult struct {
	Tag    string    `json:"tag"`
	Value  value.Raw `json:"value"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail,omitempty"`
}

// StepInfo is one recorded step.
type StepInfo struct {
	Seq         uint32     `json:"seq"`
	Name        string     `json:"name"`
	Status      string     `json:"status"` // SUCCESS, ERROR or STARTED
	Args        value.Raw  `json:"args"`
	Result      value.Raw  `json:"result"`
	Error       *StepError `json:"error"`
	Attempts    int        `json:"attempts"`
	Count       int        `json:"count"` // how many equal calls in a row this line stands for
	StartedAt   time.Time  `json:"started_at"`
	CompletedAt *time.Time `json:"completed_at"`
	Recovered   bool       `json:"recovered"`             // its outcome was found by evidence, or given by an operator, after an interruption
	ResolvedBy  string     `json:"resolved_by,omitempty"` // the operator who said that it was done: nothing proves it
}

// LogEntry is one item of a stream.
type LogEntry struct {
	Seq    uint32    `json:"seq"` // grows; where to go on reading
	Stream string    `json:"stream"`
	Time   time.Time `json:"ts"`
	Value  value.Raw `json:"value"`
}

// WorkflowInfo is a registered workflow.
type WorkflowInfo struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	File        string          `json:"file"`
	Inputs      []Input         `json:"inputs"`
	AnyInput    bool            `json:"any_input"`
	Commands    CommandModeName `json:"commands"`
	CommandsWhy string          `json:"commands_why"` // for people
	StopGraceMS int64           `json:"stop_grace_ms"`
	TimeoutMS   int64           `json:"timeout_ms"`
}

// StartRequest asks for a run.
type StartRequest struct {
	Workflow  string        `json:"workflow"`
	Inputs    value.Raw     `json:"inputs"` // an encoded *value.Map
	ID        string        `json:"id"`     // "": the engine makes one; else the start is idempotent by it
	DedupID   string        `json:"dedup_id"`
	Timeout   time.Duration `json:"timeout"` // 0: the workflow's
	Queue     string        `json:"queue"`   // "" or "default": others are not available yet
	Partition string        `json:"partition"`
	Priority  int           `json:"priority"`
}

// Started is the answer to a StartRequest. It is on disk.
type Started struct {
	ID           string `json:"id"`
	Deduplicated bool   `json:"deduplicated"`
}

// Filter selects runs; zero fields select all.
type Filter struct {
	Status    Status
	Workflow  string
	Partition string
	Since     time.Time
	Limit     int // 0: 100
}

// Message is what is sent to a run's mailbox.
type Message struct {
	Topic string    `json:"topic"` // "": "cmd"
	Body  value.Raw `json:"body"`
	UUID  string    `json:"uuid"` // "": not checked for having been seen
	Actor string    `json:"-"`    // who sends it: it stands in the body of a command, whatever the body says
}

// Receipt names an accepted message. It is on disk.
type Receipt struct {
	Run     string `json:"run"`
	Message uint64 `json:"message"`
}

// Fate is what became of an operator command.
type Fate struct {
	Message uint64      `json:"message"`
	Command string      `json:"command"`
	Taken   bool        `json:"taken"` // the run acts on it
	Fate    string      `json:"fate"`  // "taken", "superseded by STOP", "not allowed in RUNNING", "the run has ended"
	State   isa88.State `json:"state"` // of the run when the fate was decided

	Actor     string    `json:"actor"`      // who gave it
	Reason    string    `json:"reason"`     // why
	GivenAt   time.Time `json:"given_at"`   // when it was on disk
	DecidedAt time.Time `json:"decided_at"` // when it had its fate
}

// Answer is an operator's word on a step in doubt.
type Answer struct {
	Decision string    `json:"decision"` // done, retry or fail
	Value    value.Raw `json:"value"`    // the result for done, optional
	Actor    string    `json:"actor"`
}

package control

import (
	"context"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// Engine is what control needs of *engine.Engine.
type Engine interface {
	Catalogue
	Observer
	Operator
}

// Catalogue knows the workflows and starts them.
type Catalogue interface {
	Workflows() []engine.WorkflowInfo
	Start(ctx context.Context, r engine.StartRequest) (engine.Started, error)
	Health() engine.Health
}

// Observer shows runs.
type Observer interface {
	Find(ctx context.Context, ref string) (id string, err error)
	Show(ctx context.Context, id string) (engine.RunInfo, error)
	Runs(ctx context.Context, f engine.Filter) ([]engine.RunInfo, error)
	EachStep(ctx context.Context, id string, from uint32, yield func(engine.StepInfo) bool) error
	Follower
	CommandLog
}

// Follower tells what is new about a run.
type Follower interface {
	EachLogEntry(ctx context.Context, id, stream string, after uint32, yield func(engine.LogEntry) bool) error
	Await(ctx context.Context, id string, version uint64) (now uint64, ended bool, err error)
	AwaitEnd(ctx context.Context, id string) error
}

// CommandLog tells which commands a run was sent.
type CommandLog interface {
	Commands(ctx context.Context, id string) ([]engine.CommandInfo, error)
	Decided(id string) (n int, live bool) // how many of a live run have had their fate
}

// Commander gives operator commands to runs.
type Commander interface {
	Command(ctx context.Context, id string, c isa88.Command, reason, actor string) (engine.Receipt, error)
	CommandAll(ctx context.Context, s engine.Selection, c isa88.Command, reason, actor string) (engine.Dispatch, error)
	Fates
}

// Fates tells what becomes of commands.
type Fates interface {
	Fate(ctx context.Context, r engine.Receipt) (engine.Fate, error)
	Fates(ctx context.Context, all []engine.Receipt) ([]*engine.Fate, error)
	Outlook(id string) *engine.Outlook // what a run is at that has not taken a command
}

// Operator acts on runs.
type Operator interface {
	Commander
	Send(ctx context.Context, id string, m engine.Message) (engine.Receipt, error)
	Cancel(ctx context.Context, id, reason, actor string) error
	Resolve(ctx context.Context, id string, a engine.Answer) error
	Debts
	Alarms
}

// Alarms knows what needs a human.
type Alarms interface {
	Alarms() []engine.Alarm
	Acknowledge(ctx context.Context, id, actor string) (engine.Alarm, error)
}

// Debts knows what is owed of safe states.
type Debts interface {
	Obligations() []engine.Obligation
	Waive(ctx context.Context, id, reason, actor string) error
	Claim(ctx context.Context, tag, by string) (settle func(written bool), err error)
}

// Tags is what control needs of the process image, *gateway.Gateway.
type Tags interface {
	TagTable
	Read(ctx context.Context, p tag.Path, notBefore time.Time) (tag.Sample, error)
	Write(ctx context.Context, p tag.Path, v tag.Value) (tag.Outcome, error)
	Watch(ctx context.Context, paths ...tag.Path) (<-chan tag.Update, error)
}

// TagTable is the table of tags with what is known of them.
type TagTable interface {
	Tags() []tag.Info
	Snapshot() []tag.Sample // in the order of Tags
	Lookup(p tag.Path) (tag.Info, bool)
}

// Links tells how the connections fare.
type Links interface {
	Links() []gateway.LinkStatus
}

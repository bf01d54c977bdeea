package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

// Status returns the daemon at a glance. It is answered while the daemon recovers, too.
func (c *Client) Status(ctx context.Context) (st wire.Status, err error) {
	err = c.get(ctx, "/v1/status", nil, &st)
	return st, err
}

// Workflows returns the registered workflows.
func (c *Client) Workflows(ctx context.Context) (ws []engine.WorkflowInfo, err error) {
	err = c.get(ctx, "/v1/workflows", nil, &ws)
	return ws, err
}

// Start starts a run. The answer means that it is on disk.
func (c *Client) Start(ctx context.Context, s wire.Start) (st engine.Started, err error) {
	err = c.post(ctx, "/v1/runs", oneAct, s, &st)
	return st, err
}

// Runs returns runs, newest first. Zero fields of f select all; without a limit
// there are a hundred at most.
func (c *Client) Runs(ctx context.Context, f engine.Filter) (runs []engine.RunInfo, err error) {
	q := url.Values{}
	set := func(key, v string) {
		if v != "" {
			q.Set(key, v)
		}
	}
	set("status", string(f.Status))
	set("workflow", f.Workflow)
	set("partition", f.Partition)
	if !f.Since.IsZero() {
		set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	err = c.get(ctx, "/v1/runs", q, &runs)
	return runs, err
}

// runPath is the path of a run, or of something of it. A run is an id or a
// unique prefix of one.
func runPath(run, rest string) (string, error) {
	if run == "" || run == "." || run == ".." {
		return "", &wire.Error{Code: wire.NotFound, Message: "there is no run " + strconv.Quote(run), Hint: "holdfast runs lists them"}
	}
	return "/v1/runs/" + url.PathEscape(run) + rest, nil
}

// ofRun asks a question about a run.
func (c *Client) ofRun(ctx context.Context, run, rest string, q url.Values, answer any) error {
	path, err := runPath(run, rest)
	if err != nil {
		return err
	}
	return c.get(ctx, path, q, answer)
}

// toRun asks for an act on a run.
func (c *Client) toRun(ctx context.Context, run, rest string, body, answer any) error {
	path, err := runPath(run, rest)
	if err != nil {
		return err
	}
	return c.post(ctx, path, oneAct, body, answer)
}

// Show returns one run.
func (c *Client) Show(ctx context.Context, run string) (info engine.RunInfo, err error) {
	err = c.ofRun(ctx, run, "", nil, &info)
	return info, err
}

// Steps calls each with a run's recorded steps in order, until it returns an
// error. They come by pages: some may have been given when the next cannot be had.
func (c *Client) Steps(ctx context.Context, run string, each func(engine.StepInfo) error) error {
	q := url.Values{}
	for {
		var p wire.StepPage
		if err := c.ofRun(ctx, run, "/steps", q, &p); err != nil {
			return err
		}
		for i := range p.Steps {
			if err := each(p.Steps[i]); err != nil {
				return err
			}
		}
		if more, err := goOn(q, "from", p.Next, len(p.Steps)); err != nil || !more {
			return err
		}
	}
}

// Log is Steps for a run's entries of a stream; "" takes all its streams.
func (c *Client) Log(ctx context.Context, run, stream string, each func(engine.LogEntry) error) error {
	q := url.Values{"stream": {stream}}
	for {
		var p wire.LogPage
		if err := c.ofRun(ctx, run, "/log", q, &p); err != nil {
			return err
		}
		for i := range p.Entries {
			if err := each(p.Entries[i]); err != nil {
				return err
			}
		}
		if more, err := goOn(q, "after", p.Next, len(p.Entries)); err != nil || !more {
			return err
		}
	}
}

// goOn makes q the question for the next page; more is false if there is none.
func goOn(q url.Values, cursor string, next *uint32, got int) (more bool, err error) {
	if next == nil {
		return false, nil
	}
	at := strconv.FormatUint(uint64(*next), 10)
	if got == 0 || at == q.Get(cursor) {
		return false, &wire.Error{Code: wire.Failed, Message: "the daemon's answer cannot be read: a page leads to itself", Hint: versionHint}
	}
	q.Set(cursor, at)
	return true, nil
}

// FollowLog calls each with the entries of a run's stream, and with the commands
// that have had their fate: those that are there and those that come, until the
// run has ended or each returns an error.
func (c *Client) FollowLog(ctx context.Context, run, stream string, each func(wire.Line) error) error {
	path, err := runPath(run, "/log/follow")
	if err != nil {
		return err
	}
	return c.stream(ctx, path, url.Values{"stream": {stream}}, func(l wire.Line) error {
		if l.Entry == nil && l.Command == nil {
			return nil
		}
		return each(l)
	})
}

// Follow calls each with a run's log entries and, whenever its status, state or
// question changes, with the run; the last is the run that has ended.
func (c *Client) Follow(ctx context.Context, run string, each func(wire.Line) error) error {
	path, err := runPath(run, "/follow")
	if err != nil {
		return err
	}
	return c.stream(ctx, path, nil, each)
}

// Command gives a command to a run. The answer means that it is on disk, not
// that the run has taken it: see Fate.
func (c *Client) Command(ctx context.Context, run string, cmd wire.Command) (s wire.Sent, err error) {
	err = c.toRun(ctx, run, "/commands", cmd, &s)
	return s, err
}

// Commands gives a command to all live runs of a selection whose state allows it.
func (c *Client) Commands(ctx context.Context, cmd wire.Commands) (s []wire.Sent, err error) {
	err = c.post(ctx, "/v1/commands", manyActs, cmd, &s)
	return s, err
}

// Fate waits, for wait at most, until it is decided what becomes of a command.
// Sent.Fate is nil if it is not. It may be asked as often as one likes.
func (c *Client) Fate(ctx context.Context, run string, message uint64, wait time.Duration) (s wire.Sent, err error) {
	q := url.Values{"wait_ms": {strconv.FormatInt(max(wait.Milliseconds(), 0), 10)}}
	err = c.ofRun(ctx, run, "/commands/"+strconv.FormatUint(message, 10), q, &s)
	return s, err
}

// Fates waits, for wait at most, until it is decided what becomes of all of the
// commands. Their answers are in the same order.
func (c *Client) Fates(ctx context.Context, all []engine.Receipt, wait time.Duration) (s []wire.Sent, err error) {
	err = c.question(ctx, "/v1/fates", wire.Fates{Messages: all, WaitMS: max(wait.Milliseconds(), 0)}, &s)
	if err == nil && len(s) != len(all) {
		err = &wire.Error{Code: wire.Failed, Message: fmt.Sprintf("the daemon says what became of %d commands, not of %d", len(s), len(all)), Hint: versionHint}
	}
	return s, err
}

// RunCommands lists every command that a run was sent.
func (c *Client) RunCommands(ctx context.Context, run string) (all []engine.CommandInfo, err error) {
	err = c.ofRun(ctx, run, "/commands", nil, &all)
	return all, err
}

// Send puts a message into a run's mailbox.
func (c *Client) Send(ctx context.Context, run string, m wire.Message) (r engine.Receipt, err error) {
	err = c.toRun(ctx, run, "/messages", m, &r)
	return r, err
}

// Cancel ends a run. It returns the run's id.
func (c *Client) Cancel(ctx context.Context, run, reason string) (id string, err error) {
	var d wire.Done
	err = c.toRun(ctx, run, "/cancel", wire.Cancel{Reason: reason}, &d)
	return d.Run, err
}

// Resolve answers the question of a run in doubt. It returns the run's id.
func (c *Client) Resolve(ctx context.Context, run string, r wire.Resolve) (id string, err error) {
	var d wire.Done
	err = c.toRun(ctx, run, "/resolve", r, &d)
	return d.Run, err
}

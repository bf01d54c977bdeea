package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/engine"
	"holdfast/gateway/tag"
	"holdfast/internal/client"
	"holdfast/internal/control"
	"holdfast/internal/control/controltest"
)

// claimed keeps what the engine is told of an operator's writes.
type claimed struct {
	control.Engine
	mu     sync.Mutex
	told   []string
	refuse error
}

func (c *claimed) tell(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, s)
}

func (c *claimed) Claim(_ context.Context, path, by string) (func(bool), error) {
	if c.refuse != nil {
		return nil, c.refuse
	}
	if strings.Contains(by, "run ") || by == "" {
		c.tell("by " + by)
	}
	c.tell("claim " + path)
	return func(written bool) {
		if written {
			c.tell("written")
			return
		}
		c.tell("not written")
	}, nil
}

// An operator's write of a tag is claimed before it is sent, and counts as
// written where it may have been: nothing that a safe state owes to the tag is
// written behind it. Without a claim nothing is sent.
func TestOperatorsWriteIsClaimed(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	e := &claimed{Engine: d.Engine}
	socket := controltest.Socket(t)
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	s := control.New(control.Config{Engine: e, Tags: d.Gateway, Links: d.Gateway, SocketPath: socket})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- s.Run(ctx, l) }()
	defer func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}()
	c := client.New(socket)
	for _, x := range []struct {
		answer tag.Outcome
		want   string
	}{
		{tag.Outcome{Result: tag.Accepted, Status: tag.Good}, "written"},
		{tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}, "written"},
		{tag.Outcome{Result: tag.Rejected, Status: tag.BadOutOfRange}, "not written"},
	} {
		d.Device.Answer(x.answer, false)
		if _, err := c.WriteTag(t.Context(), "line/speed_sp", tag.Float(5)); err != nil {
			t.Fatal(err)
		}
		if want := []string{"claim line/speed_sp", x.want}; !slices.Equal(e.told, want) {
			t.Errorf("%v: told %v, want %v", x.answer.Result, e.told, want)
		}
		e.told = nil
	}
	d.Device.Answer(tag.Outcome{Result: tag.Accepted, Status: tag.Good}, false)
	e.refuse = &engine.Problem{Code: engine.Unavailable, Message: "the disk is full"}
	before := d.Device.Get("line/speed_sp")
	if _, err := c.WriteTag(t.Context(), "line/speed_sp", tag.Float(99)); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("got %v", err)
	}
	if now := d.Device.Get("line/speed_sp"); !now.Equal(before) {
		t.Errorf("%v was sent without a claim", now)
	}
}

// Alarms and what is owed are named, and what is not there is not found.
func TestNothingToAcknowledge(t *testing.T) {
	t.Parallel()
	d := controltest.StartInDoubt(t)
	c := client.New(d.Socket)
	all, err := c.Alarms(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "doubt:doubtful:0" || all[0].Run != "doubtful" {
		t.Fatalf("alarms are %+v, %v", all, err)
	}
	acked, err := c.Ack(t.Context(), all[0].ID)
	if err != nil || acked.AcknowledgedBy == "" || acked.AcknowledgedAt == nil {
		t.Errorf("acknowledged: %+v, %v", acked, err)
	}
	var coded interface{ ExitCode() int }
	if _, err := c.Ack(t.Context(), "none"); !errors.As(err, &coded) || coded.ExitCode() != 4 {
		t.Errorf("got %v", err)
	}
	if owed, err := c.Obligations(t.Context()); err != nil || len(owed) != 0 {
		t.Errorf("owed is %+v, %v", owed, err)
	}
}

package client

import (
	"context"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

// Alarms lists what needs a human, oldest first.
func (c *Client) Alarms(ctx context.Context) (all []engine.Alarm, err error) {
	err = c.get(ctx, "/v1/alarms", nil, &all)
	return all, err
}

// Ack says that somebody knows of an alarm.
func (c *Client) Ack(ctx context.Context, id string) (a engine.Alarm, err error) {
	err = c.post(ctx, "/v1/alarms/ack", oneAct, wire.Ack{Alarm: id}, &a)
	return a, err
}

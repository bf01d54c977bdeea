package client

import (
	"context"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

// Obligations lists what is owed of safe states, oldest first.
func (c *Client) Obligations(ctx context.Context) (all []engine.Obligation, err error) {
	err = c.get(ctx, "/v1/obligations", nil, &all)
	return all, err
}

// Waive gives up an obligation by its name.
func (c *Client) Waive(ctx context.Context, w wire.Waive) error {
	return c.post(ctx, "/v1/obligations/waive", oneAct, w, &wire.Waive{})
}

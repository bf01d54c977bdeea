package opcua

import (
	"context"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// batch is how many operations go into a request where the server allows them:
// beyond it a request gains nothing more and its answer takes long to decode.
const batch = 500

// limits are how many operations a request may have, at least 1 each.
type limits struct{ read, monitored int }

// readLimits asks for the server's OperationLimits (OPC 10000-5, 6.3.11). A
// limit that is absent or 0 is taken for none.
func (s *session) readLimits(ctx context.Context) error {
	var ids []*ua.ReadValueID
	targets := []*int{&s.limits.read, &s.limits.monitored}
	for _, n := range []uint32{
		id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
		id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
	} {
		ids = append(ids, readID(ua.NewNumericNodeID(0, n), ua.AttributeIDValue))
	}
	for i, t := range targets {
		*t = batch
		r, err := s.readFew(ctx, ids[i]) // one by one: the limit may be 1
		if err != nil {
			return err
		}
		if n, ok := r[0].Value.Value().(uint32); ok && r[0].Status == ua.StatusOK && n > 0 && n < batch {
			*t = int(n)
		}
	}
	return nil
}

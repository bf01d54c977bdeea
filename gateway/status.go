package gateway

import "time"

// LinkState says whether a link can be used.
type LinkState uint8

// The states of a link.
const (
	Connecting LinkState = iota // the first attempt has not ended yet
	Up
	Down // lost, or not reached; the gateway goes on trying
)

// String returns "connecting", "up" or "down".
func (s LinkState) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return "connecting"
}

// LinkStatus is how a link fares. The counters run since the start.
type LinkStatus struct {
	Name       string
	Driver     string // its kind
	State      LinkState
	Since      time.Time // when State began
	LastError  string    // the newest, also of a link that is up again; "" where there was none
	Requests   uint64    // reads and writes given to the driver
	Errors     uint64    // of those and of attempts to connect and subscriptions: how many failed
	Samples    uint64    // that arrived, good or bad
	Reconnects uint64    // how often the link came up again
	Overruns   uint64    // scans that were left out because the one before took too long
	LastData   time.Time // when the last sample arrived
}

// Links returns the status of each link, in the order of Config.Connections.
func (g *Gateway) Links() []LinkStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]LinkStatus, len(g.links))
	for i, l := range g.links {
		all[i] = l.status
	}
	return all
}

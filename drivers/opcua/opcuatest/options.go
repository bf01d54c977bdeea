package opcuatest

import (
	"time"

	"github.com/awcullen/opcua/ua"
)

// Option changes what Listen sets up.
type Option func(*settings)

type settings struct {
	users      map[string]string
	namespaces []string
	noNone     bool
	noAnon     bool
	announced  limits
	actual     limits
	sampling   time.Duration
	maxArray   uint32
}

type limits struct{ read, write, monitored uint32 }

func defaults() settings {
	l := limits{read: 500, write: 500, monitored: 500}
	return settings{
		users: map[string]string{}, namespaces: []string{NamespaceURI},
		announced: l, actual: l, sampling: 10 * time.Millisecond, maxArray: 100000,
	}
}

// WithUser lets a user in by name and password (64 bytes at most, a bound of
// the library).
func WithUser(name, password string) Option {
	return func(s *settings) { s.users[name] = password }
}

// WithNamespaces sets the namespaces behind the two that every server has, in
// their order. The variables exist only if NamespaceURI is among them.
func WithNamespaces(uris ...string) Option {
	return func(s *settings) { s.namespaces = uris }
}

// WithoutNone takes the endpoint of policy None away; discovery still works.
func WithoutNone() Option { return func(s *settings) { s.noNone = true } }

// WithoutAnonymous refuses clients that bring no identity.
func WithoutAnonymous() Option { return func(s *settings) { s.noAnon = true } }

// WithLimits sets the operation limits: nodes per Read, nodes per Write,
// monitored items per call. None may be 0.
func WithLimits(read, write, monitored uint32) Option {
	return func(s *settings) {
		s.announced = limits{read, write, monitored}
		s.actual = s.announced
	}
}

// WithHiddenLimits has the server refuse more than these, whatever it announces
// in its OperationLimits.
func WithHiddenLimits(read, write, monitored uint32) Option {
	return func(s *settings) { s.actual = limits{read, write, monitored} }
}

// capabilities returns what the server says of itself.
func (s settings) capabilities() *ua.ServerCapabilities {
	c := ua.NewServerCapabilities()
	c.MinSupportedSampleRate = float64(s.sampling) / float64(time.Millisecond)
	c.MaxArrayLength = s.maxArray
	c.MaxStringLength = 1 << 16
	c.MaxByteStringLength = 1 << 16
	s.announced.apply(c.OperationLimits)
	return c
}

func (l limits) apply(o *ua.OperationLimits) {
	o.MaxNodesPerRead, o.MaxNodesPerWrite, o.MaxMonitoredItemsPerCall = l.read, l.write, l.monitored
}

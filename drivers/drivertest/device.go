package drivertest

import (
	"testing"
	"time"

	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// Device is a running device and the way to a driver for it.
type Device struct {
	// New makes a driver for items, not connected. Items have their index as
	// Handle. The driver is closed by the suite.
	New func(items []tag.Item) (gateway.Driver, error)

	// Points are places in the device that can be read and written: one of each
	// type that the driver supports, at least two, none overlapping another.
	Points []Point

	// Get returns what the device holds at p, and Set changes it, both behind
	// the driver's back.
	Get func(p Point) (tag.Value, error)
	Set func(p Point, v tag.Value) error

	// Missing is a place that the device has not; nil where it has all.
	Missing *Point

	// Refuse makes the device answer writes to p with an error until undo is
	// called; nil where it cannot.
	Refuse func(p Point) (undo func(), err error)

	// Unmonitor makes the device refuse to tell of changes of p, which can be
	// read as before, until undo is called; nil where it cannot. It has its effect
	// on subscriptions that come later. The driver is to ask again by itself, within
	// Patience.
	Unmonitor func(p Point) (undo func(), err error)

	// Proxy is where the driver connects to, with the device behind it; nil for
	// a driver that does not speak TCP.
	Proxy *Proxy

	// Stop makes the device unreachable and ends its links, Start undoes it.
	// Left nil, Proxy.Down and Proxy.Up serve; without a proxy the cases of a
	// dying device do not exist.
	Stop  func() error
	Start func() error

	// Hang makes the device take requests without answering until undo is
	// called. Left nil, the proxy's DropAnswers serves.
	Hang func() (undo func(), err error)

	// Patience is the longest that any one call may take; 0 means 10 s.
	Patience time.Duration
}

// Point is a place in a device that holds a value.
type Point struct {
	Address string
	Type    tag.Type
	Order   tag.Order
	Length  int // bytes, of a string or bytes point

	// Values are tried beside those that the suite has for Type. They are
	// needed for TypeAny only, at least two.
	Values []tag.Value
}

// Run tries every promise of gateway.Driver that d has the means for.
func Run(t *testing.T, d Device) {
	if d.New == nil || d.Get == nil || d.Set == nil || len(d.Points) < 2 {
		t.Fatal("drivertest: a Device needs New, Get, Set and two Points")
	}
	if d.Patience == 0 {
		d.Patience = 10 * time.Second
	}
	if d.Proxy != nil {
		if d.Stop == nil {
			d.Stop, d.Start = d.Proxy.Down, d.Proxy.Up
		}
		if d.Hang == nil {
			d.Hang = func() (func(), error) { d.Proxy.DropAnswers(); return d.Proxy.Pass, nil }
		}
	}
	cases := append(plainCases(), writeCases()...)
	if d.Missing != nil {
		cases = append(cases, missingCases()...)
	}
	if d.Refuse != nil {
		cases = append(cases, testCase{"refused write", testRefused})
	}
	if d.Stop != nil {
		cases = append(cases, stopCases()...)
	}
	if d.Hang != nil {
		cases = append(cases, hangCases()...)
	}
	if d.Proxy != nil {
		cases = append(cases, proxyCases()...)
	}
	if _, ok := newDriver(t, d, items(d.Points)).(gateway.Subscriber); ok {
		cases = append(cases, subscribeCases(d)...)
	}
	cases = append(cases, testCase{"no goroutine left", testGoroutines})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, d) })
	}
}

// testCase is one promise.
type testCase struct {
	name string
	run  func(t *testing.T, d Device)
}

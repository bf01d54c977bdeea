package tag

import (
	"errors"
	"time"
)

// Order is the order of the bytes of a value that takes several registers:
// the letters of the value's bytes, most significant first, as they come over
// the wire. "" means ABCD.
type Order string

// The byte orders of multi-register values.
const (
	ABCD Order = "ABCD"
	CDAB Order = "CDAB"
	BADC Order = "BADC"
	DCBA Order = "DCBA"
)

// Item is what a driver has to know of a tag.
type Item struct {
	Handle  int           // the tag's number on its connection, from 0; the index in the list given to the driver's New
	Path    Path          // for messages only
	Address string        // in the driver's own words
	Type    Type          // TypeAny: the device says
	Order   Order         // "" where the type takes one register or less
	Length  int           // of a string or bytes tag, in bytes; else 0
	Period  time.Duration // scan class: how often the gateway wants a sample
	Write   bool          // the configuration permits writing
}

// Write is one value on its way to a device. Value is already of the item's
// Type (Coerce), unscaled, and within the guards.
type Write struct {
	Item  Item
	Value Value
}

// Result is the fate of a write.
type Result uint8

// The three fates of a write. The boundary of Unknown is the first byte on the
// wire: what was never sent, or was refused by the device, is Rejected.
const (
	Rejected Result = iota // had no effect, and will have none
	Accepted               // the device said that it took the value
	Unknown                // sent, and no answer that tells: it may or may not have had its effect
)

// String returns "rejected", "accepted" or "unknown".
func (r Result) String() string {
	switch r {
	case Accepted:
		return "accepted"
	case Unknown:
		return "unknown"
	}
	return "rejected"
}

// Outcome is what became of one Write.
type Outcome struct {
	Result Result
	Status StatusCode // the device's, or the transport's
	Detail string     // a sentence for the operator where Status does not say enough; else ""
}

// ErrNotConnected is what a driver's Read and Write return while the link is
// down: nothing was sent, and Connect has to come first.
var ErrNotConnected = errors.New("not connected")

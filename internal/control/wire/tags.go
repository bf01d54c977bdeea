package wire

import (
	"time"

	"holdfast/gateway/tag"
)

// Tag is a tag with its last sample.
type Tag struct {
	Path       string    `json:"path"`
	Value      tag.Value `json:"value"`     // null when the quality is bad
	Quality    string    `json:"quality"`   // symbolic name of an OPC UA StatusCode
	Timestamp  *Time     `json:"timestamp"` // the source's where there is one, else of the receipt
	Connection string    `json:"connection"`
	Address    string    `json:"address"`
	Type       string    `json:"type"`
	Units      string    `json:"units"`
	Writable   bool      `json:"writable"`
}

// TagOf puts a tag's description and a sample of it together.
func TagOf(i tag.Info, s tag.Sample) Tag {
	t := Tag{
		Path: string(i.Path), Value: s.Value, Quality: s.Status.String(),
		Connection: i.Connection, Address: i.Address, Type: i.Type.String(), Units: i.Units, Writable: i.Writable,
	}
	if at := s.Timestamp(); !at.IsZero() {
		t.Timestamp = &Time{at}
	}
	return t
}

// Time is a time.Time that is written in UTC with three decimals, always.
type Time struct{ time.Time }

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// Write asks for a guarded write of one tag.
type Write struct {
	Path  string    `json:"path"`
	Value tag.Value `json:"value"`
}

// The outcomes of a write.
const (
	OutcomeAccepted  = "accepted"  // the device said that it took the value
	OutcomeConfirmed = "confirmed" // and it was read back afterwards
	OutcomeRejected  = "rejected"  // had no effect, and will have none
	OutcomeUnknown   = "unknown"   // sent, and no answer that tells
)

// Written is what became of a Write, and of the confirmation where one was asked for.
type Written struct {
	Path    string    `json:"path"`
	Outcome string    `json:"outcome"`
	Quality string    `json:"quality"` // the device's word on the write, or the transport's
	Detail  string    `json:"detail"`  // a sentence where quality does not say enough
	Retry   bool      `json:"retry"`   // rejected because of the link, not of the value: try again
	At      time.Time `json:"at"`      // what is sampled after this moment can confirm the write
}

// Confirmed says whether a tag has read back a value.
type Confirmed struct {
	Confirmed bool `json:"confirmed"`
	Tag       Tag  `json:"tag"` // as last read
}

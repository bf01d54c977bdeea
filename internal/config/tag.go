package config

import (
	"time"

	"holdfast/gateway/tag"
)

// Tag is one tag, with the defaults of its connection and scan class filled in.
type Tag struct {
	Path       tag.Path
	Connection string
	Address    string // in the driver's own words, exactly as written
	Type       tag.Type
	Order      tag.Order // "" where the type takes one register or less, and on other drivers than modbus
	Length     int       // bytes of a string or bytes tag on modbus; else 0
	Scale      *Scale    // nil: the device's value is the tag's
	Units      string
	Scan       string        // the scan class's name
	Period     time.Duration // the scan class's period
	Deadband   float64       // in the tag's units; 0 passes every change
	Write      *WriteRule    // nil: nobody writes
	Pos        Pos           // of the path
}

// Scale turns a device's number into the tag's: raw × Factor + Offset.
type Scale struct {
	Factor float64 // never 0
	Offset float64
}

// WriteRule permits writing a tag, and guards it. Numbers are in the tag's
// units, that is after scaling.
type WriteRule struct {
	Kind        tag.WriteKind
	Min, Max    *float64
	MaxStep     *float64 // the greatest change against a fresh read
	MinInterval time.Duration
	Interlocks  []Interlock
}

// Interlock lets a write pass only while another tag has a value, with good
// quality and not older than MaxAge.
type Interlock struct {
	Tag    tag.Path
	Equals tag.Value // of the other tag's type; a number in its units
	MaxAge time.Duration

	equals text // as written, until the other tag's type is known
}

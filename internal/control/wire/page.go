package wire

import "holdfast/engine"

// The bounds of a page: so many entries at most, and no more once it has so many
// bytes of JSON.
const (
	PageEntries = 10_000
	PageBytes   = 2 << 20
)

// StepPage is a part of a run's recorded steps, in order.
type StepPage struct {
	Steps []engine.StepInfo `json:"steps"`
	Next  *uint32           `json:"next"` // what to give as from, to go on; null: there are no more
}

// LogPage is a part of a run's log, in order.
type LogPage struct {
	Entries []engine.LogEntry `json:"entries"`
	Next    *uint32           `json:"next"` // what to give as after, to go on; null: there are no more
}

package wire

import "time"

// Backup says what a backup of the journal holds. It follows the backup itself.
type Backup struct {
	Journal string    `json:"journal"` // identity of the journal that it was made of
	Time    time.Time `json:"time"`    // of the live runs in it
	Frame   uint64    `json:"frame"`   // of the log, that it had come to
	Runs    int       `json:"runs"`    // live ones
	Entries int       `json:"entries"`
	Bytes   int64     `json:"bytes"`
}

// The trailers of an answer that is not JSON, but bytes: one of the two stands
// behind the bytes. Bytes without one are a part.
const (
	TrailerAnswer = "Holdfast-Answer" // JSON: the bytes are complete
	TrailerError  = "Holdfast-Error"  // JSON of an Error: why they end early
)

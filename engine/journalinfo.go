package engine

import (
	"time"

	"holdfast/journal"
)

// JournalInfo says what the journal does to the disk, and how large it is.
type JournalInfo struct {
	// Bytes that are written in a day, at the rate since the start, by cause:
	// because somebody waited for it (an effect, an acknowledgement, a look at a
	// run), because a record had waited its time, to carry the log into
	// journal.db, to move ended runs into history.db.
	BarrierPerDay    int64 `json:"barrier_bytes_per_day"`
	TimerPerDay      int64 `json:"timer_bytes_per_day"`
	CheckpointPerDay int64 `json:"checkpoint_bytes_per_day"`
	HistoryPerDay    int64 `json:"history_bytes_per_day"`

	LiveBytes    int64 `json:"live_bytes"`    // of journal.db
	HistoryBytes int64 `json:"history_bytes"` // of history.db
	ToMove       int   `json:"to_move"`       // ended runs that are not in history.db yet

	// RepeatMS is how much of a run's effect-free work a crash may make it repeat.
	RepeatMS int64 `json:"repeat_ms"`
}

// PerDay is all that is written in a day.
func (i *JournalInfo) PerDay() int64 {
	return i.BarrierPerDay + i.TimerPerDay + i.CheckpointPerDay + i.HistoryPerDay
}

func journalInfo(s journal.Stats, now time.Time) JournalInfo {
	up := max(now.Sub(s.Since), time.Minute) // else the first commits would make a flood of a day
	day := func(n int64) int64 { return int64(float64(n) * float64(24*time.Hour) / float64(up)) }
	return JournalInfo{
		BarrierPerDay: day(s.LogWritten - s.LazyWritten), TimerPerDay: day(s.LazyWritten),
		CheckpointPerDay: day(s.LiveWritten), HistoryPerDay: day(s.OldWritten),
		LiveBytes: s.LiveBytes, HistoryBytes: s.HistoryBytes, ToMove: s.ToMove,
		RepeatMS: (journal.LaterWithin + tailFlush).Milliseconds(),
	}
}

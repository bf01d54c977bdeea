package engine

import (
	"context"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// EachLogEntry calls yield with the items of a run's stream behind place after,
// until it returns false or ctx is done; "" is all streams. rt.progress appends
// to the stream "log". The record is read by pages.
func (e *Engine) EachLogEntry(ctx context.Context, id, stream string, after uint32, yield func(LogEntry) bool) error {
	num, err := e.number(ctx, id)
	if err != nil {
		return err
	}
	var bad error
	err = e.journal.Records(ctx, num, after, func(rec journal.Record) bool { // an entry's Seq is its place and one
		if record.PlaceOf(rec.Seq).Branch != record.Main {
			return false
		}
		if rec.Kind != record.KindProgress && rec.Kind != record.KindStream {
			return true
		}
		var l LogEntry
		if l, bad = logEntry(&rec); bad != nil {
			return false
		}
		return stream != "" && stream != l.Stream || yield(l)
	})
	switch {
	case err != nil:
		return unread(ctx, id, err)
	case bad != nil:
		return problem(Unavailable, "cannot read the log of run %s: %v", id, bad)
	}
	return nil
}

// Log is EachLogEntry into a list: for runs that are known to be short.
func (e *Engine) Log(ctx context.Context, id, stream string, after uint32) ([]LogEntry, error) {
	out := []LogEntry{}
	if err := e.EachLogEntry(ctx, id, stream, after, func(l LogEntry) bool { out = append(out, l); return true }); err != nil {
		return nil, err
	}
	return out, nil
}

// logEntry makes an item of a stream of its record.
func logEntry(rec *journal.Record) (LogEntry, error) {
	told, err := record.ReadTold(rec)
	if err != nil {
		return LogEntry{}, err
	}
	l := LogEntry{Seq: rec.Seq + 1, Stream: told.Key, Time: rec.Time, Value: told.Value}
	if rec.Kind == record.KindProgress {
		l.Stream = "log"
		l.Value, err = value.Encode(value.NewMap("ts", rec.Time.Format("2006-01-02T15:04:05.000Z07:00"), "message", told.Key, "extra", told.Value))
	}
	return l, err
}

package engine

import (
	"context"

	"holdfast/engine/record"
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
	err = e.journal.Records(ctx, num, after, func(rec journal.Record) bool { // an entry's Seq is its place and one
		if record.PlaceOf(rec.Seq).Branch != record.Main {
			return false
		}
		if rec.Kind != record.KindProgress && rec.Kind != record.KindStream {
			return true
		}
		l := logEntry(&rec)
		return stream != "" && stream != l.Stream || yield(l)
	})
	if err != nil {
		return unread(ctx, id, err)
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

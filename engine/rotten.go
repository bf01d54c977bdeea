package engine

import (
	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// typeUnreadable is the type of an error in the place of what cannot be read.
const typeUnreadable = "RecordUnreadable"

// logEntry is the entry of a record that tells something. One that cannot be read
// says so in its place.
func logEntry(rec *journal.Record) LogEntry {
	l := LogEntry{Seq: rec.Seq + 1, Stream: "log", Time: rec.Time}
	told, err := record.ReadTold(rec)
	switch {
	case err != nil:
	case rec.Kind == record.KindStream:
		l.Stream, l.Value = told.Key, told.Value
	default:
		l.Value, err = saidAt(rec, told.Key, told.Value)
	}
	if err != nil {
		l.Value, _ = saidAt(rec, "this entry cannot be read: "+err.Error(), nil) // of text, which can be encoded
	}
	return l
}

// saidAt is the value of an entry of the stream "log".
func saidAt(rec *journal.Record, message, extra any) (value.Raw, error) {
	return value.Encode(value.NewMap("ts", rec.Time.Format("2006-01-02T15:04:05.000Z07:00"), "message", message, "extra", extra))
}

// rottenStep stands in the place of a step that cannot be read.
func rottenStep(rec *journal.Record, err error) StepInfo {
	done := rec.Time
	return StepInfo{Seq: rec.Seq, Name: "?", Status: "ERROR", Count: 1, StartedAt: rec.Time, CompletedAt: &done,
		Error: &StepError{Type: typeUnreadable, Message: err.Error()}}
}

// orRotten is addStep; a record that cannot be read says so in its place.
func orRotten(list []StepInfo, rd *record.Reader, rec *journal.Record) []StepInfo {
	if n := len(list); n > 0 && list[n-1].Seq == rec.Seq && list[n-1].Error != nil && list[n-1].Error.Type == typeUnreadable {
		return list // its beginning cannot be read
	}
	out, err := addStep(list, rd, rec)
	if err != nil {
		return append(list, rottenStep(rec, err))
	}
	return out
}

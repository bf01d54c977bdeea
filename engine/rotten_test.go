package engine_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// TestRottenRecordCostsItself: a record that cannot be read says so in its place,
// and all beside it are shown.
func TestRottenRecordCostsItself(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), engine.Config{}, journal.Options{})
	defer b.shutdown()
	const done, stream, progress = 2, 6, 7
	rotten := value.Raw{0x82, 0x01}
	rec := func(seq uint32, kind journal.Kind, data value.Raw) journal.Record {
		return journal.Record{Seq: seq, Kind: kind, Time: time.Now(), Data: data}
	}
	num := b.j.NextRun()
	err := b.j.Writer().Commit(journal.Change{Run: num, Start: &journal.Header{Run: num, ID: "odd", Created: time.Now()}, Records: []journal.Record{
		rec(0, progress, encoded([]any{"first", nil})),
		rec(1, progress, rotten),
		rec(2, done, encoded([]any{"my.step", args("a", 1)})),
		rec(3, done, rotten),
		rec(4, stream, encoded([]any{int64(5), nil})),
		rec(5, progress, encoded([]any{"last", nil})),
	}})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := b.e.Log(t.Context(), "odd", "", 0)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, want := range []string{`"message":"first"`, `"message":"this entry cannot be read: record 1 of kind 7 cannot be read: encoded value is cut short"`, `this entry cannot be read`, `"message":"last"`} {
		if js, err := entries[i].Value.MarshalJSON(); err != nil || !strings.Contains(string(js), want) || entries[i].Stream != "log" {
			t.Errorf("entry %d is %s of %s, %v", i, js, entries[i].Stream, err)
		}
	}
	steps, err := b.e.Steps(t.Context(), "odd")
	if err != nil || len(steps) != 2 || steps[0].Name != "my.step" || steps[1].Seq != 3 || steps[1].Error == nil || steps[1].Error.Type != "RecordUnreadable" {
		t.Errorf("steps are %+v, %v", steps, err)
	}
}

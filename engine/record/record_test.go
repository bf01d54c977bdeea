package record

import (
	"math"
	"reflect"
	"testing"
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Each place has one number and one text, and back; what has no room is refused.
func TestPlaces(t *testing.T) {
	t.Parallel()
	texts := map[string]uint32{}
	for _, n := range []uint32{0, 12, 1<<30 - 1, 1 << 30, 1<<30 + 3, 1<<31 - 1, 1 << 31, 1<<31 + 7, math.MaxUint32} {
		p := PlaceOf(n)
		if back, err := p.Number(); back != n || err != nil {
			t.Errorf("place %s of number %d has number %d, %v", p, n, back, err)
		}
		if other, twice := texts[p.String()]; twice {
			t.Errorf("%d and %d are %s", other, n, p)
		}
		texts[p.String()] = n
	}
	for text, p := range map[string]Place{"12": {Seq: 12}, "note.3": {0, Notes, 3}, "safe.0": {0, Safe, 0}, "g1.b2.12": {1, 2, 12}} {
		if p.String() != text {
			t.Errorf("%+v is %s, not %s", p, p, text)
		}
	}
	for _, p := range []Place{{Generation: 1}, {Branch: 1}, {Seq: 1 << 30}, {0, Notes, 1 << 30}, {0, Safe, 1 << 31}} {
		if n, err := p.Number(); err == nil {
			t.Errorf("place %s has number %d", p, n)
		}
	}
}

// Keys differ where anything about them differs.
func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]Key{}
	for _, k := range []Key{
		{"b", "a", Place{Seq: 12}, 0}, {"b", "a", Place{Seq: 12}, 1}, {"b", "a-12", Place{Seq: 1}, 0}, {"b", "a", Place{Seq: 1}, 2},
		{"c", "a", Place{Seq: 12}, 0}, {"", "a", Place{Seq: 12}, 0}, {"b", "a", Place{Generation: 1, Seq: 12}, 0}, {"b", "a", Place{Branch: 1, Seq: 12}, 0},
		{"b", "a", Place{Branch: Safe, Seq: 12}, 0}, {"b", "a.b1", Place{Seq: 12}, 0},
	} {
		if other, twice := seen[k.String()]; twice {
			t.Errorf("%+v and %+v are both %s", other, k, k)
		}
		seen[k.String()] = k
	}
	if got := (Key{"b0", "fill-7", Place{Seq: 12}, 3}).String(); got != "b0/fill-7/12/3" {
		t.Errorf("got %s", got)
	}
}

// Each kind of record says after reading what was written.
func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	args := enc(t, value.NewMap("path", "tank.level"))
	null := enc(t, nil)
	var (
		w    Writer
		recs []journal.Record
	)
	write := func(seq uint32, full bool) *journal.Record {
		t.Helper()
		data := append([]byte(nil), w.Data(Place{Seq: seq})...)
		if same := string(data) == string(w.Full()); same != full {
			t.Errorf("record %d: in full is %v, %v expected: %x", seq, same, full, data)
		}
		w.Appended()
		recs = append(recs, journal.Record{Seq: seq, Kind: w.Kind(), Data: data})
		return &recs[len(recs)-1]
	}
	rd := func() *Reader { return &Reader{Records: recs} }
	for i, c := range []struct {
		seq     uint32
		begun   Begun
		done    Done
		refers  bool
		behind  bool
		asBegun bool
	}{
		{seq: 0, done: Done{Name: "tags.read", Args: args, Result: enc(t, 20.5), Attempts: 1, Took: 7 * time.Millisecond}},
		{seq: 1, begun: Begun{Name: "tags.write", Args: args, Effect: true, Attempt: 1, Prepared: enc(t, 5.0)}, asBegun: true},
		{seq: 1, done: Done{Name: "tags.write", Args: args, Result: null, Attempts: 2, Recovered: true,
			Failure: &Failure{"T", "m", "s", 3, true, false}}, behind: true, refers: true},
		{seq: 2, done: Done{Name: "tags.read", Args: args, Result: enc(t, 20.5), Attempts: 1}, refers: true},
		{seq: 3, begun: Begun{Name: "tags.write", Args: args, Attempt: 4, Prepared: null}, asBegun: true, refers: true},
		{seq: 4, done: Done{Name: "tags.confirm", Args: args, Result: null, Attempts: 1, Recovered: true, ResolvedBy: "ada"}},
	} {
		if c.asBegun {
			w.Begun(&c.begun)
			got, err := rd().Begun(write(c.seq, !c.refers))
			if err == nil {
				got, err = rd().Begun(&recs[len(recs)-1])
			}
			got.callAt = 0
			if err != nil || !reflect.DeepEqual(got, c.begun) {
				t.Errorf("%d: %+v came back as %+v, %v", i, c.begun, got, err)
			}
			continue
		}
		w.Done(&c.done, c.behind)
		write(c.seq, !c.refers)
		got, err := rd().Done(&recs[len(recs)-1])
		got.callAt, got.outcomeAt, got.failure = 0, 0, nil
		want := c.done
		if c.behind {
			want.Name, want.Args = "", null
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %+v came back as %+v, %v", i, want, got, err)
		}
	}
	given := time.UnixMilli(1700000000123).UTC()
	for _, want := range []Received{
		{Call: "recv", Topic: "x", Result: null},
		{Call: "recvCommand", Topic: "cmd", State: "RUNNING", Result: enc(t, "r"), Fates: []Fate{{7, "STOP", true, "taken", isa88.Running, "ada", "a leak", given, time.Time{}}, {Message: 8, Fate: "not a command"}}, Taken: []Taken{{7, "u"}, {8, ""}}},
	} {
		w.Received(&want)
		write(uint32(len(recs)), true)
		got, err := rd().Received(&recs[len(recs)-1])
		got.callAt = 0
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	for _, want := range []Note{Started{}, Recovered{}, Held{"why"}, Lost{"what"}, Stale{7, "done", "eva", given}, Asked{3, "pump", enc(t, 1), nil, enc(t, "x"), "why"}, SafeState{4, []SafeLine{{"valve", enc(t, false), true, ""}, {"pump", nil, false, "refused"}}}, Settled{"pump", true, "written"}, Resolved{8, "retry", "ada", given},
		Command{Fate{9, "HOLD", true, "taken", isa88.Held, "ada", "lunch", given, time.Time{}}, "u"}} {
		got, err := ReadNote(&journal.Record{Kind: KindNote, Data: EncodeNote(want)})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	for _, want := range []Completed{{Status: "SUCCESS", State: "COMPLETE", Result: enc(t, 1)}, {"ERROR", "ERROR", &RunFailure{"T", "m", "s", "tb"}, null, 3}} {
		got, err := ReadCompleted(&journal.Record{Kind: KindCompleted, Data: want.Append(nil)})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	for _, kind := range []journal.Kind{KindEvent, KindStream, KindProgress} {
		want := Told{kind, "key", enc(t, 5), kind == KindStream}
		got, err := ReadTold(&journal.Record{Kind: kind, Data: want.Append(nil)})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	want := Message{"topic", enc(t, "body"), "uuid"}
	if got, err := ReadMessage(want.Encode()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v came back as %+v, %v", want, got, err)
	}
}

// What is none of a kind is an error of the record, and never half a record.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{nil, {0xff}, {0x80}, {0x81}, fields(nil, 1), fields(nil, "x"), fields(nil, true)} {
		if n, err := ReadNote(&journal.Record{Data: data}); err == nil && n != nil {
			t.Errorf("%x was taken as the note %+v", data, n)
		}
		if c, err := ReadCompleted(&journal.Record{Data: data}); err == nil {
			t.Errorf("%x was taken as %+v", data, c)
		}
		if v, err := ReadTold(&journal.Record{Data: data}); err == nil {
			t.Errorf("%x was taken as %+v", data, v)
		}
		if m, err := ReadMessage(data); err == nil {
			t.Errorf("%x was taken as %+v", data, m)
		}
	}
	if n, err := ReadNote(&journal.Record{Data: fields(nil, "command", 1, "STOP")}); err == nil {
		t.Errorf("a command without a fate was taken as %+v", n)
	}
	var rd Reader
	for _, fs := range [][]any{
		{"x", nil, "no failure"}, {"x", nil, []any{"T"}}, {"x", nil, nil, nil, "one"}, {"x", nil, nil, nil, -1}, {"x", nil, nil, nil, 1, 0}, {"x", nil, nil, nil, 1, false, true},
	} {
		if d, err := rd.Done(&journal.Record{Kind: KindDone, Data: fields(nil, fs...)}); err == nil {
			t.Errorf("%v was taken as %+v", fs, d)
		}
	}
	for _, fs := range [][]any{{"x", nil, 0}, {"x", nil, nil}, {"x", nil, true, "one"}} {
		if b, err := rd.Begun(&journal.Record{Kind: KindBegun, Data: fields(nil, fs...)}); err == nil {
			t.Errorf("%v was taken as %+v", fs, b)
		}
	}
	for _, fs := range [][]any{{"x", 1}, {"x", "", 1}, {"x", "", "", nil, "f"}, {"x", "", "", nil, []any{1}}, {"x", "", "", nil, nil, 1}, {"x", "", "", nil, nil, []any{"m"}}} {
		if r, err := rd.Received(&journal.Record{Kind: KindReceived, Data: fields(nil, fs...)}); err == nil {
			t.Errorf("%v was taken as %+v", fs, r)
		}
	}
}

// fields encodes each type that it takes as value does.
func TestFields(t *testing.T) {
	t.Parallel()
	vs := []any{nil, value.Raw(nil), enc(t, 1.5), "text", true, 5, int64(-5), uint32(math.MaxUint32), uint64(math.MaxUint64), 2.5, []any{"in", []any(nil)}}
	want := enc(t, vs)
	if got := fields(nil, vs...); string(got) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

package journal

import (
	"bytes"
	"testing"

	"holdfast/journal/wal"
)

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(appendFrame(nil, []op{{opPut, []byte("key"), []byte("value")}, {opRemove, []byte("k"), nil}, {opRemoveRange, []byte("a"), []byte("b")}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		var ops []op
		whole := readFrame(body, func(o op) { ops = append(ops, o) })
		again := appendFrame(nil, ops)
		if len(again) > frameLen(ops) {
			t.Errorf("%d bytes, bounded by %d", len(again), frameLen(ops))
		}
		var got []op
		if !readFrame(again, func(o op) { got = append(got, o) }) || len(got) != len(ops) {
			t.Fatalf("%d operations are read again as %d", len(ops), len(got))
		}
		for i := range got {
			if got[i].kind != ops[i].kind || !bytes.Equal(got[i].key, ops[i].key) || !bytes.Equal(got[i].value, ops[i].value) {
				t.Errorf("operation %d is %q, was %q", i, got[i], ops[i])
			}
		}
		if whole && len(ops) == 0 && len(body) > 0 {
			t.Error("there is nothing in it, and it is whole")
		}
	})
}

func FuzzMarker(f *testing.F) {
	f.Add("holdfast journal 2\n", uint64(0), uint64(0), byte(0))
	f.Add(string(marker{version: formatVersion, state: stateOpen, seq: 7}.encode()), uint64(1<<63), uint64(9), byte(1))
	f.Add("holdfast journal 6\nid 00\nopen\ncrc 00000000\n", uint64(1), uint64(2), byte(2))
	f.Fuzz(func(t *testing.T, text string, seq, history uint64, kind byte) {
		m := marker{version: formatVersion, id: wal.Identity{1, kind}, state: []string{stateNew, stateOpen, stateClosed}[kind%3], seq: seq, history: history}
		got, ok := parseMarker(string(m.encode()))
		if !ok || got != m {
			t.Errorf("%+v is read as %+v, %v", m, got, ok)
		}
		if m, ok := parseMarker(text); ok && string(m.encode()) != text {
			t.Errorf("%q is taken for %q", text, m.encode())
		}
		crcDiffers(text)
	})
}

package wal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"holdfast/journal/disk"
)

var testID = Identity{1, 2, 3, 4, 5, 6, 7, 8, 9}

func FuzzFrame(f *testing.F) {
	f.Add(uint64(1), uint64(7), []byte(nil), 0)
	f.Add(uint64(1<<63), uint64(0), []byte("body"), 40)
	f.Add(uint64(5), uint64(1<<40), bytes.Repeat([]byte("long"), 3000), 5000)
	f.Fuzz(func(t *testing.T, seq, salt uint64, body []byte, at int) {
		b := appendFrame(nil, seq, salt, body)
		if int64(len(b)) != padded(len(body)) || len(b)%Page != 0 {
			t.Fatalf("%d bytes for a body of %d", len(b), len(body))
		}
		got, ours, whole := parseFrame(b, salt)
		if !ours || !whole || got.Seq != seq || !bytes.Equal(got.Body, body) {
			t.Fatalf("got %v %v %v", got, ours, whole)
		}
		if _, ours, _ := parseFrame(b, salt+1); ours {
			t.Error("it is taken for a frame of another log")
		}
		// A bit that flips shows, unless it is in the padding, or in the CRC's own.
		if at %= headLen + len(body); at < 0 {
			at = -at
		}
		b[at] ^= 1
		if _, _, whole := parseFrame(b, salt); whole {
			t.Errorf("a bit flipped at %d of %d, and the frame is whole", at, headLen+len(body))
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte("1wFH"), uint64(0))
	f.Add(appendFrame(nil, 9, 3, []byte("x")), uint64(3))
	f.Add(appendFrame(nil, 9, 3, []byte("x"))[:33], uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, salt uint64) {
		got, ours, whole := parseFrame(b, salt)
		if whole && !ours {
			t.Error("whole, and of another log")
		}
		if whole && !bytes.HasPrefix(appendFrame(nil, got.Seq, salt, got.Body), b[:12]) {
			t.Error("it is not the frame that would be written")
		}
		parseSegmentHead(b)
	})
}

// segments is a log in memory's folder, with what was appended to it.
func newLog(t testing.TB, size int64) (disk.Folder, *Log) {
	t.Helper()
	d := disk.At(t.TempDir())
	if err := Create(d, testID, size); err != nil {
		t.Fatal(err)
	}
	return d, reopened(t, d, size)
}

func reopened(t testing.TB, d disk.Folder, size int64) *Log {
	t.Helper()
	l, found, err := Open(d, testID)
	if err == nil {
		err = l.Ready(d, found, size)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// What was appended is found, of the segments that were not overwritten since,
// in order and without a gap; the log goes on where it ended.
func TestLogIsARowOfFrames(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const size = 8 * Page
		d, l := newLog(t, size)
		bodies := map[uint64][]byte{}
		var begun []uint64 // the first frame of each segment's life
		begun = append(begun, 1)
		for range 60 {
			body := make([]byte, rng.IntN(3*Page))
			for i := range body {
				body[i] = byte(rng.Uint32())
			}
			if !l.Fits(len(body)) {
				if _, _, err := l.Append(body); err == nil {
					t.Fatal("a frame that does not fit was appended")
				}
				l.Rotate()
				begun = append(begun, l.Seq()+1)
			}
			seq, n, err := l.Append(body)
			if err != nil || seq != l.Seq() || n != padded(len(body)) {
				t.Fatal(seq, n, err)
			}
			bodies[seq] = body
			if rng.IntN(8) > 0 {
				continue
			}
			found, err := Read(d, testID)
			if err != nil || len(found.Faults)+len(found.Missing)+len(found.Cut) > 0 || found.Torn != 0 {
				t.Fatalf("%+v, %v", found, err)
			}
			needed := begun[max(0, len(begun)-Segments)]
			have := map[uint64]bool{}
			for i, f := range found.Frames {
				have[f.Seq] = true
				if !bytes.Equal(f.Body, bodies[f.Seq]) || i > 0 && f.Seq <= found.Frames[i-1].Seq {
					t.Fatalf("seed %d: frame %d", seed, f.Seq)
				}
			}
			for seq := needed; seq <= l.Seq(); seq++ {
				if !have[seq] {
					t.Fatalf("seed %d: frame %d is missing, the log ends at %d", seed, seq, l.Seq())
				}
			}
			room := l.Room()
			if l = reopened(t, d, size); l.Seq() != seq || l.Room() != room {
				t.Fatalf("seed %d: opened again it is at %d with room for %d, was at %d with %d", seed, l.Seq(), l.Room(), seq, room)
			}
		}
	}
}

// A body that holds what looks like frames of this log does not become frames.
func TestFrameWithinAFrame(t *testing.T) {
	t.Parallel()
	d, l := newLog(t, 8*Page)
	inner := appendFrame(nil, 77, testID.salt(), []byte("not a frame"))
	body := append(make([]byte, Page-headLen), inner...)
	if _, _, err := l.Append(body); err != nil {
		t.Fatal(err)
	}
	found, err := Read(d, testID)
	if err != nil || len(found.Frames) != 1 || !bytes.Equal(found.Frames[0].Body, body) {
		t.Fatalf("%d frames, %v", len(found.Frames), err)
	}
}

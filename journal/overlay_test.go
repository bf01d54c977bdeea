package journal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"
)

// The keys of these tests are the letters, so that everything meets everything.
const letters26 = "abcdefghijklmnopqrstuvwxyz"

// drawn makes one operation of a key, or a range, of a few letters. step makes
// its value unlike all others.
func drawn(rng *rand.Rand, step int) op {
	a, b := rng.IntN(26), rng.IntN(26)
	switch rng.IntN(6) {
	case 0, 1, 2:
		return op{opPut, []byte{letters26[a]}, fmt.Append(nil, step)}
	case 3, 4:
		return op{opRemove, []byte{letters26[a]}, nil}
	}
	return op{opRemoveRange, []byte{letters26[min(a, b)]}, []byte{letters26[max(a, b)]}}
}

// applyTo carries out an operation on a map, in the plainest way.
func applyTo(m map[string]string, o op) {
	switch o.kind {
	case opPut:
		m[string(o.key)] = string(o.value)
	case opRemove:
		delete(m, string(o.key))
	case opRemoveRange:
		maps.DeleteFunc(m, func(k, _ string) bool { return (span{o.key, o.value}).has([]byte(k)) })
	}
}

// An overlay says of each key what the operations did to it, or nothing where
// they left it alone; its ranges never overlap, touch or turn around; it counts
// its memory; what it has a store do gives what the operations give.
func TestOverlayIsAMap(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	const rounds = 3000
	for round := range rounds {
		o := newOverlay()
		below := make(map[string]string) // a store in which every key is
		for _, k := range letters26 {
			below[string(k)] = "below"
		}
		want := maps.Clone(below)
		var seq []op
		for step := range 1 + rng.IntN(40) {
			p := drawn(rng, step)
			seq = append(seq, p)
			o.apply(p)
			applyTo(want, p)
		}
		memory := 0
		o.entries.Scan(func(e overlaid) bool {
			memory += len(e.key) + len(e.value) + overlaidBytes
			return true
		})
		if memory != o.bytes {
			t.Fatalf("round %d: it counts %d bytes, and has %d, after %q", round, o.bytes, memory, seq)
		}
		for k := range below {
			got := below[k]
			if value, known := o.get([]byte(k)); known {
				got = string(value)
			}
			if got != want[k] {
				t.Fatalf("round %d: %s is %q, want %q, after %q", round, k, got, want[k], seq)
			}
		}
		var last span
		o.ranges.Scan(func(s span) bool {
			if last.to != nil && bytes.Compare(last.to, s.from) >= 0 || bytes.Compare(s.from, s.to) > 0 {
				t.Fatalf("round %d: ranges %q and %q, after %q", round, last, s, seq)
			}
			last = s
			return true
		})
		for _, p := range o.operations() {
			applyTo(below, p)
		}
		if !maps.Equal(below, want) {
			t.Fatalf("round %d: a store would get %v, want %v, after %q", round, below, want, seq)
		}
	}
	t.Logf("%d overlays", rounds)
}

// scanner merges what lies in a bbolt file with two overlays.
type scanner struct {
	t     testing.TB
	under *boltStore
}

func newScanner(t testing.TB) *scanner {
	s, err := openBolt(filepath.Join(t.TempDir(), "x.db"), true, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.db.NoSync = true
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &scanner{t, s}
}

// check compares a scan with a map to which all operations were applied.
func (s *scanner) check(low, mid, high []op, from, to []byte, limit int) {
	s.t.Helper()
	want := make(map[string]string)
	if err := s.under.Commit(append([]op{{opRemoveRange, []byte{0}, []byte{255}}}, low...)); err != nil {
		s.t.Fatal(err)
	}
	lower, upper := newOverlay(), newOverlay()
	for _, p := range low {
		applyTo(want, p)
	}
	for _, p := range mid {
		lower.apply(p)
		applyTo(want, p)
	}
	for _, p := range high {
		upper.apply(p)
		applyTo(want, p)
	}
	var keys, got []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if (span{from, to}).has([]byte(k)) && len(keys) < limit {
			keys = append(keys, k+"="+want[k])
		}
	}
	u, l := upper.view(from, to, false), lower.view(from, to, true)
	// What comes after the view was taken does not show in it.
	upper.apply(op{opRemoveRange, []byte{0}, []byte{255}})
	err := s.under.view(func(b *bbolt.Bucket) {
		merge(&u, &l, b.Cursor(), from, to, func(k, v []byte) bool {
			got = append(got, string(k)+"="+string(v))
			return len(got) < limit
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if !slices.Equal(got, keys) {
		if len(low)+len(mid)+len(high) > 100 {
			low, mid, high = nil, nil, nil // of no help to a reader
		}
		s.t.Fatalf("from %q to %q:\ngot  %v\nwant %v\nin the file %q\nsealed %q\nat work %q", from, to, got, keys, low, mid, high)
	}
}

func TestMergeIsAMap(t *testing.T) {
	t.Parallel()
	s := newScanner(t)
	rounds := 3000 / fewer
	for round := range rounds {
		rng := rand.New(rand.NewPCG(6, uint64(round)))
		some := func() (ops []op) {
			for step := range rng.IntN(15) {
				ops = append(ops, drawn(rng, step))
			}
			return ops
		}
		a, b := rng.IntN(26), rng.IntN(26)
		from, to := []byte{letters26[min(a, b)]}, []byte{letters26[max(a, b)]}
		if rng.IntN(3) == 0 {
			from, to = nil, nil
		}
		s.check(some(), some(), some(), from, to, 1+rng.IntN(30))
	}
	t.Logf("%d scans", rounds)
}

// Views too long to be copied go through a copy of the tree.
func TestMergeOfLongOverlays(t *testing.T) {
	t.Parallel()
	s := newScanner(t)
	key := func(i int) []byte { return fmt.Appendf(nil, "%05d", i) }
	const rounds = 30
	for round := range rounds {
		rng := rand.New(rand.NewPCG(7, uint64(round)))
		some := func() (ops []op) {
			for step := range rng.IntN(5 * directScan) {
				switch k := rng.IntN(20 * directScan); rng.IntN(4) {
				case 0:
					ops = append(ops, op{opRemoveRange, key(k), key(k + rng.IntN(40))})
				case 1:
					ops = append(ops, op{opRemove, key(k), nil})
				default:
					ops = append(ops, op{opPut, key(k), fmt.Append(nil, step)})
				}
			}
			return ops
		}
		var from, to []byte
		if rng.IntN(2) == 0 {
			k := rng.IntN(20 * directScan)
			from, to = key(k), key(k+rng.IntN(10*directScan))
		}
		s.check(some(), some(), some(), from, to, 1<<20)
	}
	t.Logf("%d scans", rounds)
}

// opsOf takes any bytes for a row of operations of one-letter keys.
func opsOf(b []byte) (ops []op) {
	for len(b) >= 3 {
		x, y := 'a'+b[1]%26, 'a'+b[2]%26
		switch b[0] % 3 {
		case 0:
			ops = append(ops, op{opPut, []byte{x}, []byte{b[0], y}})
		case 1:
			ops = append(ops, op{opRemove, []byte{x}, nil})
		case 2:
			ops = append(ops, op{opRemoveRange, []byte{min(x, y)}, []byte{max(x, y)}})
		}
		b = b[3:]
	}
	return ops
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("\x00\x17\x00"), []byte("\x00\x02\x00"), []byte("\x02\x01\x03"), byte(0), byte(26))
	f.Add([]byte("\x00\x01\x00\x00\x05\x00"), []byte("\x02\x00\x09\x00\x05\x01"), []byte("\x01\x05\x00"), byte(1), byte(9))
	f.Add([]byte(""), []byte("\x02\x01\x05"), []byte("\x02\x05\x07\x00\x05\x00"), byte(0), byte(0))
	s := newScanner(f)
	f.Fuzz(func(t *testing.T, low, mid, high []byte, from, to byte) {
		s := &scanner{t, s.under}
		s.check(opsOf(low), opsOf(mid), opsOf(high), []byte{'a' + from%27}, []byte{'a' + to%27}, 1<<20)
	})
}

// Records that were dropped while those before them are on their way into the
// file are not read again, nor kept in the history.
func TestDroppedWhileCheckpointed(t *testing.T) {
	t.Parallel()
	var first sync.Once
	var armed atomic.Bool
	begun, goOn := make(chan struct{}), make(chan struct{})
	j := open(t, Options{beforeDown: func([]op) error {
		if armed.Load() {
			first.Do(func() {
				close(begun)
				<-goOn
			})
		}
		return nil
	}})
	commit(t, j, begin(1, "a"), record(1, 50, "in the file"))
	if err := j.logged.flush(); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	for seq := range uint32(40) {
		commit(t, j, record(1, seq, "x"))
	}
	j.logged.commit.Lock()
	if err := j.logged.rotate(j.logged.wal.MaxBody() + 1); err != nil {
		t.Error(err)
	}
	j.logged.commit.Unlock()
	<-begun
	commit(t, j, Change{Run: 1, Drop: 30})
	for _, first := range []uint32{0, 5} {
		if r, err := j.LoadFrom(1, first); err != nil || len(r.Records) != 11 {
			t.Errorf("from %d: %d records, %v, want 11", first, len(r.Records), err)
		}
	}
	close(goOn)
	if err := j.logged.flush(); err != nil {
		t.Error(err)
	}
	if r := load(t, j, 1); len(r.Records) != 11 {
		t.Errorf("%d records are left after the checkpoint, want 11", len(r.Records))
	}
}

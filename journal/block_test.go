package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// packed makes the entries of a batch of a few runs.
func packed(t testing.TB) (headsPayload, chunk []byte, runs []head) {
	t.Helper()
	rng := rand.New(rand.NewPCG(4, 4))
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	var out encoder
	p.begin(7, &out)
	for _, run := range []uint64{5, 3, 1 << 63} {
		var e encoder
		c := ten(rng, run, "a=1")
		c.Inbox = []Message{{Number: run, Time: epoch}}
		e.change(&c, 1)
		var f found
		for _, o := range sealAll(nil, e.buf, e.ops, 1) {
			if o.key[0] == tableRun {
				if err := f.add(o.key, o.value); err != nil {
					t.Fatal(err)
				}
			}
		}
		f.plain = f.body.end(f.plain)
		if err := p.add(f.plain); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, head{run: run, header: f.header, end: f.end, body: uint64(len(f.plain)) + 1})
	}
	if err := p.finish(runs); err != nil {
		t.Fatal(err)
	}
	for _, o := range sealAll(nil, out.buf, out.ops, 1) {
		switch o.key[0] {
		case tableHeads:
			headsPayload = o.value[sealLen:]
		case tableBodies:
			if o.kind == opPut {
				chunk = o.value[sealLen:]
			}
		}
	}
	return headsPayload, chunk, runs
}

// FuzzBlock gives the decoders of batches any bytes: they refuse them, or what
// they give is encoded to the same again.
func FuzzBlock(f *testing.F) {
	headsPayload, chunk, runs := packed(f)
	hd, err := decodeHeads(7, headsPayload)
	if err != nil || !reflect.DeepEqual(hd.runs, runs) || hd.chunks != 1 || hd.size != uint64(len(chunk)) {
		f.Fatalf("%+v, %v", hd, err)
	}
	f.Add(headsPayload, chunk, uint64(100))
	f.Add(headsPayload[:10], chunk[:10], uint64(0))
	f.Add([]byte{1, 1, 1, 0, 0, 0, 0, 200, 0xff}, []byte{1, 2, 3, 1, 9}, uint64(5))
	f.Fuzz(func(t *testing.T, payload, body []byte, size uint64) {
		hd, err := decodeHeads(7, payload)
		switch {
		case err != nil:
			if !errors.Is(err, errDamaged) {
				t.Errorf("got %v", err)
			}
		default:
			if lead, err := decodeLead(payload); err != nil || lead.runs != uint64(len(hd.runs)) {
				t.Errorf("%d runs, and the lead says %d, %v", len(hd.runs), lead.runs, err)
			}
			hd.scripts()
			for i := range hd.runs {
				if end, err := decodeEnd(hd.runs[i].end); err == nil && !bytes.Equal(append(bytes.Clone(end.begin), end.summary...), hd.runs[i].end) {
					t.Error("an end came apart otherwise than it was")
				}
			}
		}
		var run Run
		if err := readWhole(bytes.NewReader(body), size, &run); err != nil {
			if !errors.Is(err, errDamaged) {
				t.Errorf("got %v", err)
			}
			return
		}
		// What was read is written and read the same. (Times that take more bytes
		// than they need are not.)
		var w body2
		for i := range run.Records {
			w.record(&run.Records[i])
		}
		for i := range run.Inbox {
			w.message(&run.Inbox[i])
		}
		w.b = w.body.end(w.b)
		var again Run
		if err := readWhole(bytes.NewReader(w.b), uint64(len(w.b)), &again); err != nil || !equalRuns(&run, &again) {
			t.Errorf("got %+v, %v, want %+v", again, err, run)
		}
	})
}

// body2 writes a body from records.
type body2 struct {
	body
	b []byte
}

func (w *body2) record(r *Record) {
	w.b = w.appendRecord(w.b, r)
}

func (w *body2) message(m *Message) {
	w.b = w.appendMessage(w.b, appendNumbered(nil, 1, partMessage, m.Number), appendMessage(nil, m))
}

func equalRuns(a, b *Run) bool {
	if len(a.Records) != len(b.Records) || len(a.Inbox) != len(b.Inbox) {
		return false
	}
	for i, r := range a.Records {
		r.Count = max(r.Count, 1)
		if !reflect.DeepEqual(r, b.Records[i]) {
			return false
		}
	}
	return reflect.DeepEqual(a.Inbox, b.Inbox)
}

// A chunk that was not written with the heads is not taken for their bodies.
func TestBodiesOfAnotherWrite(t *testing.T) {
	t.Parallel()
	j, err := Open(t.TempDir(), Options{MoveWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	rng := rand.New(rand.NewPCG(4, 5))
	appendAll(t, j, ten(rng, 1))
	moved(t, j)
	old, err := get(j.history, chunkKey(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, ten(rng, 2))
	moved(t, j)
	h := j.history
	h.write.Lock()
	var e encoder
	e.putRaw(chunkKey(1, 0), old)
	err = h.Commit(&e)
	h.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Load(1); !errors.Is(err, errLost) {
		t.Errorf("got %v", err)
	}
	// Summaries are there, and a deletion keeps those of the others.
	if n, err := j.Delete(t.Context(), 1); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	if got := list(t, j, "", 0); len(got) != 1 || got[0].text != "summary of run 2" {
		t.Errorf("list: %v", got)
	}
	if _, err := j.Load(2); !errors.Is(err, errLost) {
		t.Errorf("got %v", err)
	}
	if _, err := j.Load(1); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// An id that cannot be read is passed over, unless it is what is asked for.
func TestFindWithDamage(t *testing.T) {
	t.Parallel()
	j, err := Open(t.TempDir(), Options{MoveWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for run, id := range []string{"ab", "abc", "abd"} {
		c := begin(uint64(run+1), id)
		c.End = []byte("end")
		commit(t, j, c)
	}
	moved(t, j)
	h := j.history
	h.write.Lock()
	h.doubted.Store(true) // nobody mends
	err = h.over.Commit([]op{{opPut, appendID(nil, "abc"), binary.BigEndian.AppendUint64(nil, 2)}})
	h.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := j.Find(t.Context(), "a", 0); err != nil || len(got) != 2 || got[0].ID != "ab" || got[1].ID != "abd" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := j.Find(t.Context(), "abc", 1); err == nil {
		t.Errorf("got %v for an id that cannot be read", got)
	}
}

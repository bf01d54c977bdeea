package journal

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"time"
)

// Runs that have ended are kept in batches. Of each there are two things: the
// heads, which lists are made of, and the bodies, which only Load reads. Each
// is compressed as one, for what runs have in common is most of them.
const (
	blockBytes = 64 << 10 // plain bodies and heads of a batch, but for a single run that is longer
	longRun    = 256 << 10
	chunkBytes = 256 << 10 // of compressed bodies in one entry

	// maxBody bounds what the record of one run may unfold to.
	maxBody = 1 << 30
)

// The end of a run, as in part 03: time, number of terms, terms, summary.

func appendEndBegin(b []byte, at time.Time, terms []string) []byte {
	b = binary.AppendUvarint(appendTime(b, at), uint64(len(terms)))
	for _, t := range terms {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

// ending is part 03, taken apart; it aliases what it was decoded from.
type ending struct {
	at      time.Time
	terms   [][]byte
	begin   []byte // all before the summary
	summary []byte
}

func decodeEnd(payload []byte) (ending, error) {
	d := decoder{b: payload}
	e := ending{at: d.time()}
	n := d.uvarint()
	if n > maxTerms {
		return ending{}, errDamaged
	}
	for range n {
		size := d.uvarint()
		if size > uint64(len(d.b)) {
			return ending{}, errDamaged
		}
		e.terms = append(e.terms, d.b[:size])
		d.b = d.b[size:]
	}
	e.begin, e.summary = payload[:len(payload)-len(d.b)], d.b
	return e, d.err()
}

// head is what a batch keeps of a run beside its record and mailbox.
type head struct {
	run    uint64
	header []byte // payload of part 00
	end    []byte // payload of part 03
	body   uint64 // bytes of its record and mailbox, plain, and one; 0: they are lost
}

func (h *head) size() int { return len(h.header) + len(h.end) }

// heads is what stands under 'h' of a batch.
type heads struct {
	batch  uint64
	chunks uint32 // of the compressed bodies
	size   uint64 // of these together
	sum    uint32 // CRC-32C of these together: heads and bodies are of one write
	runs   []head
}

// find returns the place of run; -1: it is not in the batch.
func (h *heads) find(run uint64) int {
	return slices.IndexFunc(h.runs, func(r head) bool { return r.run == run })
}

// scripts returns the hashes that the runs of the batch name, each once.
func (h *heads) scripts() []string {
	var out []string
	for i := range h.runs {
		if hd, err := decodeHeader(h.runs[i].run, h.runs[i].header); err == nil && hd.Script != "" && !slices.Contains(out, hd.Script) {
			out = append(out, hd.Script)
		}
	}
	return out
}

// headsLead is what can be read without unfolding the heads.
type headsLead struct {
	runs, plain, size uint64
	chunks            uint32
	sum               uint32
	packed            []byte
}

func decodeLead(payload []byte) (headsLead, error) {
	d := decoder{b: payload}
	l := headsLead{runs: d.uvarint(), chunks: d.uint32(), size: d.uvarint()}
	if len(d.b) < 4 {
		return headsLead{}, errDamaged
	}
	l.sum, d.b = binary.BigEndian.Uint32(d.b), d.b[4:]
	l.plain = d.uvarint()
	l.packed = d.b
	if l.plain > maxBody || l.runs > l.plain || l.size > maxBody+maxBody/8 {
		return headsLead{}, errDamaged
	}
	return l, d.err()
}

func decodeHeads(batch uint64, payload []byte) (*heads, error) {
	l, err := decodeLead(payload)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(l.packed)), int64(l.plain)+1))
	if err != nil || uint64(len(plain)) != l.plain {
		return nil, errDamaged
	}
	h := &heads{batch: batch, chunks: l.chunks, size: l.size, sum: l.sum}
	d := decoder{b: plain}
	field := func() []byte {
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			d.bad, n = true, 0
		}
		f := d.b[:n:n]
		d.b = d.b[n:]
		return f
	}
	run := uint64(0)
	for range l.runs {
		step, n := binary.Varint(d.b)
		if n <= 0 {
			return nil, errDamaged
		}
		d.b = d.b[n:]
		run += uint64(step)
		r := head{run: run, header: field(), end: field(), body: d.uvarint()}
		if d.bad || r.body > maxBody+1 {
			return nil, errDamaged
		}
		h.runs = append(h.runs, r)
	}
	if len(d.b) > 0 {
		return nil, errDamaged
	}
	return h, nil
}

func appendHeads(b []byte, runs []head) []byte {
	last := uint64(0)
	for i := range runs {
		r := &runs[i]
		b = binary.AppendVarint(b, int64(r.run-last))
		last = r.run
		b = appendBytes(appendBytes(b, r.header), r.end)
		b = binary.AppendUvarint(b, r.body)
	}
	return b
}

// body writes the record and the mailbox of one run.
type body struct {
	seq      uint64
	messages bool
	payload  []byte // of the record at work
}

func (w *body) appendRecord(b []byte, r *Record) []byte {
	b = binary.AppendUvarint(b, uint64(r.Seq)-w.seq+1)
	w.seq = uint64(r.Seq)
	w.payload = appendRecord(w.payload[:0], r)
	return appendBytes(append(b, byte(r.Kind)), w.payload)
}

func (w *body) appendMessage(b, key, payload []byte) []byte {
	b = w.end(b)
	b = binary.AppendUvarint(b, binary.BigEndian.Uint64(key[runKeyLen:]))
	return appendBytes(b, payload)
}

// end closes the records; messages may follow.
func (w *body) end(b []byte) []byte {
	if !w.messages {
		w.messages = true
		b = append(b, 0)
	}
	return b
}

// readBody calls record with the records from place first on, and message with
// the mailbox, that size bytes hold, until one of them returns an error, which is
// returned. A nil one is not called.
func readBody(from io.Reader, size uint64, first uint32, record func(Record) error, message func(Message) error) error {
	limited := &io.LimitedReader{R: from, N: int64(size)}
	r := bufio.NewReader(limited)
	field := func(keep bool) ([]byte, error) {
		n, err := binary.ReadUvarint(r)
		left := uint64(limited.N) + uint64(r.Buffered())
		switch {
		case err != nil || n > left:
			return nil, errDamaged
		case !keep:
			_, err = r.Discard(int(n))
			return nil, err
		case n < chunkBytes:
			b := make([]byte, n)
			_, err = io.ReadFull(r, b)
			return b, err
		}
		// What a damaged length promises is not made room for before it is there.
		b, err := io.ReadAll(io.LimitReader(r, int64(n)))
		if err == nil && uint64(len(b)) != n {
			err = errDamaged
		}
		return b, err
	}
	for seq := uint64(0); ; {
		step, err := binary.ReadUvarint(r)
		if err != nil || step > 1<<32 {
			return errDamaged
		}
		if step == 0 {
			break
		}
		kind, err := r.ReadByte()
		if seq += step - 1; err != nil || seq > 1<<32-1 {
			return errDamaged
		}
		wanted := record != nil && seq >= uint64(first)
		payload, err := field(wanted)
		if err != nil {
			return errDamaged
		}
		if !wanted {
			continue
		}
		d := decoder{b: payload}
		rec := Record{Seq: uint32(seq), Kind: Kind(kind), Count: d.uint32(), Time: d.time()}
		if len(d.b) > 0 {
			rec.Data = d.b
		}
		if d.bad {
			return errDamaged
		}
		if err := record(rec); err != nil {
			return err
		}
	}
	for {
		number, err := binary.ReadUvarint(r)
		if err == io.EOF && limited.N == 0 {
			return nil
		}
		if err != nil {
			return errDamaged
		}
		payload, err := field(message != nil)
		if err != nil {
			return errDamaged
		}
		if message == nil {
			continue
		}
		d := decoder{b: payload}
		m := Message{Number: number, Time: d.time()}
		if len(d.b) > 0 {
			m.Data = d.b
		}
		if d.bad {
			return errDamaged
		}
		if err := message(m); err != nil {
			return err
		}
	}
}

// chunkSum continues the CRC-32C over compressed bodies.
func chunkSum(sum uint32, chunk []byte) uint32 { return crc32.Update(sum, castagnoli, chunk) }

package journal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// packLevel: the fastest. Most of the gain is in what runs have in common, and
// runs end as fast as they start.
const packLevel = flate.BestSpeed

// packer compresses bodies and heads; it is used again for each batch.
type packer struct {
	bodies *flate.Writer
	heads  *flate.Writer
	plain  []byte
	out    bytes.Buffer

	// Of the batch at work.
	batch  uint64
	chunk  []byte // compressed, not yet an entry
	chunks uint32
	size   uint64
	sum    uint32
	enc    *encoder // where entries go
}

func newPacker() (*packer, error) {
	bodies, err := flate.NewWriter(io.Discard, packLevel)
	if err != nil {
		return nil, fmt.Errorf("cannot make a compressor: %w", err)
	}
	heads, err := flate.NewWriter(io.Discard, packLevel)
	if err != nil {
		return nil, fmt.Errorf("cannot make a compressor: %w", err)
	}
	return &packer{bodies: bodies, heads: heads}, nil
}

// packs makes the packer, once.
func (g *gatherer) packs() (err error) {
	if g.pack == nil {
		g.pack, err = newPacker()
	}
	return err
}

// begin begins a batch, whose entries go into enc.
func (p *packer) begin(batch uint64, enc *encoder) {
	p.batch, p.chunk, p.chunks, p.size, p.sum, p.enc = batch, p.chunk[:0], 0, 0, 0, enc
	p.bodies.Reset(chunkWriter{p})
	enc.removeRange(bodiesKey(batch), bodiesKey(batch+1)) // of a try before, or as it was
}

// add compresses plain bodies. Entries go out as they get full.
func (p *packer) add(plain []byte) error {
	if _, err := p.bodies.Write(plain); err != nil {
		return fmt.Errorf("cannot compress: %w", err)
	}
	return nil
}

// finish ends the batch with its heads.
func (p *packer) finish(runs []head) error {
	if err := p.bodies.Close(); err != nil {
		return fmt.Errorf("cannot compress: %w", err)
	}
	if len(p.chunk) > 0 {
		p.flush()
	}
	p.plain = appendHeads(p.plain[:0], runs)
	p.out.Reset()
	p.heads.Reset(&p.out)
	if _, err := p.heads.Write(p.plain); err != nil {
		return fmt.Errorf("cannot compress: %w", err)
	}
	if err := p.heads.Close(); err != nil {
		return fmt.Errorf("cannot compress: %w", err)
	}
	e := p.enc
	e.key()
	e.buf = append(e.buf, headsKey(p.batch)...)
	e.value()
	e.buf = binary.AppendUvarint(e.buf, uint64(len(runs)))
	e.buf = binary.AppendUvarint(e.buf, uint64(p.chunks))
	e.buf = binary.AppendUvarint(e.buf, p.size)
	e.buf = binary.BigEndian.AppendUint32(e.buf, p.sum)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(p.plain)))
	e.buf = append(e.buf, p.out.Bytes()...)
	e.put()
	if cap(p.plain) > keptBuffer {
		p.plain, p.out = nil, bytes.Buffer{}
	}
	return nil
}

func (p *packer) flush() {
	p.enc.putRaw(chunkKey(p.batch, p.chunks), p.chunk)
	p.chunks++
	p.size += uint64(len(p.chunk))
	p.sum = chunkSum(p.sum, p.chunk)
	p.chunk = p.chunk[:0]
}

// chunkWriter takes what the compressor gives out.
type chunkWriter struct{ p *packer }

func (w chunkWriter) Write(b []byte) (int, error) {
	n := len(b)
	for p := w.p; len(b) > 0; {
		k := min(len(b), chunkBytes-len(p.chunk))
		p.chunk = append(p.chunk, b[:k]...)
		b = b[k:]
		if len(p.chunk) == chunkBytes {
			p.flush()
		}
	}
	return n, nil
}

// appendIndex puts the entries that a run in a batch is found by.
func appendIndex(enc *encoder, batch uint64, r *head) error {
	h, err := decodeHeader(r.run, r.header)
	if err != nil {
		return err
	}
	end, err := decodeEnd(r.end)
	if err != nil {
		return err
	}
	enc.putRaw(endedKey(r.run), appendEndedEntry(nil, batch, nil))
	enc.putRaw(appendID(nil, h.ID), binary.BigEndian.AppendUint64(nil, r.run))
	for _, term := range end.terms {
		enc.putRaw(termKey(term, r.run), nil)
	}
	if h.Script != "" {
		enc.putRaw(useKey(h.Script, batch), nil)
	}
	return nil
}

// An entry of the table of ended runs: batch times two, and one if a summary
// follows that replaces the one in the batch.

func appendEndedEntry(b []byte, batch uint64, summary []byte) []byte {
	n := batch << 1
	if summary != nil {
		n++
	}
	return append(binary.AppendUvarint(b, n), summary...)
}

// decodeEndedEntry returns a copy of the summary; nil: none replaces.
func decodeEndedEntry(payload []byte) (batch uint64, summary []byte, err error) {
	d := decoder{b: payload}
	n := d.uvarint()
	switch {
	case n&1 != 0:
		summary = notNil(d.b)
	case len(d.b) > 0:
		d.bad = true
	}
	return n >> 1, summary, d.err()
}

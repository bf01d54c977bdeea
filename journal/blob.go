package journal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// maxBlob bounds what a compressed record may unfold to.
const maxBlob = 1 << 30

// packer compresses the records of runs; it is used again for each.
type packer struct {
	plain []byte
	out   bytes.Buffer
	w     *flate.Writer
}

func newPacker() (*packer, error) {
	// The fastest level: most of the gain is in repeated names and keys, and
	// runs end as fast as they start.
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("cannot make a compressor: %w", err)
	}
	return &packer{w: w}, nil
}

// pack returns the payload of a run's blob, valid until the next call.
func (p *packer) pack(r *Run) ([]byte, error) {
	b := binary.AppendUvarint(p.plain[:0], uint64(len(r.Records)))
	for i := range r.Records {
		rec := &r.Records[i]
		b = binary.AppendUvarint(b, uint64(rec.Seq))
		b = append(b, byte(rec.Kind))
		b = binary.AppendUvarint(b, uint64(max(rec.Count, 1)))
		b = appendBytes(appendTime(b, rec.Time), rec.Data)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Inbox)))
	for i := range r.Inbox {
		m := &r.Inbox[i]
		b = binary.AppendUvarint(b, m.Number)
		b = appendBytes(appendTime(b, m.Time), m.Data)
	}
	p.plain = b
	if len(b) > maxBlob {
		return nil, fmt.Errorf("cannot pack run %d: its record has %d bytes unpacked, allowed are %d", r.Header.Run, len(b), maxBlob)
	}
	p.out.Reset()
	p.out.Write(binary.AppendUvarint(nil, uint64(len(b))))
	p.w.Reset(&p.out)
	if _, err := p.w.Write(b); err != nil {
		return nil, fmt.Errorf("cannot pack run %d: %w", r.Header.Run, err)
	}
	if err := p.w.Close(); err != nil {
		return nil, fmt.Errorf("cannot pack run %d: %w", r.Header.Run, err)
	}
	if p.out.Len() > maxData {
		return nil, fmt.Errorf("cannot pack run %d: its record has %d bytes, allowed are %d", r.Header.Run, p.out.Len(), maxData)
	}
	return p.out.Bytes(), nil
}

// unpack fills in the records and the mailbox of r.
func unpack(payload []byte, r *Run) error {
	size, n := binary.Uvarint(payload)
	if n <= 0 || size > maxBlob {
		return errDamaged
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(payload[n:])), int64(size)+1))
	if err != nil || uint64(len(plain)) != size {
		return errDamaged
	}
	d := decoder{b: plain}
	count := d.uvarint()
	for range count {
		rec := Record{Seq: d.uint32(), Kind: Kind(d.byte()), Count: d.uint32(), Time: d.time(), Data: d.bytes()}
		if d.bad {
			return errDamaged
		}
		r.Records = append(r.Records, rec)
	}
	count = d.uvarint()
	for range count {
		m := Message{Number: d.uvarint(), Time: d.time(), Data: d.bytes()}
		if d.bad {
			return errDamaged
		}
		r.Inbox = append(r.Inbox, m)
	}
	if len(d.b) > 0 {
		return errDamaged
	}
	return d.err()
}

// An entry of the table of ended runs: length of the encoded header, header, summary.

func appendEnded(b []byte, h *Header, summary []byte) []byte {
	header := appendHeader(nil, h)
	return append(appendBytes(b, header), summary...)
}

func decodeEnded(run uint64, payload []byte) (Header, []byte, error) {
	d := decoder{b: payload}
	header := d.bytes()
	summary := notNil(d.rest())
	if d.bad {
		return Header{}, nil, errDamaged
	}
	h, err := decodeHeader(run, header)
	return h, summary, err
}

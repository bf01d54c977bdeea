package journal

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"go.etcd.io/bbolt"
)

// chunkReader reads the compressed bodies of a batch, chunk by chunk.
type chunkReader struct {
	h    *history
	hd   *heads
	next uint32
	sum  uint32
	size uint64
	rest []byte
}

// unfold reads the bodies of a batch, plain.
func (h *history) unfold(hd *heads) io.Reader {
	return flate.NewReader(&chunkReader{h: h, hd: hd})
}

func (r *chunkReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *chunkReader) ReadByte() (byte, error) {
	for len(r.rest) == 0 {
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c, nil
}

func (r *chunkReader) fetch() (err error) {
	if r.next == r.hd.chunks {
		return io.EOF
	}
	r.rest, err = get(r.h, chunkKey(r.hd.batch, r.next))
	if err != nil {
		return err
	}
	if len(r.rest) == 0 {
		return errLost
	}
	return r.took(r.rest)
}

// took counts a chunk. What the heads say of the bodies holds only for those
// that were written with them.
func (r *chunkReader) took(chunk []byte) error {
	r.next++
	r.sum = chunkSum(r.sum, chunk)
	r.size += uint64(len(chunk))
	if r.next == r.hd.chunks && (r.sum != r.hd.sum || r.size != r.hd.size) {
		return errLost
	}
	return nil
}

// errLost says that the record of an ended run is not where it should be.
var errLost = errors.New("its record is lost")

// recordAt is an ended run as the history keeps it, of one state of the file.
type recordAt struct {
	summary []byte // replaces that in the heads; nil: none does
	heads   *heads
	chunk   []byte // the bodies, if they are one chunk
}

// record reads what leads to a run; nil: it is not in the history.
func (h *history) record(run uint64) (*recordAt, error) {
	var out *recordAt
	var packed []byte
	var lead headsLead
	var batch uint64
	var bad error
	err := h.view(func(b *bbolt.Bucket) {
		fetch := func(key []byte) (payload []byte) {
			if value := b.Get(key); value != nil && bad == nil {
				payload, _, bad = unseal(key, value)
			}
			return payload
		}
		entry := fetch(endedKey(run))
		if entry == nil || bad != nil {
			return
		}
		out = new(recordAt)
		if batch, out.summary, bad = decodeEndedEntry(entry); bad != nil {
			return
		}
		if packed = bytes.Clone(fetch(headsKey(batch))); packed == nil || bad != nil {
			return
		}
		if lead, bad = decodeLead(packed); bad == nil && lead.chunks == 1 {
			out.chunk = bytes.Clone(fetch(chunkKey(batch, 0)))
			_, bad = h.seen(bad), nil // it is the record only that is lost
		}
	})
	if err = errors.Join(err, bad); err != nil || out == nil {
		return nil, h.seen(err)
	}
	if packed != nil {
		out.heads, err = decodeHeads(batch, packed)
	}
	if err == nil && (out.heads == nil || out.heads.find(run) < 0) {
		err = errDamaged
	}
	return out, h.seen(err)
}

// whole reads a batch with its bodies, if heads and bodies have at most limit
// bytes; nil: it has more, or is not there, or its bodies are lost.
func (h *history) whole(batch uint64, limit uint64) (*heads, []byte, error) {
	payload, err := get(h, headsKey(batch))
	if err != nil || payload == nil {
		return nil, nil, h.seen(err)
	}
	lead, err := decodeLead(payload)
	if err != nil || lead.plain > limit || lead.size > limit {
		return nil, nil, h.seen(err)
	}
	hd, err := decodeHeads(batch, payload)
	if err != nil {
		return nil, nil, h.seen(err)
	}
	size := lead.plain
	for i := range hd.runs {
		if hd.runs[i].body == 0 {
			return nil, nil, nil
		}
		size += hd.runs[i].body - 1
	}
	if size > limit {
		return nil, nil, nil
	}
	bodies, err := io.ReadAll(io.LimitReader(h.unfold(hd), int64(limit)+1))
	if err == nil && uint64(len(bodies)) != size-lead.plain {
		err = errLost
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errLost // each chunk is sound, and they are not those of the heads
	}
	if err != nil {
		return nil, nil, h.seen(err)
	}
	return hd, bodies, nil
}

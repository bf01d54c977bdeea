package journal

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
)

// head reads an ended run without its record; found is false if it is not in
// the history.
func (h *history) head(run uint64) (out RunHead, found bool, err error) {
	rec, err := h.record(run)
	if err != nil || rec == nil {
		return RunHead{}, false, err
	}
	hd := &rec.heads.runs[rec.heads.find(run)]
	if out.Header, err = decodeHeader(run, hd.header); err != nil {
		return RunHead{}, false, h.seen(err)
	}
	end, err := decodeEnd(hd.end)
	if err != nil {
		return RunHead{}, false, h.seen(err)
	}
	if out.Summary = rec.summary; out.Summary == nil {
		out.Summary = notNil(end.summary)
	}
	return out, true, nil
}

// body leads to the record and the mailbox of a run, size bytes, plain.
func (h *history) body(rec *recordAt, run uint64) (from io.Reader, size uint64, err error) {
	at := rec.heads.find(run)
	if rec.heads.runs[at].body == 0 {
		return nil, 0, errLost
	}
	skip := uint64(0)
	for _, before := range rec.heads.runs[:at] {
		if before.body == 0 {
			return nil, 0, errDamaged
		}
		skip += before.body - 1
	}
	chunks := &chunkReader{h: h, hd: rec.heads}
	var packed io.Reader = chunks
	if rec.heads.chunks == 1 {
		if chunks.took(rec.chunk) != nil {
			return nil, 0, errLost
		}
		packed = bytes.NewReader(rec.chunk)
	}
	plain := flate.NewReader(packed)
	if _, err := io.CopyN(io.Discard, plain, int64(skip)); err != nil {
		return nil, 0, err
	}
	return plain, rec.heads.runs[at].body - 1, nil
}

// same reports whether a batch is still as its heads say: it is written anew, in
// its place, when a run in it is deleted. Heads and bodies are of one commit.
func (h *history) same(hd *heads) (bool, error) {
	payload, err := get(h, headsKey(hd.batch))
	if err != nil || payload == nil {
		return false, err
	}
	lead, err := decodeLead(payload)
	return err == nil && lead.chunks == hd.chunks && lead.size == hd.size && lead.sum == hd.sum, err
}

// heeding reads until ctx is done, and keeps why it ended.
type heeding struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (r *heeding) Read(b []byte) (n int, err error) {
	if err = r.ctx.Err(); err == nil {
		n, err = r.r.Read(b)
	}
	if err != nil {
		r.err = err
	}
	return n, err
}

// errNoMore ends a body that is not read to its end.
var errNoMore = errors.New("no more is wanted")

// errAnew says that a batch was written anew while it was read.
var errAnew = errors.New("the batch has been written anew")

// stored walks through a run in the history, from w.next on.
func (w *walk) stored() error {
	for {
		if err := w.batch(); !errors.Is(err, errAnew) {
			return err
		}
	}
}

func (w *walk) batch() error {
	h := w.j.history
	rec, err := h.record(w.run)
	if err == nil && rec == nil {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	from, size, err := h.body(rec, w.run)
	if err != nil {
		return w.stale(rec.heads, err)
	}
	r := &heeding{ctx: w.ctx, r: from}
	var page Run
	bytes := 0
	give := func() error {
		if rec.heads.chunks > 1 {
			if same, err := h.same(rec.heads); err != nil {
				return err
			} else if !same {
				return errAnew
			}
		}
		w.give(&page)
		page, bytes = Run{}, 0
		if w.ended {
			return errNoMore
		}
		return w.ctx.Err()
	}
	full := func(n int) error {
		if bytes += n; bytes < readAhead && len(page.Records)+len(page.Inbox) < pageEntries {
			return nil
		}
		return give()
	}
	var record func(Record) error
	var message func(Message) error
	first := uint32(w.next >> 8)
	if w.record != nil {
		record = func(rec Record) error {
			page.Records = append(page.Records, rec)
			return full(len(rec.Data))
		}
	} else {
		message = func(m Message) error {
			page.Inbox = append(page.Inbox, m)
			return full(len(m.Data))
		}
	}
	if err = readBody(r, size, first, record, message); err == nil {
		err = give()
	}
	switch {
	case errors.Is(err, errNoMore):
		return nil
	case err == nil, w.ctx.Err() != nil, errors.Is(err, errAnew):
		return err
	case r.err != nil && !errors.Is(r.err, io.EOF):
		err = r.err
	}
	return w.stale(rec.heads, err)
}

// stale is err, which came while a batch was read, unless the batch is not the
// same any more. What cannot be unfolded is damage.
func (w *walk) stale(hd *heads, err error) error {
	h := w.j.history
	if same, serr := h.same(hd); serr == nil && !same {
		return errAnew
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.Join(errDamaged, err)
	}
	return h.seen(err)
}

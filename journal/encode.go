package journal

import (
	"encoding/binary"
	"time"
)

// opSize is the shape of one operation within an encoded run of bytes: its
// key, then its value.
type opSize struct {
	kind  opKind
	key   int32
	value int32
}

// encoder turns Changes into operations, back to back in one buffer that is
// used again. Serial and CRC are left free: only the committer knows the serial.
type encoder struct {
	buf []byte
	ops []opSize

	start, mid int
}

func (e *encoder) reset() { e.buf, e.ops = e.buf[:0], e.ops[:0] }

// key begins an operation; the caller appends its key to buf, then calls value
// or remove.
func (e *encoder) key() { e.start = len(e.buf) }

// value ends the key; the caller appends the payload, then calls put.
func (e *encoder) value() {
	e.mid = len(e.buf)
	var free [sealLen]byte
	e.buf = append(e.buf, free[:]...)
}

func (e *encoder) put() {
	e.ops = append(e.ops, opSize{opPut, int32(e.mid - e.start), int32(len(e.buf) - e.mid)})
}

func (e *encoder) remove() {
	e.ops = append(e.ops, opSize{opRemove, int32(len(e.buf) - e.start), 0})
}

// putRaw and removeRaw are for callers that have the whole key at hand.
func (e *encoder) putRaw(key, payload []byte) {
	e.key()
	e.buf = append(e.buf, key...)
	e.value()
	e.buf = append(e.buf, payload...)
	e.put()
}

func (e *encoder) removeRaw(key []byte) {
	e.key()
	e.buf = append(e.buf, key...)
	e.remove()
}

// removeRange removes every key with from <= key < to.
func (e *encoder) removeRange(from, to []byte) {
	e.buf = append(append(e.buf, from...), to...)
	e.ops = append(e.ops, opSize{opRemoveRange, int32(len(from)), int32(len(to))})
}

// change encodes c. amend numbers a replaced summary: each has a key of its
// own, so that moving one to the history cannot remove a later one.
func (e *encoder) change(c *Change, amend uint64) {
	if h := c.Start; h != nil {
		e.key()
		e.buf = appendPart(e.buf, c.Run, partHeader)
		e.value()
		e.buf = appendHeader(e.buf, h)
		e.put()
		e.key()
		e.buf = appendID(e.buf, h.ID)
		e.value()
		e.buf = binary.BigEndian.AppendUint64(e.buf, c.Run)
		e.put()
	}
	if c.LossNoted {
		e.removeRaw(appendPart(nil, c.Run, partDamage))
	}
	if c.Drop > 0 {
		e.removeRange(appendRecordKey(nil, c.Run, 0, 0), appendRecordKey(nil, c.Run, c.Drop, 0))
	}
	for i := range c.Records {
		e.record(c.Run, &c.Records[i])
	}
	for _, n := range c.Counts {
		e.key()
		e.buf = appendRecordKey(e.buf, c.Run, n.Seq, n.Kind|countBits)
		e.value()
		e.buf = binary.AppendUvarint(e.buf, uint64(n.Count))
		e.put()
	}
	for i := range c.Inbox {
		m := &c.Inbox[i]
		e.key()
		e.buf = appendNumbered(e.buf, c.Run, partMessage, m.Number)
		e.value()
		e.buf = appendMessage(e.buf, m)
		e.put()
	}
	for _, n := range c.Taken {
		e.key()
		e.buf = appendNumbered(e.buf, c.Run, partMessage, n)
		e.remove()
	}
	for i := range c.State {
		s := &c.State[i]
		e.key()
		e.buf = appendStateKey(e.buf, s.Table, s.Key)
		if s.Value == nil {
			e.remove()
			continue
		}
		e.value()
		e.buf = append(e.buf, s.Value...)
		e.put()
	}
	if c.End != nil {
		e.key()
		e.buf = appendPart(e.buf, c.Run, partEnd)
		e.value()
		e.buf = append(appendEndBegin(e.buf, time.Now(), c.Terms), c.End...)
		e.put()
	}
	if c.Amend != nil {
		e.key()
		e.buf = appendNumbered(e.buf, c.Run, partAmend, amend)
		e.value()
		e.buf = append(e.buf, c.Amend...)
		e.put()
	}
}

// record puts a record on its own.
func (e *encoder) record(run uint64, r *Record) {
	e.key()
	e.buf = appendRecordKey(e.buf, run, r.Seq, r.Kind|aloneBit)
	e.value()
	e.buf = appendRecord(e.buf, r)
	e.put()
}

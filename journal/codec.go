package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// sealLen is what stands before every payload: CRC-32C, then the serial of the
// commit that wrote the value.
const sealLen = 4 + 8

// Limits of what one entry may hold. They keep a damaged length from being
// believed, and every key far below what the store can take.
const (
	maxID    = 512
	maxTable = 32
	maxData  = 64 << 20
	maxTerms = 8
	maxTerm  = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("record is damaged")

// checksum covers the key, its length and the value behind the CRC field, so
// that neither a flipped key nor a value under another's key passes.
func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Update(uint32(len(key)), castagnoli, key), castagnoli, value[4:])
}

// seal fills in serial and CRC of a value whose first sealLen bytes are free.
func seal(key, value []byte, serial uint64) {
	binary.BigEndian.PutUint64(value[4:], serial)
	binary.BigEndian.PutUint32(value, checksum(key, value))
}

// unseal returns the payload, which aliases value, if the CRC holds.
func unseal(key, value []byte) (payload []byte, serial uint64, err error) {
	if len(value) < sealLen || binary.BigEndian.Uint32(value) != checksum(key, value) {
		return nil, 0, errDamaged
	}
	return value[sealLen:], binary.BigEndian.Uint64(value[4:]), nil
}

func appendUint64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

func readUint64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

func appendTime(b []byte, t time.Time) []byte { return binary.AppendVarint(b, t.UnixMilli()) }

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func appendHeader(b []byte, h *Header) []byte {
	b = appendTime(b, h.Created)
	b = append(binary.AppendUvarint(b, uint64(len(h.ID))), h.ID...)
	b = append(binary.AppendUvarint(b, uint64(len(h.Script))), h.Script...)
	return append(b, h.Data...)
}

func appendRecord(b []byte, r *Record) []byte {
	b = binary.AppendUvarint(b, uint64(max(r.Count, 1)))
	return append(appendTime(b, r.Time), r.Data...)
}

func appendMessage(b []byte, m *Message) []byte {
	return append(appendTime(b, m.Time), m.Data...)
}

// decoder reads a payload from its begin. The first fault sticks.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) time() time.Time {
	v := d.varint()
	if d.bad {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	if v > 1<<32-1 {
		d.bad = true
	}
	return uint32(v)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

// bytes returns a copy of the next length-prefixed field.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	out := clone(d.b[:n])
	d.b = d.b[n:]
	return out
}

// rest returns a copy of what is left.
func (d *decoder) rest() []byte {
	out := clone(d.b)
	d.b = nil
	return out
}

func (d *decoder) err() error {
	if d.bad {
		return errDamaged
	}
	return nil
}

// clone copies b; nothing becomes nil, as it was before encoding.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

func decodeHeader(run uint64, payload []byte) (Header, error) {
	d := decoder{b: payload}
	h := Header{Run: run, Created: d.time()}
	h.ID = string(d.bytes())
	h.Script = string(d.bytes())
	h.Data = d.rest()
	return h, d.err()
}

func decodeRecord(key, payload []byte) (Record, error) {
	d := decoder{b: payload}
	r := Record{
		Seq:   binary.BigEndian.Uint32(key[runKeyLen:]),
		Kind:  Kind(key[recordKeyLen-1]) &^ aloneBit,
		Count: d.uint32(),
	}
	r.Time = d.time()
	r.Data = d.rest()
	return r, d.err()
}

func decodeMessage(key, payload []byte) (Message, error) {
	d := decoder{b: payload}
	m := Message{Number: binary.BigEndian.Uint64(key[runKeyLen:]), Time: d.time()}
	m.Data = d.rest()
	return m, d.err()
}

func decodeRunNumber(payload []byte) (uint64, error) {
	if len(payload) != 8 {
		return 0, errDamaged
	}
	return binary.BigEndian.Uint64(payload), nil
}

// notNil returns a copy of b that is not nil: for summaries, where an empty one
// says that there is one.
func notNil(b []byte) []byte { return append([]byte{}, b...) }

// check refuses what could not be stored, or not be read back as it was, before
// anything of it is queued.
func (c *Change) check() error {
	big := func(b []byte) bool { return len(b) > maxData }
	for i := range c.State {
		e := &c.State[i]
		switch {
		case e.Table == "" || len(e.Table) > maxTable || strings.IndexByte(e.Table, 0) >= 0:
			return fmt.Errorf("cannot keep an entry: its table is %q, allowed are 1 to %d bytes, none of them zero", e.Table, maxTable)
		case e.Key == "" || len(e.Key) > maxID:
			return fmt.Errorf("cannot keep an entry of table %s: its key has %d bytes, allowed are 1 to %d", e.Table, len(e.Key), maxID)
		case big(e.Value):
			return fmt.Errorf("cannot keep entry %q of table %s: it is longer than %d bytes", e.Key, e.Table, maxData)
		}
	}
	ofRun := c.Start != nil || c.Records != nil || c.Counts != nil || c.Inbox != nil || c.Taken != nil || c.End != nil || c.Amend != nil || c.Drop != 0 || c.LossNoted
	switch h := c.Start; {
	case c.Run == 0 && !ofRun && len(c.State) > 0:
	case c.Run == 0:
		return errors.New("cannot append a change: it names no run")
	case h != nil && h.Run != c.Run:
		return fmt.Errorf("cannot append a change of run %d: its header is of run %d", c.Run, h.Run)
	case h != nil && (h.ID == "" || len(h.ID) > maxID):
		return fmt.Errorf("cannot start run %d: its id has %d bytes, allowed are 1 to %d", c.Run, len(h.ID), maxID)
	case h != nil && len(h.Script) > maxID:
		return fmt.Errorf("cannot start run %d: the hash of its script has %d bytes, allowed are %d", c.Run, len(h.Script), maxID)
	case len(c.Terms) > 0 && c.End == nil:
		return fmt.Errorf("cannot append a change of run %d: terms go with its end", c.Run)
	case len(c.Terms) > maxTerms:
		return fmt.Errorf("cannot end run %d: it has %d terms, allowed are %d", c.Run, len(c.Terms), maxTerms)
	case h != nil && big(h.Data), big(c.End), big(c.Amend):
		return fmt.Errorf("cannot append a change of run %d: header or summary is longer than %d bytes", c.Run, maxData)
	}
	for i := range c.Records {
		switch r := &c.Records[i]; {
		case big(r.Data):
			return fmt.Errorf("cannot append record %d of run %d: it is longer than %d bytes", r.Seq, c.Run, maxData)
		case r.Kind >= kindEnd:
			return fmt.Errorf("cannot append record %d of run %d: its kind is %d, allowed are 0 to %d", r.Seq, c.Run, r.Kind, kindEnd-1)
		}
	}
	for _, n := range c.Counts {
		if n.Kind >= kindEnd {
			return fmt.Errorf("cannot count record %d of run %d: its kind is %d, allowed are 0 to %d", n.Seq, c.Run, n.Kind, kindEnd-1)
		}
	}
	for _, term := range c.Terms {
		if term == "" || len(term) > maxTerm || strings.IndexByte(term, 0) >= 0 {
			return fmt.Errorf("cannot end run %d: term %.40q: allowed are 1 to %d bytes other than 0", c.Run, term, maxTerm)
		}
	}
	for i := range c.Inbox {
		if big(c.Inbox[i].Data) {
			return fmt.Errorf("cannot append message %d of run %d: it is longer than %d bytes", c.Inbox[i].Number, c.Run, maxData)
		}
	}
	return nil
}

package journal

import "encoding/binary"

// The body of a frame of the log is a row of operations: uvarint of four times
// the length of the key, plus the kind; uvarint of the length of the value, or
// of the range's end; key; value. Values are sealed, as in the store.

// frameOverhead is what an operation takes at most beside its key and value.
const frameOverhead = 10

// frameLen bounds from above what ops take in a frame.
func frameLen(ops []op) int {
	n := 0
	for i := range ops {
		n += len(ops[i].key) + len(ops[i].value) + frameOverhead
	}
	return n
}

func appendFrame(b []byte, ops []op) []byte {
	for i := range ops {
		o := &ops[i]
		b = binary.AppendUvarint(b, uint64(len(o.key))<<2|uint64(o.kind))
		b = binary.AppendUvarint(b, uint64(len(o.value)))
		b = append(append(b, o.key...), o.value...)
	}
	return b
}

// readFrame calls f with each operation, which shares memory with body. It
// reports whether body is a row of operations from its beginning to its end; f
// is called up to the fault.
func readFrame(body []byte, f func(o op)) bool {
	for len(body) > 0 {
		k, n := binary.Uvarint(body)
		if n <= 0 {
			return false
		}
		v, m := binary.Uvarint(body[n:])
		if m <= 0 {
			return false
		}
		kind := opKind(k & 3)
		k >>= 2
		body = body[n+m:]
		if kind > opRemoveRange || k > uint64(len(body)) || v > uint64(len(body))-k {
			return false
		}
		f(op{kind, body[:k:k], body[k : k+v : k+v]})
		body = body[k+v:]
	}
	return true
}

package wal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// Page is what frames begin at multiples of, and are padded to: the unit
	// that file systems and flash write anyway.
	Page = 4096

	// headLen is what stands before a frame's body: magic, CRC-32C of all
	// behind it, length without padding (u32 each), four bytes that are zero,
	// sequence number, salt (u64 each).
	headLen = 32

	frameMagic = 0x48467731 // "HFw1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Frame is one append that was found whole.
type Frame struct {
	Seq  uint64
	Body []byte
}

// padded returns how many bytes a frame with a body of n bytes takes.
func padded(n int) int64 { return (int64(n) + headLen + Page - 1) / Page * Page }

// appendFrame appends the frame with its padding to b, which is empty.
func appendFrame(b []byte, seq, salt uint64, body []byte) []byte {
	n := headLen + len(body)
	b = binary.BigEndian.AppendUint32(b, frameMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint64(b, salt)
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	end := int(padded(len(body)))
	for len(b) < end {
		b = append(b, zeros[:min(end-len(b), len(zeros))]...)
	}
	return b
}

var zeros [Page]byte

// parseFrame returns the frame at the beginning of b. ours says that a frame of
// this log begins there, whether it is whole or not.
func parseFrame(b []byte, salt uint64) (f Frame, ours, whole bool) {
	if len(b) < headLen || binary.BigEndian.Uint32(b) != frameMagic || binary.BigEndian.Uint64(b[24:]) != salt {
		return Frame{}, false, false
	}
	f.Seq = binary.BigEndian.Uint64(b[16:])
	n := uint64(binary.BigEndian.Uint32(b[8:]))
	if n < headLen || n > uint64(len(b)) || crc32.Checksum(b[8:n], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return f, true, false
	}
	f.Body = b[headLen:n:n]
	return f, true, true
}

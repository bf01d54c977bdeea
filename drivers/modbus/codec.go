package modbus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/gateway/tag"
)

// reorder turns the bytes of one value from the wire's order into ABCD, and
// back: each order undoes itself.
func reorder(b []byte, order tag.Order) {
	switch order {
	case tag.DCBA:
		slices.Reverse(b)
	case tag.BADC:
		swapBytes(b)
	case tag.CDAB:
		slices.Reverse(b)
		swapBytes(b)
	}
}

// swapBytes swaps the two bytes of each register.
func swapBytes(b []byte) {
	for i := 0; i+1 < len(b); i += bytesPerRegister {
		b[i], b[i+1] = b[i+1], b[i]
	}
}

// swapped reports whether text lies with the first character in the low byte.
func (p point) swapped() bool { return p.order == tag.BADC || p.order == tag.DCBA }

// decode returns the value that the registers raw hold, as they came over the
// wire, high byte first; BadDecodingError where they hold none.
func (p point) decode(raw []byte) (tag.Value, tag.StatusCode) {
	if p.isText() {
		return p.decodeText(raw)
	}
	var buf [8]byte
	b := buf[len(buf)-len(raw):]
	copy(b, raw)
	reorder(b, p.order)
	n := binary.BigEndian.Uint64(buf[:])
	switch p.typ {
	case tag.TypeBool:
		return tag.Bool(n>>uint(p.addr.Bit)&1 == 1), tag.Good
	case tag.TypeInt8:
		return tag.Int(int64(int8(n))), tag.Good
	case tag.TypeUint8:
		return tag.Int(int64(uint8(n))), tag.Good
	case tag.TypeInt16:
		return tag.Int(int64(int16(n))), tag.Good
	case tag.TypeInt32:
		return tag.Int(int64(int32(n))), tag.Good
	case tag.TypeInt64:
		return tag.Int(int64(n)), tag.Good
	case tag.TypeUint16, tag.TypeUint32, tag.TypeUint64:
		return tag.Uint(n), tag.Good
	case tag.TypeFloat32:
		return tag.Float(float64(math.Float32frombits(uint32(n)))), tag.Good
	case tag.TypeFloat64:
		return tag.Float(math.Float64frombits(n)), tag.Good
	case tag.TypeBCD16, tag.TypeBCD32:
		if d, ok := fromBCD(n); ok {
			return tag.Uint(d), tag.Good
		}
		return tag.None(), tag.BadDecodingError
	}
	return tag.None(), tag.BadConfigurationError
}

func (p point) decodeText(raw []byte) (tag.Value, tag.StatusCode) {
	b := slices.Clone(raw)
	if p.swapped() {
		swapBytes(b)
	}
	b = b[:p.length]
	if p.typ == tag.TypeBytes {
		return tag.Bytes(b), tag.Good
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	b = bytes.TrimRight(b, " ")
	if !utf8.Valid(b) {
		return tag.None(), tag.BadDecodingError
	}
	return tag.String(string(b)), tag.Good
}

// encode returns the registers that hold v. The error says why v cannot be
// written so that it reads back the same.
func (p point) encode(v tag.Value) ([]uint16, error) {
	v, err := tag.Coerce(v, p.typ)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, p.registers()*bytesPerRegister)
	if p.isText() {
		if err := p.encodeText(raw, v); err != nil {
			return nil, err
		}
	} else {
		var buf [8]byte
		binary.BigEndian.PutUint64(buf[:], p.bits(v))
		copy(raw, buf[len(buf)-len(raw):])
		reorder(raw, p.order)
	}
	regs := make([]uint16, len(raw)/bytesPerRegister)
	for i := range regs {
		regs[i] = binary.BigEndian.Uint16(raw[i*bytesPerRegister:])
	}
	return regs, nil
}

// bits returns the two's complement, the IEEE 754 bits or the decimal digits of
// a number that was coerced to the point's type.
func (p point) bits(v tag.Value) uint64 {
	switch p.typ {
	case tag.TypeFloat32:
		f, _ := v.AsFloat()
		return uint64(math.Float32bits(float32(f)))
	case tag.TypeFloat64:
		f, _ := v.AsFloat()
		return math.Float64bits(f)
	}
	n, ok := v.AsUint()
	if !ok {
		i, _ := v.AsInt()
		n = uint64(i)
	}
	if p.typ == tag.TypeBCD16 || p.typ == tag.TypeBCD32 {
		return toBCD(n)
	}
	return n
}

// encodeText fills raw, which is zero, with the text of v.
func (p point) encodeText(raw []byte, v tag.Value) error {
	if b, ok := v.AsBytes(); ok {
		if len(b) != p.length {
			return fmt.Errorf("%d bytes given, the tag takes exactly %d", len(b), p.length)
		}
		copy(raw, b)
	} else {
		s, _ := v.AsString()
		switch {
		case len(s) > p.length:
			return fmt.Errorf("text of %d bytes is longer than the tag's %d", len(s), p.length)
		case !utf8.ValidString(s):
			return fmt.Errorf("text is not UTF-8")
		case strings.ContainsRune(s, 0):
			return fmt.Errorf("text contains NUL, which ends a string in the device")
		case strings.HasSuffix(s, " "):
			return fmt.Errorf("text ends in a space, which is padding in the device and would not be read back")
		}
		copy(raw, s)
	}
	if p.swapped() {
		swapBytes(raw)
	}
	return nil
}

// fromBCD reads binary-coded decimal digits, most significant first.
func fromBCD(n uint64) (uint64, bool) {
	var v uint64
	for shift := 60; shift >= 0; shift -= 4 {
		digit := n >> uint(shift) & 0xF
		if digit > 9 {
			return 0, false
		}
		v = v*10 + digit
	}
	return v, true
}

func toBCD(v uint64) uint64 {
	var n uint64
	for shift := 0; v > 0; shift += 4 {
		n |= v % 10 << uint(shift)
		v /= 10
	}
	return n
}

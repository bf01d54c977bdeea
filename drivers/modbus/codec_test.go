package modbus

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/gateway/tag"
)

func mustPoint(t *testing.T, addr string, typ tag.Type, order tag.Order, length int) point {
	t.Helper()
	p, err := makePoint(addr, typ, length, false)
	if err != nil {
		t.Fatal(err)
	}
	if order != "" {
		p.order = order
	}
	return p
}

func raw(regs ...uint16) []byte {
	b := make([]byte, 0, len(regs)*bytesPerRegister)
	for _, r := range regs {
		b = binary.BigEndian.AppendUint16(b, r)
	}
	return b
}

// TestDecode has what devices hold and the value that it stands for.
func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr   string
		typ    tag.Type
		order  tag.Order
		length int
		regs   []uint16
		want   tag.Value // None: BadDecodingError
	}{
		{"holding:0.0", tag.TypeBool, "", 0, []uint16{0x0001}, tag.Bool(true)},
		{"holding:0.15", tag.TypeBool, "", 0, []uint16{0x8000}, tag.Bool(true)},
		{"input:0.8", tag.TypeBool, "", 0, []uint16{0xFEFF}, tag.Bool(false)},
		{"holding:0", tag.TypeInt8, "", 0, []uint16{0x1280}, tag.Int(-128)},
		{"holding:0", tag.TypeUint8, "", 0, []uint16{0x1280}, tag.Int(128)},
		{"holding:0", tag.TypeInt16, "", 0, []uint16{0x8000}, tag.Int(-32768)},
		{"holding:0", tag.TypeUint16, "", 0, []uint16{0x8000}, tag.Int(32768)},
		{"holding:0", tag.TypeUint32, tag.ABCD, 0, []uint16{0x0102, 0x0304}, tag.Int(0x01020304)},
		{"holding:0", tag.TypeUint32, tag.CDAB, 0, []uint16{0x0102, 0x0304}, tag.Int(0x03040102)},
		{"holding:0", tag.TypeUint32, tag.BADC, 0, []uint16{0x0102, 0x0304}, tag.Int(0x02010403)},
		{"holding:0", tag.TypeUint32, tag.DCBA, 0, []uint16{0x0102, 0x0304}, tag.Int(0x04030201)},
		{"holding:0", tag.TypeInt32, tag.CDAB, 0, []uint16{0xFFFE, 0xFFFF}, tag.Int(-2)},
		{"holding:0", tag.TypeUint64, tag.ABCD, 0, []uint16{0x0102, 0x0304, 0x0506, 0x0708}, tag.Int(0x0102030405060708)},
		{"holding:0", tag.TypeUint64, tag.CDAB, 0, []uint16{0x0102, 0x0304, 0x0506, 0x0708}, tag.Int(0x0708050603040102)},
		{"holding:0", tag.TypeUint64, tag.BADC, 0, []uint16{0x0102, 0x0304, 0x0506, 0x0708}, tag.Int(0x0201040306050807)},
		{"holding:0", tag.TypeUint64, tag.DCBA, 0, []uint16{0x0102, 0x0304, 0x0506, 0x0708}, tag.Int(0x0807060504030201)},
		{"holding:0", tag.TypeUint64, "", 0, []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, tag.Uint(math.MaxUint64)},
		{"holding:0", tag.TypeInt64, "", 0, []uint16{0x8000, 0, 0, 0}, tag.Int(math.MinInt64)},
		{"holding:0", tag.TypeFloat32, tag.ABCD, 0, []uint16{0x42F6, 0xE979}, tag.Float(float64(float32(123.456)))},
		{"holding:0", tag.TypeFloat32, tag.CDAB, 0, []uint16{0xE979, 0x42F6}, tag.Float(float64(float32(123.456)))},
		{"holding:0", tag.TypeFloat64, "", 0, []uint16{0x405E, 0xDD2F, 0x1A9F, 0xBE77}, tag.Float(123.456)},
		{"holding:0", tag.TypeBCD16, "", 0, []uint16{0x1234}, tag.Int(1234)},
		{"holding:0", tag.TypeBCD16, "", 0, []uint16{0x123A}, tag.None()},
		{"holding:0", tag.TypeBCD32, "", 0, []uint16{0x1234, 0x5678}, tag.Int(12345678)},
		{"holding:0", tag.TypeBCD32, tag.CDAB, 0, []uint16{0x5678, 0x1234}, tag.Int(12345678)},
		{"holding:0", tag.TypeBCD32, "", 0, []uint16{0xF000, 0}, tag.None()},
		{"holding:0", tag.TypeString, "", 4, []uint16{0x4142, 0x4344}, tag.String("ABCD")},
		{"holding:0", tag.TypeString, tag.BADC, 4, []uint16{0x4142, 0x4344}, tag.String("BADC")},
		{"holding:0", tag.TypeString, tag.DCBA, 4, []uint16{0x4142, 0x4344}, tag.String("BADC")},
		{"holding:0", tag.TypeString, tag.CDAB, 4, []uint16{0x4142, 0x4344}, tag.String("ABCD")},
		{"holding:0", tag.TypeString, "", 3, []uint16{0x4142, 0x4344}, tag.String("ABC")},
		{"holding:0", tag.TypeString, "", 6, []uint16{0x4120, 0x2020, 0x2020}, tag.String("A")},
		{"holding:0", tag.TypeString, "", 6, []uint16{0x4120, 0x4220, 0x0043}, tag.String("A B")},
		{"holding:0", tag.TypeString, "", 4, []uint16{0, 0x4142}, tag.String("")},
		{"holding:0", tag.TypeString, "", 4, []uint16{0xC3A9, 0}, tag.String("é")},
		{"holding:0", tag.TypeString, "", 4, []uint16{0xFFFF, 0xFFFF}, tag.None()},
		{"holding:0", tag.TypeBytes, "", 3, []uint16{0x0102, 0x0304}, tag.Bytes([]byte{1, 2, 3})},
		{"holding:0", tag.TypeBytes, tag.BADC, 3, []uint16{0x0102, 0x0304}, tag.Bytes([]byte{2, 1, 4})},
	} {
		p := mustPoint(t, c.addr, c.typ, c.order, c.length)
		wantStatus := tag.Good
		if c.want.IsNone() {
			wantStatus = tag.BadDecodingError
		}
		if v, status := p.decode(raw(c.regs...)); !v.Equal(c.want) || status != wantStatus {
			t.Errorf("%v %s of %04x is %v, %v; want %v, %v", c.typ, c.order, c.regs, v, status, c.want, wantStatus)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ    tag.Type
		length int
		v      tag.Value
		want   string
	}{
		{tag.TypeInt8, 0, tag.Int(128), "128 is outside the range of int8, -128 to 127"},
		{tag.TypeUint16, 0, tag.Int(-1), "-1 is outside the range of uint16, 0 to 65535"},
		{tag.TypeUint16, 0, tag.Float(0.5), "0.5 is not a whole number, as uint16 needs"},
		{tag.TypeFloat32, 0, tag.Float(math.NaN()), `"NaN" is not a number that can be written`},
		{tag.TypeBCD16, 0, tag.Int(10000), "10000 is outside the range of bcd16, 0 to 9999"},
		{tag.TypeString, 4, tag.String("abcde"), "text of 5 bytes is longer than the tag's 4"},
		{tag.TypeString, 4, tag.String("ab "), "text ends in a space, which is padding in the device and would not be read back"},
		{tag.TypeString, 4, tag.String("a\x00b"), "text contains NUL, which ends a string in the device"},
		{tag.TypeString, 4, tag.String("\xff"), "text is not UTF-8"},
		{tag.TypeString, 4, tag.Int(1), "1 is not a string"},
		{tag.TypeBytes, 4, tag.Bytes([]byte{1}), "1 bytes given, the tag takes exactly 4"},
	} {
		p := mustPoint(t, "holding:0", c.typ, "", c.length)
		if regs, err := p.encode(c.v); err == nil || err.Error() != c.want {
			t.Errorf("%v of %v: %04x, %v; want the error %s", c.typ, c.v, regs, err, c.want)
		}
	}
}

// TestEncodeSmall shows what a write of a byte puts into the high byte.
func TestEncodeSmall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  tag.Type
		v    int64
		want uint16
	}{{tag.TypeInt8, -2, 0xFFFE}, {tag.TypeInt8, 2, 0x0002}, {tag.TypeUint8, 254, 0x00FE}} {
		p := mustPoint(t, "holding:0", c.typ, "", 0)
		if regs, err := p.encode(tag.Int(c.v)); err != nil || len(regs) != 1 || regs[0] != c.want {
			t.Errorf("%v %d is %04x, %v; want %04x", c.typ, c.v, regs, err, c.want)
		}
	}
}

// FuzzCodec holds that what registers hold, and any text that fits, can be
// written and then reads the same.
func FuzzCodec(f *testing.F) {
	f.Add(uint8(tag.TypeInt32), uint8(1), []byte{1, 2, 3, 4, 5, 6, 7, 8}, "text")
	f.Add(uint8(tag.TypeString), uint8(2), []byte("AB  "), "é ")
	f.Add(uint8(tag.TypeBCD32), uint8(3), []byte{0x12, 0x34, 0x56, 0x9A}, "")
	f.Add(uint8(tag.TypeBytes), uint8(0), []byte{0xFF}, "\x00")
	f.Add(uint8(tag.TypeFloat64), uint8(0), []byte{0x7F, 0xF0, 0, 0, 0, 0, 0, 1}, "NaN")
	orders := []tag.Order{tag.ABCD, tag.CDAB, tag.BADC, tag.DCBA}
	f.Fuzz(func(t *testing.T, typ, order uint8, data []byte, text string) {
		p := point{typ: tag.Type(typ%15 + 1), order: orders[order%4], addr: Address{Table: Holding, Bit: -1}}
		if p.typ == tag.TypeBool {
			p.addr.Bit = int(order % 16)
		}
		if p.isText() {
			p.length = min(max(len(data), len(text), 1), 250)
		}
		if p.width() == 1 && !p.isText() {
			p.order = tag.ABCD
		}
		wire := append(data[:len(data):len(data)], make([]byte, 250)...)[:p.width()*bytesPerRegister]
		v, status := p.decode(wire)
		if status.IsGood() == v.IsNone() {
			t.Fatalf("%v decodes to %v, %v", p, v, status)
		}
		if f, ok := v.AsFloat(); status.IsGood() && p.typ != tag.TypeBool && !(ok && (math.IsNaN(f) || math.IsInf(f, 0))) {
			roundTrip(t, p, v)
		}
		if text = strings.TrimRight(text, " "); p.typ == tag.TypeString && len(text) <= p.length &&
			utf8.ValidString(text) && !strings.Contains(text, "\x00") {
			roundTrip(t, p, tag.String(text))
		}
	})
}

func roundTrip(t *testing.T, p point, v tag.Value) {
	t.Helper()
	regs, err := p.encode(v)
	if err != nil {
		t.Fatalf("%v %v cannot be written: %v", p.typ, v, err)
	}
	if len(regs) != p.registers() {
		t.Fatalf("%v of %v takes %d registers, not %d", p.typ, v, len(regs), p.registers())
	}
	if back, status := p.decode(raw(regs...)); !back.Equal(v) || !status.IsGood() {
		t.Fatalf("%v %s: %v is written as %04x and read as %v, %v", p.typ, p.order, v, regs, back, status)
	}
}

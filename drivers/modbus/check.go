package modbus

import (
	"fmt"

	"holdfast/gateway/tag"
)

// The largest requests (Modbus Application Protocol v1.1b3, clauses 6.1 to 6.4, 6.12).
const (
	maxReadRegisters  = 125
	maxReadCoils      = 2000
	maxWriteRegisters = 123
	bytesPerRegister  = 2
)

// CheckItem tells whether a tag can be had: addr, the type (TypeAny where none
// is configured), the tag's own order and length, and whether it has a write
// section. The error says what is allowed.
func CheckItem(addr string, typ tag.Type, order tag.Order, length int, writable bool) error {
	p, err := makePoint(addr, typ, length, writable)
	if err != nil || order == "" {
		return err
	}
	switch order {
	case tag.ABCD, tag.CDAB, tag.BADC, tag.DCBA:
	default:
		return fmt.Errorf("order %q is unknown, allowed are ABCD, CDAB, BADC, DCBA", string(order))
	}
	if p.registers() <= 1 {
		return fmt.Errorf("order has no meaning for %s, which takes one register or less; leave it out", article(p.typ))
	}
	if p.isText() && (order == tag.CDAB || order == tag.DCBA) {
		return fmt.Errorf("order %s has no meaning for %s, whose registers go upwards; allowed are ABCD, and BADC for swapped bytes",
			order, article(p.typ))
	}
	return nil
}

// point is an item, compiled: where its value lies and how it is coded.
type point struct {
	addr   Address
	typ    tag.Type
	order  tag.Order
	length int  // bytes, of string and bytes
	write  bool // may be written
}

// isText reports whether the value is a run of bytes of a configured length.
func (p point) isText() bool { return p.typ == tag.TypeString || p.typ == tag.TypeBytes }

// width is how many entries of its table the value takes.
func (p point) width() int {
	if n := p.registers(); n > 0 {
		return n
	}
	return 1
}

// registers is how many whole registers the value takes; 0 for a coil or a bit.
func (p point) registers() int {
	switch p.typ {
	case tag.TypeBool:
		return 0
	case tag.TypeInt32, tag.TypeUint32, tag.TypeFloat32, tag.TypeBCD32:
		return 2
	case tag.TypeInt64, tag.TypeUint64, tag.TypeFloat64:
		return 4
	case tag.TypeString, tag.TypeBytes:
		return (p.length + 1) / bytesPerRegister
	}
	return 1
}

// first and end are the offsets that the value takes, end excluded.
func (p point) first() int { return int(p.addr.Offset) }
func (p point) end() int   { return p.first() + p.width() }

// makePoint checks all but the order, of which an item has its connection's.
func makePoint(addr string, typ tag.Type, length int, writable bool) (point, error) {
	at, err := ParseAddress(addr)
	if err != nil {
		return point{}, err
	}
	p := point{addr: at, typ: typ, order: tag.ABCD, length: length, write: writable}
	if err := p.checkType(); err != nil {
		return point{}, err
	}
	if err := p.checkLength(); err != nil {
		return point{}, err
	}
	if p.typ == tag.TypeAny {
		p.typ = tag.TypeBool
	}
	if p.end() > 1<<16 {
		return point{}, fmt.Errorf("%s at %v takes %d registers and ends past %v:65535", article(p.typ), at, p.width(), at.Table)
	}
	if !writable {
		return p, nil
	}
	switch {
	case at.Table == Input || at.Table == Discrete:
		return point{}, fmt.Errorf("%v cannot be written: the %v table is read-only", at, at.Table)
	case at.Bit >= 0:
		return point{}, fmt.Errorf("%v cannot be written: writing one bit of a register is not available yet", at)
	case p.registers() > maxWriteRegisters:
		return point{}, fmt.Errorf("%v cannot be written: %s of %d bytes takes %d registers, one write at most %d",
			at, article(p.typ), p.length, p.registers(), maxWriteRegisters)
	}
	return p, nil
}

func (p point) checkType() error {
	switch at := p.addr; {
	case !at.Table.registers():
		if p.typ != tag.TypeBool && p.typ != tag.TypeAny {
			return fmt.Errorf("%v is a bool, not %s", at, article(p.typ))
		}
	case at.Bit >= 0:
		if p.typ != tag.TypeBool && p.typ != tag.TypeAny {
			return fmt.Errorf("%v is one bit and so a bool, not %s; the whole register is %v:%d", at, article(p.typ), at.Table, at.Offset)
		}
	case p.typ == tag.TypeAny:
		return fmt.Errorf("a type is needed: Modbus does not say what %v holds", at)
	case p.typ == tag.TypeBool:
		return fmt.Errorf("%v is a register; for a bool say which bit, for example %v.0", at, at)
	}
	return nil
}

func (p point) checkLength() error {
	switch {
	case !p.isText():
		if p.length != 0 {
			return fmt.Errorf("length is for string and bytes, not for %v", p.typ)
		}
	case p.length <= 0:
		return fmt.Errorf("%v needs a length, in bytes from 1 to %d", p.typ, maxReadRegisters*bytesPerRegister)
	case p.length > maxReadRegisters*bytesPerRegister:
		return fmt.Errorf("length %d is above %d bytes, the most that one request reads", p.length, maxReadRegisters*bytesPerRegister)
	}
	return nil
}

// article returns the type with its article, for messages.
func article(t tag.Type) string {
	if s := t.String(); s[0] == 'i' {
		return "an " + s
	}
	return "a " + t.String()
}

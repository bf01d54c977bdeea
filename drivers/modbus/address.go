package modbus

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is one of the four tables of a Modbus device (Modbus Application
// Protocol v1.1b3, clause 4.3).
type Table uint8

// The tables.
const (
	Coil     Table = iota // single bits, read and write
	Discrete              // single bits, read only
	Input                 // 16-bit registers, read only
	Holding               // 16-bit registers, read and write
)

// String returns the name that addresses use.
func (t Table) String() string { return [...]string{"coil", "discrete", "input", "holding"}[t] }

// registers reports whether the table holds registers, not single bits.
func (t Table) registers() bool { return t == Input || t == Holding }

// digit is the first digit of the table's one-based references.
func (t Table) digit() int { return [...]int{0, 1, 3, 4}[t] }

// unit names n entries of the table.
func (t Table) unit(n int) string {
	name := [...]string{"coil", "discrete input", "register", "register"}[t]
	if n == 1 {
		return name
	}
	return name + "s"
}

// Address is a place in a device.
type Address struct {
	Table  Table
	Offset uint16 // zero-based, as on the wire
	Bit    int    // 0 to 15 within a register, 0 the least significant; -1 for all of it
}

// String returns the zero-based form: holding:100, holding:20.3.
func (a Address) String() string { return fmt.Sprintf("%v:%d%s", a.Table, a.Offset, a.bit()) }

// Reference returns the one-based form of data sheets, of five digits where
// that is enough, else of six: 40101, 40021.3, 465536.
func (a Address) Reference() string {
	n := int(a.Offset) + 1
	if n > 9999 {
		return fmt.Sprintf("%d%05d%s", a.Table.digit(), n, a.bit())
	}
	return fmt.Sprintf("%d%04d%s", a.Table.digit(), n, a.bit())
}

func (a Address) bit() string {
	if a.Bit < 0 {
		return ""
	}
	return "." + strconv.Itoa(a.Bit)
}

// ParseAddress reads either form of an address. The error says what is wrong
// with s and, where that can be guessed, what was meant.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	if s == "" {
		return Address{}, fmt.Errorf("is empty, write for example holding:100")
	}
	if t := strings.TrimSpace(s); t != s {
		return Address{}, fmt.Errorf("has spaces around it, write %q", t)
	}
	place, bit, hasBit := strings.Cut(s, ".")
	var a Address
	var err error
	if name, offset, ok := strings.Cut(place, ":"); ok {
		a, err = parseOffset(name, offset)
	} else {
		a, err = parseReference(place)
	}
	if err != nil {
		return Address{}, err
	}
	a.Bit = -1
	if !hasBit {
		return a, nil
	}
	if !a.Table.registers() {
		return Address{}, fmt.Errorf("a %s is a single bit, write %v", a.Table.unit(1), a)
	}
	n, ok := decimal(bit)
	if !ok || n > 15 {
		return Address{}, fmt.Errorf("bit %q is unknown, a register has bits 0 to 15", bit)
	}
	a.Bit = n
	return a, nil
}

// parseOffset reads table:offset.
func parseOffset(name, offset string) (Address, error) {
	table, ok := tableNamed(name)
	if !ok {
		if guess, ok := guessTable(name); ok {
			return Address{}, fmt.Errorf("table %q is unknown, write %v:%s", name, guess, offset)
		}
		return Address{}, fmt.Errorf("table %q is unknown, allowed are coil, discrete, input, holding", name)
	}
	n, ok := decimal(offset)
	switch {
	case ok && n <= 0xFFFF:
		return Address{Table: table, Offset: uint16(n)}, nil
	case ok:
		if ref, err := parseReference(offset); err == nil && ref.Table == table {
			return Address{}, fmt.Errorf("offset %d is above 65535; the one-based reference %s is written alone, or as %v:%d",
				n, offset, table, ref.Offset)
		}
		return Address{}, fmt.Errorf("offset %d is above 65535", n)
	}
	if hex, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(offset), "0x"), 16, 16); err == nil && len(offset) > 2 && strings.EqualFold(offset[:2], "0x") {
		return Address{}, fmt.Errorf("offset %q is not decimal, write %v:%d", offset, table, hex)
	}
	if z := strings.TrimLeft(offset, "0"); len(z) < len(offset) {
		if n, ok := decimal(z); ok {
			return Address{}, fmt.Errorf("offset %q has leading zeros, write %v:%d", offset, table, n)
		}
	}
	return Address{}, fmt.Errorf("offset %q is not a decimal number from 0 to 65535", offset)
}

// decimal reads digits without sign, leading zeros or underscores.
func decimal(s string) (int, bool) {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

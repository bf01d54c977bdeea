package modbus

import (
	"fmt"
	"strings"
)

func tableNamed(name string) (Table, bool) {
	for t := Coil; t <= Holding; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

// guessTable returns the table that other products call name.
func guessTable(name string) (Table, bool) {
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	switch strings.TrimSuffix(plain, "s") {
	case "coil", "co", "c", "do", "digitaloutput", "discreteoutput", "outputcoil", "0x":
		return Coil, true
	case "discrete", "di", "digitalinput", "discreteinput", "contact", "inputstatu", "1x":
		return Discrete, true
	case "input", "ir", "i", "inputregister", "inputreg", "analoginput", "ai", "3x":
		return Input, true
	case "holding", "hold", "hr", "h", "holdingregister", "holdingreg", "register", "reg", "4x":
		return Holding, true
	}
	return 0, false
}

// parseReference reads a one-based reference: the table's digit, then the
// number from 1 on, in four digits up to 9999 or in five up to 65536.
func parseReference(s string) (Address, error) {
	if strings.Trim(s, "0123456789") != "" {
		return Address{}, notReference(s)
	}
	if len(s) != 5 && len(s) != 6 {
		return Address{}, fmt.Errorf("is neither table:offset nor a reference of five or six digits; %s", offsetHint(s))
	}
	var table Table
	switch s[0] {
	case '0':
		table = Coil
	case '1':
		table = Discrete
	case '3':
		table = Input
	case '4':
		table = Holding
	default:
		return Address{}, fmt.Errorf("no table has references that begin with %c: "+
			"0 coils, 1 discrete inputs, 3 input registers, 4 holding registers; %s", s[0], offsetHint(s))
	}
	n, _ := decimal(strings.TrimLeft(s[1:], "0")) // 0 for no digits
	first := Address{Table: table, Bit: -1}
	switch {
	case n == 0:
		return Address{}, fmt.Errorf("references count from 1: the first %s is %s%s (%v)",
			table.unit(1), first.Reference()[:1], strings.Repeat("0", len(s)-2)+"1", first)
	case n > 65536:
		last := Address{Table: table, Offset: 0xFFFF, Bit: -1}
		return Address{}, fmt.Errorf("is past the last %s, %s (%v)", table.unit(1), last.Reference(), last)
	}
	return Address{Table: table, Offset: uint16(n - 1)}, nil
}

// offsetHint proposes how a bare number may have been meant.
func offsetHint(s string) string {
	n, ok := decimal(s)
	if !ok || n > 0xFFFF {
		return "write for example holding:100 or 40101"
	}
	return fmt.Sprintf("for the zero-based offset write holding:%d, input:%d, coil:%d or discrete:%d", n, n, n, n)
}

// notReference is the error for text without a colon that is not digits.
func notReference(s string) error {
	name := strings.TrimRight(s, "0123456789")
	digits := s[len(name):]
	// 4x0101 and 4x00101 are references in some manuals.
	if len(name) == 2 && (name[1] == 'x' || name[1] == 'X') {
		if a, err := parseReference(name[:1] + digits); err == nil {
			a.Bit = -1
			return fmt.Errorf("write %s (%v)", a.Reference(), a)
		}
	}
	if table, ok := guessTable(strings.TrimRight(name, " /=#@,;-_")); ok && digits != "" {
		return fmt.Errorf("has no colon, write %v:%s", table, digits)
	}
	return fmt.Errorf("is neither table:offset (holding:100) nor a reference (40101)")
}

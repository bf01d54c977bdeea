package modbus

import (
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, zero, one string }{
		{"holding:0", "holding:0", "40001"},
		{"holding:100", "holding:100", "40101"},
		{"holding:9998", "holding:9998", "49999"},
		{"holding:9999", "holding:9999", "410000"},
		{"holding:40000", "holding:40000", "440001"}, // where SunSpec begins
		{"holding:65535", "holding:65535", "465536"},
		{"holding:20.3", "holding:20.3", "40021.3"},
		{"holding:20.15", "holding:20.15", "40021.15"},
		{"input:5", "input:5", "30006"},
		{"input:5.0", "input:5.0", "30006.0"},
		{"coil:0", "coil:0", "00001"},
		{"coil:65535", "coil:65535", "065536"},
		{"discrete:7", "discrete:7", "10008"},
		{"00001", "coil:0", "00001"},
		{"00101", "coil:100", "00101"},
		{"000101", "coil:100", "00101"},
		{"10001", "discrete:0", "10001"},
		{"165536", "discrete:65535", "165536"},
		{"30001", "input:0", "30001"},
		{"300001", "input:0", "30001"},
		{"40001", "holding:0", "40001"},
		{"49999", "holding:9998", "49999"},
		{"400001", "holding:0", "40001"},
		{"410000", "holding:9999", "410000"},
		{"465536", "holding:65535", "465536"},
		{"40021.3", "holding:20.3", "40021.3"},
	} {
		a, err := ParseAddress(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if a.String() != c.zero || a.Reference() != c.one {
			t.Errorf("%s is %v and %s; want %s and %s", c.in, a, a.Reference(), c.zero, c.one)
		}
	}
}

func TestParseAddressBad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", `address "": is empty, write for example holding:100`},
		{" holding:1", `address " holding:1": has spaces around it, write "holding:1"`},
		{"40000", `address "40000": references count from 1: the first register is 40001 (holding:0)`},
		{"400000", `address "400000": references count from 1: the first register is 400001 (holding:0)`},
		{"00000", `address "00000": references count from 1: the first coil is 00001 (coil:0)`},
		{"10000", `address "10000": references count from 1: the first discrete input is 10001 (discrete:0)`},
		{"30000", `address "30000": references count from 1: the first register is 30001 (input:0)`},
		{"465537", `address "465537": is past the last register, 465536 (holding:65535)`},
		{"499999", `address "499999": is past the last register, 465536 (holding:65535)`},
		{"20001", `address "20001": no table has references that begin with 2: 0 coils, 1 discrete inputs, 3 input registers, 4 holding registers; for the zero-based offset write holding:20001, input:20001, coil:20001 or discrete:20001`},
		{"700001", `address "700001": no table has references that begin with 7: 0 coils, 1 discrete inputs, 3 input registers, 4 holding registers; write for example holding:100 or 40101`},
		{"100", `address "100": is neither table:offset nor a reference of five or six digits; for the zero-based offset write holding:100, input:100, coil:100 or discrete:100`},
		{"4001", `address "4001": is neither table:offset nor a reference of five or six digits; for the zero-based offset write holding:4001, input:4001, coil:4001 or discrete:4001`},
		{"4000001", `address "4000001": is neither table:offset nor a reference of five or six digits; write for example holding:100 or 40101`},
		{"holding:65536", `address "holding:65536": offset 65536 is above 65535`},
		{"holding:400101", `address "holding:400101": offset 400101 is above 65535; the one-based reference 400101 is written alone, or as holding:100`},
		{"holding:-1", `address "holding:-1": offset "-1" is not a decimal number from 0 to 65535`},
		{"holding:+1", `address "holding:+1": offset "+1" is not a decimal number from 0 to 65535`},
		{"holding:", `address "holding:": offset "" is not a decimal number from 0 to 65535`},
		{"holding:1_0", `address "holding:1_0": offset "1_0" is not a decimal number from 0 to 65535`},
		{"holding:0x64", `address "holding:0x64": offset "0x64" is not decimal, write holding:100`},
		{"holding:007", `address "holding:007": offset "007" has leading zeros, write holding:7`},
		{"Holding:5", `address "Holding:5": table "Holding" is unknown, write holding:5`},
		{"hr:5", `address "hr:5": table "hr" is unknown, write holding:5`},
		{"holding_registers:5", `address "holding_registers:5": table "holding_registers" is unknown, write holding:5`},
		{"coils:5", `address "coils:5": table "coils" is unknown, write coil:5`},
		{"discrete_input:5", `address "discrete_input:5": table "discrete_input" is unknown, write discrete:5`},
		{"input register:5", `address "input register:5": table "input register" is unknown, write input:5`},
		{"ns=2;s=a:5", `address "ns=2;s=a:5": table "ns=2;s=a" is unknown, allowed are coil, discrete, input, holding`},
		{"holding100", `address "holding100": has no colon, write holding:100`},
		{"holding/100", `address "holding/100": has no colon, write holding:100`},
		{"HR 100", `address "HR 100": has no colon, write holding:100`},
		{"4x0101", `address "4x0101": write 40101 (holding:100)`},
		{"4X00101", `address "4X00101": write 40101 (holding:100)`},
		{"%MW100", `address "%MW100": is neither table:offset (holding:100) nor a reference (40101)`},
		{"holding:20.16", `address "holding:20.16": bit "16" is unknown, a register has bits 0 to 15`},
		{"holding:20.", `address "holding:20.": bit "" is unknown, a register has bits 0 to 15`},
		{"holding:20.03", `address "holding:20.03": bit "03" is unknown, a register has bits 0 to 15`},
		{"holding:20.3.1", `address "holding:20.3.1": bit "3.1" is unknown, a register has bits 0 to 15`},
		{"coil:5.1", `address "coil:5.1": a coil is a single bit, write coil:5`},
		{"10008.2", `address "10008.2": a discrete input is a single bit, write discrete:7`},
	} {
		a, err := ParseAddress(c.in)
		if err == nil {
			t.Errorf("%q is taken as %v; want the error\n%s", c.in, a, c.want)
		} else if err.Error() != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, err, c.want)
		}
	}
}

// FuzzParseAddress holds that both printed forms of what is taken mean the same place.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"holding:100", "40101", "465536", "coil:0", "00001", "input:5.3", "holding:0x10", "4x0001", "é:1", "00000", "hr7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		for _, form := range []string{a.String(), a.Reference()} {
			if b, err := ParseAddress(form); err != nil || a != b {
				t.Errorf("%q is %v, its form %q is %v (%v)", s, a, form, b, err)
			}
		}
	})
}

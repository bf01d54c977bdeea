package modbus

import (
	"testing"

	"holdfast/gateway/tag"
)

func TestCheckItem(t *testing.T) {
	t.Parallel()
	const longest = "length 251 is above 250 bytes, the most that one request reads"
	for _, c := range []struct {
		addr   string
		typ    tag.Type
		order  tag.Order
		length int
		write  bool
		want   string // "": no error
	}{
		{addr: "holding:0", typ: tag.TypeUint16, write: true},
		{addr: "input:0", typ: tag.TypeFloat32, order: tag.CDAB},
		{addr: "holding:65532", typ: tag.TypeFloat64, order: tag.DCBA, write: true},
		{addr: "coil:0", typ: tag.TypeBool, write: true},
		{addr: "coil:0", typ: tag.TypeAny},
		{addr: "discrete:0", typ: tag.TypeBool},
		{addr: "holding:0.4", typ: tag.TypeBool},
		{addr: "holding:0.4", typ: tag.TypeAny},
		{addr: "holding:0", typ: tag.TypeString, length: 16, write: true},
		{addr: "holding:0", typ: tag.TypeString, length: 16, order: tag.BADC},
		{addr: "holding:0", typ: tag.TypeBytes, length: 250},
		{addr: "holding:0", typ: tag.TypeBytes, length: 246, write: true},

		{addr: "40000", typ: tag.TypeInt16, want: `address "40000": references count from 1: the first register is 40001 (holding:0)`},
		{addr: "holding:0.4", typ: tag.TypeUint16, want: "holding:0.4 is one bit and so a bool, not a uint16; the whole register is holding:0"},
		{addr: "coil:0", typ: tag.TypeUint16, want: "coil:0 is a bool, not a uint16"},
		{addr: "holding:5", typ: tag.TypeAny, want: "a type is needed: Modbus does not say what holding:5 holds"},
		{addr: "holding:5", typ: tag.TypeBool, want: "holding:5 is a register; for a bool say which bit, for example holding:5.0"},
		{addr: "input:5", typ: tag.TypeInt16, write: true, want: "input:5 cannot be written: the input table is read-only"},
		{addr: "discrete:5", typ: tag.TypeBool, write: true, want: "discrete:5 cannot be written: the discrete table is read-only"},
		{addr: "holding:5.1", typ: tag.TypeBool, write: true, want: "holding:5.1 cannot be written: writing one bit of a register is not available yet"},
		{addr: "holding:5", typ: tag.TypeInt16, order: tag.ABCD, want: "order has no meaning for an int16, which takes one register or less; leave it out"},
		{addr: "holding:5", typ: tag.TypeBCD16, order: tag.CDAB, want: "order has no meaning for a bcd16, which takes one register or less; leave it out"},
		{addr: "coil:5", typ: tag.TypeBool, order: tag.CDAB, want: "order has no meaning for a bool, which takes one register or less; leave it out"},
		{addr: "holding:5", typ: tag.TypeString, length: 2, order: tag.BADC, want: "order has no meaning for a string, which takes one register or less; leave it out"},
		{addr: "holding:5", typ: tag.TypeString, length: 8, order: tag.CDAB, want: "order CDAB has no meaning for a string, whose registers go upwards; allowed are ABCD, and BADC for swapped bytes"},
		{addr: "holding:5", typ: tag.TypeInt32, order: "ABDC", want: `order "ABDC" is unknown, allowed are ABCD, CDAB, BADC, DCBA`},
		{addr: "holding:5", typ: tag.TypeString, want: "string needs a length, in bytes from 1 to 250"},
		{addr: "holding:5", typ: tag.TypeBytes, length: -1, want: "bytes needs a length, in bytes from 1 to 250"},
		{addr: "holding:5", typ: tag.TypeBytes, length: 251, want: longest},
		{addr: "holding:5", typ: tag.TypeInt32, length: 4, want: "length is for string and bytes, not for int32"},
		{addr: "holding:5", typ: tag.TypeString, length: 247, write: true, want: "holding:5 cannot be written: a string of 247 bytes takes 124 registers, one write at most 123"},
		{addr: "holding:65535", typ: tag.TypeInt32, want: "an int32 at holding:65535 takes 2 registers and ends past holding:65535"},
		{addr: "input:65530", typ: tag.TypeString, length: 13, want: "a string at input:65530 takes 7 registers and ends past input:65535"},
	} {
		got := ""
		if err := CheckItem(c.addr, c.typ, c.order, c.length, c.write); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %v %s length %d write %t:\n got %q\nwant %q", c.addr, c.typ, c.order, c.length, c.write, got, c.want)
		}
	}
}

func TestNewNamesEachFault(t *testing.T) {
	t.Parallel()
	items := []tag.Item{
		{Handle: 0, Path: "a", Address: "40000", Type: tag.TypeInt16},
		{Handle: 1, Path: "b", Address: "holding:1", Type: tag.TypeInt16},
		{Handle: 2, Path: "c", Address: "holding:1", Type: tag.TypeFloat64},
	}
	_, err := New(Config{URL: "tcp://127.0.0.1:502", MaxRegisters: 3}, items)
	want := "cannot use tag a: address \"40000\": references count from 1: the first register is 40001 (holding:0)\n" +
		"cannot use tag c: a float64 takes 4 registers, the device's limit is 3"
	if err == nil || err.Error() != want {
		t.Errorf("New: %v\nwant %s", err, want)
	}
}

func TestNewConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, `url "" has no scheme, write for example tcp://192.0.2.10:502`},
		{Config{URL: "rtu:///dev/ttyS0"}, "cannot use Modbus device rtu:///dev/ttyS0: unit 0 is the broadcast address, which nobody answers"},
		{Config{URL: "tcp+tls://h:802"}, "cannot use Modbus device tcp+tls://h:802: TLS needs a client certificate and trusted roots"},
		{Config{URL: "tcp://h:1", MaxRegisters: 126}, "cannot use Modbus device tcp://h:1: limit of 126 registers is not from 1 to 125"},
		{Config{URL: "tcp://h:1", MaxCoils: 2001}, "cannot use Modbus device tcp://h:1: limit of 2001 coils is not from 1 to 2000"},
		{Config{URL: "tcp://h:1", MaxGap: -1}, "cannot use Modbus device tcp://h:1: gap of -1 is negative"},
		{Config{URL: "tcp://h:1", Timeout: -1}, "cannot use Modbus device tcp://h:1: a timeout of -1ns or a delay of 0s is negative"},
	} {
		if _, err := New(c.cfg, nil); err == nil || err.Error() != c.want {
			t.Errorf("New(%+v):\n got %v\nwant %s", c.cfg, err, c.want)
		}
	}
	if _, err := New(Config{URL: "tcp://h:1"}, []tag.Item{{Handle: 1, Path: "a", Address: "coil:0"}}); err == nil {
		t.Error("New took an item whose handle is not its place")
	}
}

package sim

import (
	"testing"

	"holdfast/gateway/tag"
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	const all = "allowed are delay, echo, init, period, ramp, sine, toggle"
	for _, c := range []struct {
		address string
		typ     tag.Type
		write   bool
		want    string // of the error; "" for none
	}{
		{"lamp", tag.TypeBool, true, ""},
		{"lamp?init=true", tag.TypeBool, true, ""},
		{"level?ramp=0..100&period=10s", tag.TypeFloat32, false, ""},
		{"level?ramp=100..-100", tag.TypeInt8, false, ""},
		{"temp?sine=20..80&period=1m", tag.TypeAny, false, ""},
		{"beacon?toggle=2s&init=true", tag.TypeBool, false, ""},
		{"fb?echo=cmd&delay=500ms", tag.TypeBool, false, ""},
		{"text?init=", tag.TypeString, true, ""},
		{"text?init=a%20%26%20b", tag.TypeString, true, ""},
		{"raw?init=AQI=", tag.TypeBytes, true, ""},

		{"", tag.TypeBool, false, `address "" does not begin with a name: want NAME or NAME?PARAMETER=VALUE&…, without & = or spaces in the name`},
		{"a b", tag.TypeBool, false, `address "a b" does not begin with a name: want NAME or NAME?PARAMETER=VALUE&…, without & = or spaces in the name`},
		{"x?rmap=0..1", tag.TypeInt16, false, `address "x?rmap=0..1": parameter "rmap" is unknown (did you mean "ramp"?), ` + all},
		{"x?colour=red", tag.TypeInt16, false, `address "x?colour=red": parameter "colour" is unknown, ` + all},
		{"x?", tag.TypeInt16, false, `address "x?": parameter "" is unknown, ` + all},
		{"x?ramp", tag.TypeInt16, false, `address "x?ramp": parameter ramp has no value`},
		{"x?ramp=", tag.TypeInt16, false, `address "x?ramp=": parameter ramp has no value`},
		{"x?init=1&init=2", tag.TypeInt16, false, `address "x?init=1&init=2": parameter init is given twice`},
		{"x?init=%zz", tag.TypeString, false, `address "x?init=%zz": parameter init: invalid URL escape "%zz"`},
		{"x?ramp=0..1&sine=0..1", tag.TypeInt16, false, `address "x?ramp=0..1&sine=0..1": ramp and sine exclude each other`},
		{"x?ramp=1", tag.TypeInt16, false, `address "x?ramp=1": parameter ramp: "1" is not a range, such as 0..100`},
		{"x?ramp=0..NaN", tag.TypeFloat32, false, `address "x?ramp=0..NaN": parameter ramp: "0..NaN" is not a range, such as 0..100`},
		{"x?ramp=0..300", tag.TypeUint8, false, `address "x?ramp=0..300": parameter ramp: 300 is outside the range of uint8, 0 to 255`},
		{"x?sine=0..0.5", tag.TypeUint8, false, `address "x?sine=0..0.5": parameter sine: 0.5 is not a whole number, as uint8 needs`},
		{"x?ramp=0..1", tag.TypeBool, false, `address "x?ramp=0..1": parameter ramp: a bool is not a number`},
		{"x?ramp=0..1&period=0s", tag.TypeInt16, false, `address "x?ramp=0..1&period=0s": parameter period: "0s" is not a duration above 0, such as 500ms or 10s`},
		{"x?ramp=0..1&init=1", tag.TypeInt16, false, `address "x?ramp=0..1&init=1": parameter init does not go with ramp`},
		{"x?toggle=2s", tag.TypeInt16, false, `address "x?toggle=2s": parameter toggle: a int16 cannot toggle, only a bool`},
		{"x?toggle=2", tag.TypeBool, false, `address "x?toggle=2": parameter toggle: "2" is not a duration above 0, such as 500ms or 10s`},
		{"x?toggle=2s&init=3", tag.TypeAny, false, `address "x?toggle=2s&init=3": parameter init: 3 is not a bool`},
		{"x?echo=y&period=1s", tag.TypeBool, false, `address "x?echo=y&period=1s": parameter period does not go with echo`},
		{"x?echo=y&delay=soon", tag.TypeBool, false, `address "x?echo=y&delay=soon": parameter delay: "soon" is not a duration above 0, such as 500ms or 10s`},
		{"x?delay=1s", tag.TypeBool, false, `address "x?delay=1s": parameter delay says nothing without echo`},
		{"x?period=1s", tag.TypeBool, false, `address "x?period=1s": parameter period says nothing without ramp or sine`},
		{"x?init=on", tag.TypeBool, false, `address "x?init=on": parameter init: "on" is not a bool`},
		{"x?init=70000", tag.TypeInt16, false, `address "x?init=70000": parameter init: 70000 is outside the range of int16, -32768 to 32767`},
		{"x?init=***", tag.TypeBytes, false, `address "x?init=***": parameter init: "***" is not base64`},
		{"x?ramp=0..1", tag.TypeInt16, true, `address "x?ramp=0..1" cannot be written: the plant moves it by itself`},
	} {
		got := ""
		if err := CheckAddress(c.address, c.typ, c.write); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("CheckAddress(%q, %v, %t):\n got %s\nwant %s", c.address, c.typ, c.write, got, c.want)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	f.Add("level?ramp=0..100&period=10s", uint8(tag.TypeFloat32))
	f.Add("fb?echo=cmd&delay=500ms", uint8(tag.TypeBool))
	f.Add("x?init=%20", uint8(tag.TypeString))
	f.Fuzz(func(t *testing.T, s string, typ uint8) {
		it := tag.Item{Path: "x", Address: s, Type: tag.Type(typ % 16)}
		if CheckAddress(s, it.Type, false) != nil {
			return
		}
		d, err := New([]tag.Item{it})
		if a, _ := parse(s, it.Type); err != nil {
			if a.does != echoes { // an echo needs its other end
				t.Fatalf("%q passes the check, and no plant takes it: %v", s, err)
			}
			return
		}
		if err := d.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		samples, err := d.Read(t.Context(), []tag.Item{it})
		if err != nil || !samples[0].Status.IsGood() {
			t.Fatalf("%q reads %v, %v", s, samples, err)
		}
	})
}

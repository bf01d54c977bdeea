package tag

import (
	"math"
	"testing"
)

func TestScale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s   Scale
		typ Type
		eng Value
		raw string // or "error: …"
		eq  string // what reads back
	}{
		{Scale{0.1, 0}, TypeInt16, Float(50.3), "503", "50.3"},
		{Scale{0.1, -40}, TypeInt16, Float(10.3), "503", "10.3"},
		{Scale{-0.01, 0}, TypeInt16, Float(1.29), "-129", "1.29"},
		{Scale{100.0 / 27648, 0}, TypeInt16, Int(100), "27648", "100"},
		{Scale{100.0 / 27648, 0}, TypeInt16, Int(50), "13824", "50"},
		{Scale{0.1, 0}, TypeUint16, Float(50.34), "503", "50.3"},
		{Scale{2, 1}, TypeInt32, Int(5), "2", "5"},
		{Scale{0.1, 0}, TypeAny, Float(50.3), "503", "50.3"},
		{Scale{0.5, 0}, TypeFloat32, Float(0.1), "0.20000000298023224", "0.10000000149011612"},
		{Scale{0.1, 0}, TypeUint16, Float(-1), "error: -1 scaled to the device's number: -10 is outside the range of uint16, 0 to 65535", ""},
		{Scale{0.1, 0}, TypeUint16, Bool(true), "error: true is not a number, as scaling needs", ""},
		{Scale{0.1, 0}, TypeUint16, Float(math.NaN()), `error: "NaN" is not a number that can be written`, ""},
		{Scale{1, 1e17}, TypeInt64, Float(5), "error: 5 does not come back from the device's number -100000000000000000: it reads as 0", ""},
	} {
		i := Info{Type: c.typ, Scale: &c.s}
		raw, err := i.Raw(c.eng)
		got := raw.String()
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.raw {
			t.Errorf("%v in %v of %v: %s, want %s", c.eng, c.typ, c.s, got, c.raw)
		}
		shown, err := i.Shown(c.eng)
		if err == nil && c.eq != "" && shown.String() != c.eq {
			t.Errorf("%v in %v of %v reads back as %v, want %s", c.eng, c.typ, c.s, shown, c.eq)
		}
	}
	if _, ok := (Scale{1, 0}).Eng(String("1")); ok {
		t.Error("text was scaled")
	}
}

// Without a scale what is shown is what the type keeps.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  Type
		v    Value
		want string
	}{
		{TypeFloat32, Float(0.1), "0.10000000149011612"},
		{TypeFloat64, Float(0.1), "0.1"},
		{TypeInt16, Float(3), "3"},
		{TypeString, String("x"), `"x"`},
	} {
		got, err := Info{Type: c.typ}.Shown(c.v)
		if err != nil || got.String() != c.want {
			t.Errorf("%v in %v is shown as %v, %v; want %s", c.v, c.typ, got, err, c.want)
		}
	}
	if _, err := (Info{Type: TypeInt16}).Shown(Float(0.5)); err == nil {
		t.Error("an int16 shows 0.5")
	}
}

// Every number of a register survives the way out and back.
func TestScaleRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range []Scale{{0.1, 0}, {0.1, -40}, {0.01, 273.15}, {100.0 / 27648, 0}, {-3, 7}, {1.0 / 3, 1.0 / 7}, {1e-6, 0}, {12345.678, -1}} {
		for raw := int64(math.MinInt16); raw <= math.MaxInt16; raw++ {
			eng, ok := s.Eng(Int(raw))
			back, err := s.Raw(eng, TypeInt16)
			if n, _ := back.AsInt(); !ok || err != nil || n != raw {
				t.Fatalf("%d through %v is %v and comes back as %v, %v", raw, s, eng, back, err)
			}
		}
	}
}

func FuzzScale(f *testing.F) {
	f.Add(0.1, -40.0, 10.3, uint8(TypeInt16))
	f.Add(100.0/27648, 0.0, 50.0, uint8(TypeAny))
	f.Fuzz(func(t *testing.T, factor, offset, eng float64, typ uint8) {
		s := Scale{factor, offset}
		if factor == 0 || math.IsNaN(factor+offset) || math.IsInf(factor+offset, 0) {
			return
		}
		i := Info{Type: Type(typ % 16), Scale: &s}
		shown, err := i.Shown(Float(eng))
		if err != nil || !i.Type.IsInteger() {
			return
		}
		got, _ := shown.AsFloat()
		if !(math.Abs(got-eng) <= math.Abs(factor)/2*(1+2*near)) {
			t.Errorf("%v through %v as %v is shown as %v", eng, s, i.Type, got)
		}
	})
}

package value

import (
	"bytes"
	"math"
	"math/big"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	deep := any("end")
	for range MaxDepth {
		deep = []any{deep}
	}
	for _, v := range []any{
		nil, true, false, int64(0), int64(23), int64(24), int64(-1), int64(math.MaxInt64), int64(math.MinInt64),
		new(big.Int).SetUint64(math.MaxUint64), new(big.Int).Neg(huge), huge, 1.5, math.Inf(-1), "ä<", []byte{0, 255},
		[]any{int64(1), "a", nil}, Tuple{int64(1)}, Set{"x"},
		NewMap("b", int64(1), "a", []any{}), &Map{Pairs: []Pair{{int64(3), "three"}}}, &Struct{*NewMap("ok", true)}, deep,
	} {
		r, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(r)
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		if !reflect.DeepEqual(back, v) {
			t.Errorf("%#v came back as %#v", v, back)
		}
	}
	if _, err := Encode([]any{deep}); err == nil {
		t.Error("too deep a value was taken")
	}
	if _, err := Encode(struct{}{}); err == nil {
		t.Error("an unknown type was taken")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`{"b":1,"a":[1.0,2.5,null,true],"c":"<"}`, `123456789012345678901234567890`, `-7`, `1e+300`} {
		v, err := FromJSON([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendJSON(nil, v)
		if err != nil || string(got) != s {
			t.Errorf("%s came back as %s, %v", s, got, err)
		}
	}
	got, err := AppendJSON(nil, NewMap("nan", math.NaN(), "t", Tuple{int64(1)}, "b", []byte{1}))
	if want := `{"nan":"NaN","t":[1],"b":"AQ=="}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	for _, s := range []string{`{"a":1,"a":2}`, `1 2`, `{`, ``, `[1,]`} {
		if _, err := FromJSON([]byte(s)); err == nil {
			t.Errorf("%s was taken", s)
		}
	}
}

// Skip and Decode agree on what is a value, also where a length is absurd.
func TestSkipAgreesWithDecode(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{
		{}, {0xf6}, {0x00, 0x00}, {0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0xa1, 0x01}, {0xa1, 0x01, 0x02}, {0x82, 0x01}, {0x7f}, {0xff}, {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xfb, 1, 2},
	} {
		_, after, err1 := Next(b)
		rest, err2 := Skip(b)
		if (err1 == nil) != (err2 == nil) || !bytes.Equal(after, rest) {
			t.Errorf("%x: Next leaves %x (%v), Skip %x (%v)", b, after, err1, rest, err2)
		}
	}
	if js, err := AppendJSON(nil, (*Map)(nil)); err != nil || string(js) != "{}" {
		t.Errorf("got %s, %v", js, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{nil, "text", []any{int64(1), 2.5}, NewMap("k", Tuple{true}), &Struct{*NewMap("a", []byte("b"))}} {
		r, err := Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil || len(b) == 0 {
			return
		}
		again, err := Encode(v)
		if err != nil {
			return // deeper than may be encoded
		}
		w, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := Encode(w)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("%x encodes as %x, then as %x (%v)", b, again, twice, err)
		}
	})
}

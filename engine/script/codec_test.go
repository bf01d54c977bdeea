package script

import (
	"bytes"
	"math"
	"math/big"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"holdfast/engine/value"
)

func dict(kv ...starlark.Value) *starlark.Dict {
	d := starlark.NewDict(len(kv) / 2)
	for i := 0; i+1 < len(kv); i += 2 {
		if err := d.SetKey(kv[i], kv[i+1]); err != nil {
			panic(err)
		}
	}
	return d
}

func setOf(vs ...starlark.Value) *starlark.Set {
	s := starlark.NewSet(len(vs))
	for _, v := range vs {
		if err := s.Insert(v); err != nil {
			panic(err)
		}
	}
	return s
}

// same are values as a script and as Go has them.
func same() []struct {
	script starlark.Value
	plain  any
} {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	s := func(v string) starlark.Value { return starlark.String(v) }
	n := func(v int64) starlark.Value { return starlark.MakeInt64(v) }
	return []struct {
		script starlark.Value
		plain  any
	}{
		{starlark.None, nil}, {starlark.True, true}, {starlark.False, false},
		{n(0), int64(0)}, {n(-1), int64(-1)}, {n(23), int64(23)}, {n(24), int64(24)}, {n(256), int64(256)}, {n(65536), int64(65536)},
		{n(math.MaxInt64), int64(math.MaxInt64)}, {n(math.MinInt64), int64(math.MinInt64)},
		{starlark.MakeUint64(math.MaxUint64), new(big.Int).SetUint64(math.MaxUint64)},
		{starlark.MakeBigInt(huge), huge}, {starlark.MakeBigInt(new(big.Int).Neg(huge)), new(big.Int).Neg(huge)},
		{starlark.Float(1.5), 1.5}, {starlark.Float(math.Inf(-1)), math.Inf(-1)}, {starlark.Float(math.NaN()), math.NaN()},
		{starlark.Float(math.Copysign(0, -1)), math.Copysign(0, -1)},
		{s(""), ""}, {s("ä<\x00"), "ä<\x00"}, {s(strings.Repeat("x", 70000)), strings.Repeat("x", 70000)}, {starlark.Bytes("\x00\xff"), []byte{0, 255}},
		{starlark.NewList(nil), []any{}}, {starlark.NewList([]starlark.Value{n(1), s("a")}), []any{int64(1), "a"}},
		{starlark.Tuple{}, value.Tuple{}}, {starlark.Tuple{n(1), starlark.Tuple{n(2)}}, value.Tuple{int64(1), value.Tuple{int64(2)}}},
		{setOf(s("b"), s("a")), value.Set{"b", "a"}},
		{dict(s("b"), n(1), s("a"), starlark.NewList(nil)), value.NewMap("b", int64(1), "a", []any{})},
		{dict(n(3), s("three"), starlark.Tuple{n(1)}, n(2)), &value.Map{Pairs: []value.Pair{{Key: int64(3), Value: "three"}, {Key: value.Tuple{int64(1)}, Value: int64(2)}}}},
		{
			starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{"z": n(1), "a": starlark.None}),
			&value.Struct{Map: *value.NewMap("a", nil, "z", int64(1))},
		},
	}
}

// TestCodec compares the encoding of a script's values with that of the same
// values in Go, and decodes it.
func TestCodec(t *testing.T) {
	t.Parallel()
	for _, c := range same() {
		raw, err := encode(c.script)
		if err != nil {
			t.Fatal(err)
		}
		want, err := value.Encode(c.plain)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, want) {
			t.Errorf("%.60v encodes as %.60x, in Go as %.60x", c.script, raw, want)
		}
		back, err := decode(raw, DefaultMaxMemory)
		if err != nil {
			t.Fatalf("%.60v: %v", c.script, err)
		}
		if back.Type() != c.script.Type() || back.String() != c.script.String() {
			t.Errorf("%.60v came back as %.60v", c.script, back)
		}
		again, err := encode(back)
		if err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%.60v, decoded, encodes as %.60x, %v", c.script, again, err)
		}
	}
	if v, err := decode(nil, DefaultMaxMemory); err != nil || v != starlark.None {
		t.Errorf("nothing decodes as %v, %v", v, err)
	}
}

// TestCodecIsFresh sees that each decoding gives values of its own.
func TestCodecIsFresh(t *testing.T) {
	t.Parallel()
	raw, err := encode(starlark.NewList([]starlark.Value{starlark.NewList(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := decode(raw, DefaultMaxMemory)
	b, errB := decode(raw, DefaultMaxMemory)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if err := a.(*starlark.List).Index(0).(*starlark.List).Append(starlark.None); err != nil {
		t.Fatal(err)
	}
	if a.String() != "[[None]]" || b.String() != "[[]]" {
		t.Errorf("a is %v, b is %v", a, b)
	}
}

func TestCodecRefuses(t *testing.T) {
	t.Parallel()
	cyclic := starlark.NewList(nil)
	if err := cyclic.Append(cyclic); err != nil {
		t.Fatal(err)
	}
	fn := starlark.Universe["len"]
	for want, v := range map[string]starlark.Value{
		"a value of type builtin_function_or_method cannot be kept in the record":                    fn,
		`["a"][1].x: a value of type builtin_function_or_method cannot be kept in the record`:        dict(starlark.String("a"), starlark.NewList([]starlark.Value{starlark.None, starlarkstruct.FromStringDict(starlarkstruct.Default, starlark.StringDict{"x": fn})})),
		"a value that is nested more than 64 deep, or contains itself, cannot be kept in the record": cyclic,
		"[0]: a value of type workflows cannot be kept in the record":                                starlark.Tuple{newHandle()},
		"a value of type builtin_function_or_method cannot be kept in the record ":                   setOf(fn),
	} {
		if _, err := encode(v); err == nil || err.Error() != strings.TrimSuffix(want, " ") {
			t.Errorf("%v, not %s", err, want)
		}
	}
	for _, b := range [][]byte{{0x61}, {0x82, 0x01}, {0xa1, 0x01}, {0xa1, 0x80, 0x01}, {0xff}, {0x01, 0x01}, {0xd9, 0x98, 0x58, 0x01}, {0xc2, 0x01}, {0xfb}} {
		if v, err := decode(b, DefaultMaxMemory); err == nil {
			t.Errorf("%x decodes as %v", b, v)
		}
	}
}

// FuzzDecode feeds the decoder anything. What it takes must encode as a form
// that decodes to the same, here and in Go.
func FuzzDecode(f *testing.F) {
	for _, c := range same() {
		if raw, err := encode(c.script); err == nil && len(raw) < 1000 {
			f.Add([]byte(raw))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b, DefaultMaxMemory)
		if err != nil {
			return
		}
		raw, err := encode(v)
		if err != nil {
			return // deeper than may be encoded
		}
		w, err := decode(raw, DefaultMaxMemory)
		if err != nil {
			t.Fatalf("%x, decoded, encodes as %x, which does not decode: %v", b, raw, err)
		}
		if again, err := encode(w); err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%x encodes as %x, then as %x, %v", b, raw, again, err)
		}
		plain, err := value.Decode(raw)
		if err != nil {
			t.Fatalf("package value does not decode %x: %v", raw, err)
		}
		if inGo, err := value.Encode(plain); err != nil || !bytes.Equal(raw, inGo) {
			t.Fatalf("%x encodes in Go as %x, %v", raw, inGo, err)
		}
	})
}

package opcua

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

func TestFromVariant(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 30, 0, 123456700, time.UTC)
	guid := "09087E75-8E5E-499B-954F-F2A9603DB28A"
	for _, c := range []struct {
		in   any
		want string // as JSON, or the name of the bad status
	}{
		{true, "true"}, {int8(-1), "-1"}, {uint8(255), "255"}, {int16(-2), "-2"}, {uint16(65535), "65535"},
		{int32(-3), "-3"}, {uint32(4294967295), "4294967295"}, {int64(math.MinInt64), "-9223372036854775808"},
		{uint64(math.MaxUint64), "18446744073709551615"}, {float32(0.5), "0.5"}, {1.25, "1.25"}, {math.NaN(), `"NaN"`},
		{"Rezept ü", `"Rezept ü"`}, {"", `""`}, {[]byte{1, 2}, `"AQI="`}, {[]byte(nil), `""`},
		{at, `"2026-01-31T12:30:00.1234567Z"`}, {time.Time{}, `"1601-01-01T00:00:00Z"`},
		{time.Date(1816, 3, 30, 0, 0, 0, 0, time.UTC), "BadDecodingError"}, // what the year 9999 wraps to
		{ua.NewGUID(guid), `"` + guid + `"`}, {ua.XMLElement("<a/>"), `"<a/>"`},
		{ua.NewStringNodeID(2, "x"), `"ns=2;s=x"`}, {ua.NewNumericNodeID(0, 85), `"i=85"`},
		{ua.NewExpandedNodeID(ua.NewStringNodeID(2, "x"), "urn:a;b", 1), `"svr=1;nsu=urn:a%3Bb;s=x"`},
		{ua.StatusBadTimeout, "2148139008"}, {&ua.QualifiedName{NamespaceIndex: 2, Name: "n"}, `"2:n"`},
		{&ua.QualifiedName{Name: "n"}, `"n"`}, {ua.NewLocalizedTextWithLocale("Halt", "de"), `"Halt"`},
		{ua.NewExtensionObject(&ua.Range{Low: 1, High: 2}), "BadNotSupported"},
		{[]int16{1, -2}, "[1,-2]"}, {[]string{}, "[]"}, {ua.ByteArray{1, 2}, "[1,2]"}, {[][]int32{{1, 2}, {3, 4}}, "[[1,2],[3,4]]"},
		{[]*ua.Variant{ua.MustVariant(int16(1)), ua.MustVariant("x"), {}}, `[1,"x",null]`},
		{[]*ua.ExtensionObject{ua.NewExtensionObject(&ua.Range{})}, "BadNotSupported"},
		{[]time.Time{at, {}}, `["2026-01-31T12:30:00.1234567Z","1601-01-01T00:00:00Z"]`},
	} {
		v, err := ua.NewVariant(c.in)
		if err != nil {
			t.Fatalf("%v: %v", c.in, err)
		}
		got, code := fromVariant(v)
		s := got.String()
		if code != tag.Good {
			s = code.String()
		}
		if s != c.want {
			t.Errorf("%T %v is %s, want %s", c.in, c.in, s, c.want)
		}
	}
	for _, null := range []*ua.Variant{nil, {}} {
		if v, code := fromVariant(null); code != tag.BadNoData || !v.IsNone() {
			t.Errorf("a null is %v, %v", v, code)
		}
	}
	deep := ua.MustVariant(int16(1))
	for range 100 {
		deep = ua.MustVariant([]*ua.Variant{deep})
	}
	if _, code := fromVariant(deep); code != tag.BadNotSupported {
		t.Errorf("a variant of 100 levels is %v", code)
	}
}

func TestToSample(t *testing.T) {
	t.Parallel()
	now, at := time.Now(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	value := func(x any, code ua.StatusCode) *ua.DataValue {
		return &ua.DataValue{EncodingMask: ua.DataValueValue | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp,
			Value: ua.MustVariant(x), Status: code, SourceTimestamp: at, ServerTimestamp: at.Add(time.Second)}
	}
	for _, c := range []struct {
		in   *ua.DataValue
		typ  tag.Type
		want string
		code tag.StatusCode
	}{
		{value(int32(5), 0), tag.TypeAny, "5", tag.Good},
		{value(int32(5), 0), tag.TypeFloat32, "5", tag.Good},
		{value(5.0, 0), tag.TypeInt16, "5", tag.Good},
		{value(5.5, 0), tag.TypeInt16, "null", tag.BadTypeMismatch},
		{value(int32(70000), 0), tag.TypeUint16, "null", tag.BadTypeMismatch},
		{value("5", 0), tag.TypeInt16, "null", tag.BadTypeMismatch},
		{value([]int32{5}, 0), tag.TypeInt32, "null", tag.BadTypeMismatch},
		{value(math.NaN(), 0), tag.TypeFloat64, `"NaN"`, tag.Good},
		{value(ua.ByteArray{1, 2}, 0), tag.TypeBytes, `"AQI="`, tag.Good},
		{value(int32(5), ua.StatusUncertainLastUsableValue), tag.TypeAny, "5", tag.UncertainLastUsableValue},
		{value(int32(5), 0x00000480), tag.TypeAny, "5", 0x00000480},
		{value(int32(5), ua.StatusBadSensorFailure), tag.TypeAny, "null", tag.BadSensorFailure},
		{&ua.DataValue{Value: &ua.Variant{}}, tag.TypeAny, "null", tag.BadNoData},
		{nil, tag.TypeAny, "null", tag.BadDecodingError},
	} {
		s := toSample(c.in, c.typ, now)
		if s.Value.String() != c.want || s.Status != c.code || s.Received != now {
			t.Errorf("%v as %s is %v, %v; want %s, %v", c.in, c.typ, s.Value, s.Status, c.want, c.code)
		}
		if c.in != nil && c.in.EncodingMask != 0 && (!s.Source.Equal(at) || !s.Server.Equal(at.Add(time.Second))) {
			t.Errorf("%v has the times %v and %v", c.in, s.Source, s.Server)
		}
	}
}

func TestToVariant(t *testing.T) {
	t.Parallel()
	list := func(vs ...tag.Value) tag.Value { return tag.List(vs) }
	for _, c := range []struct {
		in   tag.Value
		base ua.TypeID
		rank int32
		want any // the Go value, or the error as a string that begins with "error: "
	}{
		{tag.Bool(true), ua.TypeIDBoolean, -1, true},
		{tag.Int(1), ua.TypeIDBoolean, -1, "error: 1 is not a bool"},
		{tag.Int(-128), ua.TypeIDSByte, -1, int8(-128)},
		{tag.Int(128), ua.TypeIDSByte, -1, "error: 128 is outside the range of int8, -128 to 127"},
		{tag.Float(2), ua.TypeIDInt16, -1, int16(2)},
		{tag.Float(2.5), ua.TypeIDInt16, -1, "error: 2.5 is not a whole number, as int16 needs"},
		{tag.Uint(math.MaxUint64), ua.TypeIDUint64, -1, uint64(math.MaxUint64)},
		{tag.Float(0.1), ua.TypeIDFloat, -1, float32(0.1)},
		{tag.Int(16777216), ua.TypeIDFloat, -1, float32(16777216)},
		{tag.Int(16777217), ua.TypeIDFloat, -1, "error: 16777217 cannot be held by a float32 without loss"},
		{tag.Int(1<<53 + 1), ua.TypeIDDouble, -1, "error: 9007199254740993 cannot be held by a float64 without loss"},
		{tag.Float(1e39), ua.TypeIDFloat, -1, "error: 1e+39 is outside the range of float32"},
		{tag.Float(math.NaN()), ua.TypeIDDouble, -1, `error: "NaN" is not a number that can be written`},
		{tag.Float(math.Inf(1)), ua.TypeIDDouble, -1, `error: "+Inf" is not a number that can be written`},
		{tag.None(), ua.TypeIDDouble, -1, "error: there is no value to write"},
		{tag.String("x"), ua.TypeIDString, -1, "x"},
		{tag.Int(1), ua.TypeIDString, -1, "error: 1 is not a text, as the server's type String needs"},
		{tag.Bytes([]byte{1}), ua.TypeIDByteString, -1, []byte{1}},
		{tag.String("x"), ua.TypeIDByteString, -1, `error: "x" is not bytes`},
		{tag.String("2026-01-31T12:00:00+01:00"), ua.TypeIDDateTime, -1, time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)},
		{tag.String("9999-01-01T00:00:00Z"), ua.TypeIDDateTime, -1, "error: 9999-01-01T00:00:00Z is not between the years 1900 and 2261"},
		{tag.String("yesterday"), ua.TypeIDDateTime, -1, `error: "yesterday" is not a time of RFC 3339, such as 2026-01-31T12:00:00Z`},
		{tag.String("2026-01-31T12:00:00.00000001Z"), ua.TypeIDDateTime, -1, "error: 2026-01-31T12:00:00.00000001Z is finer than 100 ns, the unit of a DateTime"},
		{tag.String("Halt"), ua.TypeIDLocalizedText, -1, ua.NewLocalizedText("Halt")},
		{tag.String("2:n"), ua.TypeIDQualifiedName, -1, &ua.QualifiedName{NamespaceIndex: 2, Name: "n"}},
		{tag.String("a:n"), ua.TypeIDQualifiedName, -1, &ua.QualifiedName{Name: "a:n"}},
		{tag.String("ns=2;s=x"), ua.TypeIDNodeID, -1, ua.NewStringNodeID(2, "x")},
		{tag.String("nsu=urn:x;s=x"), ua.TypeIDNodeID, -1, `error: "nsu=urn:x;s=x" has a namespace URI, which a NodeId value cannot`},
		{tag.String("BadTimeout"), ua.TypeIDStatusCode, -1, ua.StatusBadTimeout},
		{tag.Int(0), ua.TypeIDStatusCode, -1, ua.StatusOK},
		{tag.String("Worse"), ua.TypeIDStatusCode, -1, `error: "Worse" is not the name of a StatusCode`},
		{tag.Int(1), ua.TypeIDExtensionObject, -1, "error: values of the server's type Structure cannot be written"},
		{list(tag.Int(1), tag.Int(2)), ua.TypeIDInt16, 1, []int16{1, 2}},
		{list(tag.Int(1), tag.Int(2)), ua.TypeIDByte, 1, ua.ByteArray{1, 2}},
		{list(), ua.TypeIDInt16, 1, []int16{}},
		{list(tag.Int(1)), ua.TypeIDInt16, -1, "error: [1] is not one value, as the server wants"},
		{tag.Int(1), ua.TypeIDInt16, 1, "error: 1 is not a list of values, as the server wants"},
		{tag.Int(1), ua.TypeIDInt16, 0, "error: 1 is not a list, as the server wants"},
		{tag.Int(1), ua.TypeIDInt16, -3, int16(1)},
		{list(tag.Int(1)), ua.TypeIDInt16, -3, []int16{1}},
		{list(list(tag.Int(1))), ua.TypeIDInt16, -3, "error: [[1]] is not one value or a list, as the server wants"},
		{list(tag.Int(1)), ua.TypeIDInt16, -2, []int16{1}},
		{list(tag.Int(1)), ua.TypeIDInt16, 2, "error: [1] is not a list of 2 dimensions, as the server wants"},
		{list(list(tag.Int(1), tag.Int(2)), list(tag.Int(3), tag.Int(4))), ua.TypeIDInt16, 2, [][]int16{{1, 2}, {3, 4}}},
		{list(list(tag.Int(1), tag.Int(2)), list(tag.Int(3))), ua.TypeIDInt16, 2, "error: element 1 has another length than the one before"},
		{list(list(tag.Int(1)), tag.Int(3)), ua.TypeIDInt16, 2, "error: element 1: 3 stands among lists"},
		{list(tag.Int(1), tag.Int(40000)), ua.TypeIDInt16, 1, "error: element 1: 40000 is outside the range of int16, -32768 to 32767"},
		{list(tag.String("a"), tag.String("")), ua.TypeIDString, 1, []string{"a", ""}},
		{list(tag.Bytes([]byte{1})), ua.TypeIDByteString, 1, "error: a list of ByteStrings cannot be written"},
	} {
		v, err := toVariant(c.in, nodeType{base: c.base, rank: c.rank})
		if want, ok := c.want.(string); ok && strings.HasPrefix(want, "error: ") {
			if err == nil || "error: "+err.Error() != want {
				t.Errorf("%v as %s: %v; want %s", c.in, typeName(c.base), err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v as %s: %v", c.in, typeName(c.base), err)
			continue
		}
		if v.Type() != c.base || !reflect.DeepEqual(v.Value(), c.want) {
			t.Errorf("%v as %s is %T %v, want %T %v", c.in, typeName(c.base), v.Value(), v.Value(), c.want, c.want)
		}
	}
}

// FuzzVariant writes a number as a server's type, sends it through the wire's
// encoding and reads it back: it is the same number, or it was refused.
func FuzzVariant(f *testing.F) {
	f.Add(int64(5), 1.5, "x", uint8(ua.TypeIDInt16), false)
	f.Add(int64(math.MaxInt64), 1e300, "2026-01-31T12:00:00Z", uint8(ua.TypeIDDateTime), true)
	f.Fuzz(func(t *testing.T, n int64, x float64, s string, base uint8, list bool) {
		typ := nodeType{base: ua.TypeID(base % 26), rank: rankAny}
		for _, v := range []tag.Value{tag.Int(n), tag.Uint(uint64(n)), tag.Float(x), tag.String(s), tag.Bytes([]byte(s)), tag.Bool(list)} {
			if list {
				v = tag.List([]tag.Value{v, v})
			}
			va, err := toVariant(v, typ)
			if err != nil {
				continue
			}
			b, err := va.Encode()
			if err != nil {
				t.Fatalf("%v as %s cannot be encoded: %v", v, typeName(typ.base), err)
			}
			var back ua.Variant
			if _, err := back.Decode(b); err != nil {
				t.Fatalf("%v as %s cannot be decoded: %v", v, typeName(typ.base), err)
			}
			got, code := fromVariant(&back)
			if code != tag.Good {
				t.Fatalf("%v as %s came back as %v", v, typeName(typ.base), code)
			}
			if _, numeric := numericType(typ.base); numeric && typ.base != ua.TypeIDFloat && !got.Equal(v) {
				t.Fatalf("%v as %s came back as %v", v, typeName(typ.base), got)
			}
		}
	})
}

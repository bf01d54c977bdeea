package tag

import (
	"encoding/json"
	"math"
	"testing"
)

func TestStatusNames(t *testing.T) {
	t.Parallel()
	for code, want := range map[StatusCode]string{
		Good: "Good", GoodCompletesAsync: "GoodCompletesAsynchronously", GoodClamped: "GoodClamped", Uncertain: "Uncertain",
		UncertainLastUsableValue: "UncertainLastUsableValue", Bad: "Bad", BadUnexpectedError: "BadUnexpectedError",
		BadInternalError: "BadInternalError", BadCommunicationError: "BadCommunicationError", BadEncodingError: "BadEncodingError",
		BadDecodingError: "BadDecodingError", BadTimeout: "BadTimeout", BadShutdown: "BadShutdown",
		BadUserAccessDenied: "BadUserAccessDenied", BadWaitingForInitialData: "BadWaitingForInitialData",
		BadNoCommunication: "BadNoCommunication", BadNodeIdInvalid: "BadNodeIdInvalid", BadNodeIdUnknown: "BadNodeIdUnknown",
		BadAttributeIdInvalid: "BadAttributeIdInvalid", BadNotReadable: "BadNotReadable", BadNotWritable: "BadNotWritable",
		BadOutOfRange: "BadOutOfRange", BadNotSupported: "BadNotSupported", BadTypeMismatch: "BadTypeMismatch",
		BadConfigurationError: "BadConfigurationError", BadNotConnected: "BadNotConnected", BadDeviceFailure: "BadDeviceFailure",
		BadSensorFailure: "BadSensorFailure", BadOutOfService: "BadOutOfService", BadInvalidArgument: "BadInvalidArgument",
		BadConnectionClosed: "BadConnectionClosed", BadInvalidState: "BadInvalidState", BadNoData: "BadNoData",
		BadResourceUnavailable: "BadResourceUnavailable", BadWriteNotSupported: "BadWriteNotSupported",
	} {
		if got := code.String(); got != want {
			t.Errorf("0x%08X is %s, want %s", uint32(code), got, want)
		}
		if back, ok := ParseStatus(want); !ok || back != code {
			t.Errorf("ParseStatus(%s) = %v, %v", want, back, ok)
		}
	}
	if got := StatusCode(0x80310480).String(); got != "BadNoCommunication" {
		t.Errorf("flags change the name to %s", got)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{Int(1), Float(1), true},
		{Int(1), Bool(true), false},
		{Float(0), Bool(false), false},
		{Int(1<<53 + 1), Float(1 << 53), false},
		{Uint(math.MaxUint64), Float(1 << 64), false},
		{Uint(math.MaxUint64), Int(-1), false},
		{Float(math.NaN()), Float(math.NaN()), false},
		{Float(math.Inf(1)), Float(math.Inf(1)), true},
		{Float(math.Inf(1)), Int(1), false},
		{String("a"), Bytes([]byte("a")), false},
		{None(), None(), true},
		{List([]Value{Int(1)}), List([]Value{Float(1)}), true},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("%v equals %v: %v", c.a, c.b, got)
		}
	}
}

func TestCoerce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   Value
		typ  Type
		want string // the value as JSON, or "error: …"
	}{
		{Int(65535), TypeUint16, "65535"},
		{Int(65536), TypeUint16, "error: 65536 is outside the range of uint16, 0 to 65535"},
		{Int(-1), TypeUint64, "error: -1 is outside the range of uint64, 0 to 18446744073709551615"},
		{Float(2), TypeInt8, "2"},
		{Float(2.5), TypeInt8, "error: 2.5 is not a whole number, as int8 needs"},
		{Float(1e300), TypeInt64, "error: 1e+300 is outside the range of int64, -9223372036854775808 to 9223372036854775807"},
		{Float(math.NaN()), TypeFloat64, `error: "NaN" is not a number that can be written`},
		{Float(math.NaN()), TypeAny, `error: "NaN" is not a number that can be written`},
		{Float(1e39), TypeFloat32, "error: 1e+39 is outside the range of float32"},
		{Int(3), TypeFloat32, "3"},
		{Bool(true), TypeInt16, "error: true is not a int16"},
		{Int(1), TypeBool, "error: 1 is not a bool"},
		{Int(10000), TypeBCD16, "error: 10000 is outside the range of bcd16, 0 to 9999"},
		{None(), TypeAny, "error: no value given"},
		{String("x"), TypeString, `"x"`},
	} {
		got, err := Coerce(c.in, c.typ)
		s := got.String()
		if err != nil {
			s = "error: " + err.Error()
		}
		if s != c.want {
			t.Errorf("Coerce(%v, %v) = %s, want %s", c.in, c.typ, s, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`1`, `1.5`, `-7`, `18446744073709551615`, `"a<b"`, `true`, `null`, `[1,2]`} {
		var v Value
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(s, err)
		}
		if v.String() != s {
			t.Errorf("%s came back as %s", s, v)
		}
	}
	var v Value
	if err := json.Unmarshal([]byte(`{"a":1}`), &v); err == nil {
		t.Error("an object was taken as a value")
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "filler/speed", "A-1/b_2.c"} {
		if _, err := ParsePath(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "/a", "a/", "a//b", "a b", "ä"} {
		if _, err := ParsePath(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

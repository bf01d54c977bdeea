package opcuatest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/awcullen/opcua/ua"

	"holdfast/gateway/tag"
)

// builtin is a data type of the base namespace with the Go value that stands
// for it on the wire.
type builtin struct {
	typ   tag.Type // TypeAny where the tag types have no word for it
	id    ua.NodeID
	proto any
}

func builtins() []builtin {
	return []builtin{
		{tag.TypeBool, ua.DataTypeIDBoolean, false},
		{tag.TypeInt8, ua.DataTypeIDSByte, int8(0)},
		{tag.TypeUint8, ua.DataTypeIDByte, uint8(0)},
		{tag.TypeInt16, ua.DataTypeIDInt16, int16(0)},
		{tag.TypeUint16, ua.DataTypeIDUInt16, uint16(0)},
		{tag.TypeInt32, ua.DataTypeIDInt32, int32(0)},
		{tag.TypeUint32, ua.DataTypeIDUInt32, uint32(0)},
		{tag.TypeInt64, ua.DataTypeIDInt64, int64(0)},
		{tag.TypeUint64, ua.DataTypeIDUInt64, uint64(0)},
		{tag.TypeFloat32, ua.DataTypeIDFloat, float32(0)},
		{tag.TypeFloat64, ua.DataTypeIDDouble, float64(0)},
		{tag.TypeString, ua.DataTypeIDString, ""},
		{tag.TypeBytes, ua.DataTypeIDByteString, ua.ByteString("")},
		{tag.TypeAny, ua.DataTypeIDDateTime, time.Time{}},
		{tag.TypeAny, ua.DataTypeIDLocalizedText, ua.LocalizedText{}},
		{tag.TypeAny, ua.DataTypeIDQualifiedName, ua.QualifiedName{}},
		{tag.TypeAny, ua.DataTypeIDStatusCode, ua.StatusCode(0)},
		{tag.TypeAny, ua.DataTypeIDRange, ua.Range{}},
	}
}

// typed returns v as the Go type of a variable of type t; for tag.TypeAny v's
// own type stands. It returns the data type and the value rank with it.
func typed(v any, t tag.Type) (any, ua.NodeID, int32, error) {
	for _, b := range builtins() {
		if t != tag.TypeAny {
			if b.typ == t {
				w, err := like(v, b.proto)
				return w, b.id, ua.ValueRankScalar, err
			}
			continue
		}
		switch reflect.TypeOf(v) {
		case reflect.TypeOf(b.proto):
			return v, b.id, ua.ValueRankScalar, nil
		case reflect.SliceOf(reflect.TypeOf(b.proto)):
			return v, b.id, ua.ValueRankOneDimension, nil
		}
	}
	return nil, nil, 0, fmt.Errorf("a variable cannot hold a %T as %s", v, t)
}

// like returns v as a value of proto's Go type, without loss.
func like(v, proto any) (any, error) {
	want := reflect.TypeOf(proto)
	if reflect.TypeOf(v) == want {
		return v, nil
	}
	if b, ok := v.([]byte); ok && want == reflect.TypeOf(ua.ByteString("")) {
		return ua.ByteString(b), nil
	}
	for _, b := range builtins() {
		if b.typ == tag.TypeAny || reflect.TypeOf(b.proto) != want {
			continue
		}
		tv, err := tag.FromAny(v)
		if err != nil {
			return nil, err
		}
		if tv, err = tag.Coerce(tv, b.typ); err != nil {
			return nil, err
		}
		if u, ok := tv.Any().(uint64); ok {
			return reflect.ValueOf(u).Convert(want).Interface(), nil
		}
		return reflect.ValueOf(tv.Any()).Convert(want).Interface(), nil
	}
	return nil, fmt.Errorf("%T given where the variable holds a %s", v, want)
}

// plain returns v as callers know it: a ByteString as []byte.
func plain(v any) any {
	if b, ok := v.(ua.ByteString); ok {
		return []byte(b)
	}
	return v
}

package opcua

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// toVariant returns v as exactly the server's type t, or why it does not fit.
// Nothing is lost: a whole number goes into a Float only if that holds it, and
// what is not finite goes nowhere.
func toVariant(v tag.Value, t nodeType) (*ua.Variant, error) {
	if v.IsNone() {
		return nil, errors.New("there is no value to write")
	}
	dims, err := wantedDims(v, t.rank)
	if err != nil {
		return nil, err
	}
	elem, ok := goType(t.base)
	if !ok {
		return nil, fmt.Errorf("values of the server's type %s cannot be written", typeName(t.base))
	}
	if t.base == ua.TypeIDByteString && dims > 0 { // the library would send an empty body
		return nil, errors.New("a list of ByteStrings cannot be written")
	}
	r, err := build(v, t.base, elem, dims)
	if err != nil {
		return nil, err
	}
	va, err := ua.NewVariant(r.Interface())
	if err != nil {
		return nil, err
	}
	if va.Type() != t.base {
		return nil, fmt.Errorf("values of the server's type %s cannot be written", typeName(t.base))
	}
	_, err = va.Encode()
	return va, err
}

// wantedDims returns how many dimensions v is to have under a value rank.
func wantedDims(v tag.Value, rank int32) (int, error) {
	has := 0
	for l, ok := v.AsList(); ok; l, ok = l[0].AsList() {
		has++
		if len(l) == 0 {
			break
		}
	}
	var want string
	switch {
	case rank == rankAny, rank == rankScalarOrOne && has <= 1, rank == rankOneOrMore && has >= 1,
		rank == rankScalar && has == 0, rank >= 1 && int(rank) == has:
		return has, nil
	case rank == rankScalar:
		want = "one value"
	case rank == rankScalarOrOne:
		want = "one value or a list"
	case rank == rankOneOrMore:
		want = "a list"
	case rank == 1:
		want = "a list of values"
	default:
		want = fmt.Sprintf("a list of %d dimensions", rank)
	}
	return 0, fmt.Errorf("%s is not %s, as the server wants", v, want)
}

// goType is the Go type of a built-in type in the library.
func goType(t ua.TypeID) (reflect.Type, bool) {
	switch t {
	case ua.TypeIDBoolean:
		return reflect.TypeFor[bool](), true
	case ua.TypeIDSByte:
		return reflect.TypeFor[int8](), true
	case ua.TypeIDByte:
		return reflect.TypeFor[uint8](), true
	case ua.TypeIDInt16:
		return reflect.TypeFor[int16](), true
	case ua.TypeIDUint16:
		return reflect.TypeFor[uint16](), true
	case ua.TypeIDInt32:
		return reflect.TypeFor[int32](), true
	case ua.TypeIDUint32:
		return reflect.TypeFor[uint32](), true
	case ua.TypeIDInt64:
		return reflect.TypeFor[int64](), true
	case ua.TypeIDUint64:
		return reflect.TypeFor[uint64](), true
	case ua.TypeIDFloat:
		return reflect.TypeFor[float32](), true
	case ua.TypeIDDouble:
		return reflect.TypeFor[float64](), true
	case ua.TypeIDString:
		return reflect.TypeFor[string](), true
	case ua.TypeIDDateTime:
		return reflect.TypeFor[time.Time](), true
	case ua.TypeIDGUID:
		return reflect.TypeFor[*ua.GUID](), true
	case ua.TypeIDByteString:
		return reflect.TypeFor[[]byte](), true
	case ua.TypeIDXMLElement:
		return reflect.TypeFor[ua.XMLElement](), true
	case ua.TypeIDNodeID:
		return reflect.TypeFor[*ua.NodeID](), true
	case ua.TypeIDStatusCode:
		return reflect.TypeFor[ua.StatusCode](), true
	case ua.TypeIDQualifiedName:
		return reflect.TypeFor[*ua.QualifiedName](), true
	case ua.TypeIDLocalizedText:
		return reflect.TypeFor[*ua.LocalizedText](), true
	}
	return nil, false
}

// build makes a Go value of dims dimensions with elements of type elem. The
// inner lists of one level must be of one length.
func build(v tag.Value, t ua.TypeID, elem reflect.Type, dims int) (reflect.Value, error) {
	if dims == 0 {
		x, err := scalar(v, t)
		if err != nil {
			return reflect.Value{}, err
		}
		return reflect.ValueOf(x).Convert(elem), nil
	}
	l, ok := v.AsList()
	if !ok {
		return reflect.Value{}, fmt.Errorf("%s stands among lists", v)
	}
	inner := elem
	for range dims - 1 {
		inner = sliceOf(inner, t)
	}
	r := reflect.MakeSlice(sliceOf(inner, t), len(l), len(l))
	for i, e := range l {
		x, err := build(e, t, elem, dims-1)
		if err != nil {
			return r, fmt.Errorf("element %d: %w", i, err)
		}
		if dims > 1 && i > 0 && x.Len() != r.Index(0).Len() {
			return r, fmt.Errorf("element %d has another length than the one before", i)
		}
		r.Index(i).Set(x)
	}
	return r, nil
}

// sliceOf is the slice type of t's elements; the library takes a plain []byte
// for a ByteString.
func sliceOf(elem reflect.Type, t ua.TypeID) reflect.Type {
	if t == ua.TypeIDByte && elem.Kind() == reflect.Uint8 {
		return reflect.TypeFor[ua.ByteArray]()
	}
	return reflect.SliceOf(elem)
}

// scalar returns v as the Go value of a built-in type.
func scalar(v tag.Value, t ua.TypeID) (any, error) {
	if nt, ok := numericType(t); ok {
		w, err := tag.Coerce(v, nt)
		if err != nil {
			return nil, err
		}
		if _, whole := v.AsInt(); nt.IsFloat() && (whole || v.Kind() == tag.KindUint) && !w.Equal(v) {
			return nil, fmt.Errorf("%s cannot be held by a %s without loss", v, nt)
		}
		return w.Any(), nil
	}
	if t == ua.TypeIDByteString {
		b, ok := v.AsBytes()
		if !ok {
			return nil, fmt.Errorf("%s is not bytes", v)
		}
		return b, nil
	}
	if t == ua.TypeIDStatusCode {
		return toStatus(v)
	}
	s, ok := v.AsString()
	if !ok {
		return nil, fmt.Errorf("%s is not a text, as the server's type %s needs", v, typeName(t))
	}
	return fromText(s, t)
}

func fromText(s string, t ua.TypeID) (any, error) {
	switch t {
	case ua.TypeIDString, ua.TypeIDXMLElement:
		return s, nil
	case ua.TypeIDLocalizedText:
		return ua.NewLocalizedText(s), nil
	case ua.TypeIDDateTime:
		return toTime(s)
	case ua.TypeIDGUID:
		if !guidForm().MatchString(s) {
			return nil, fmt.Errorf("%q is not a GUID", s)
		}
		return ua.NewGUID(s), nil
	case ua.TypeIDNodeID:
		a, err := parseAddress(s)
		if err != nil {
			return nil, err
		}
		if a.uri != "" {
			return nil, fmt.Errorf("%q has a namespace URI, which a NodeId value cannot", s)
		}
		return a.resolve(nil), nil
	case ua.TypeIDQualifiedName:
		if ns, name, ok := strings.Cut(s, ":"); ok {
			if n, ok := digits(ns, 16); ok {
				return &ua.QualifiedName{NamespaceIndex: uint16(n), Name: name}, nil
			}
		}
		return &ua.QualifiedName{Name: s}, nil
	}
	return nil, fmt.Errorf("values of the server's type %s cannot be written", typeName(t))
}

func toTime(s string) (any, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time of RFC 3339, such as 2026-01-31T12:00:00Z", s)
	}
	if plausible(t.UTC()).IsZero() {
		return nil, fmt.Errorf("%s is not between the years %d and %d", s, firstYear, lastYear)
	}
	if t.Nanosecond()%100 != 0 {
		return nil, fmt.Errorf("%s is finer than 100 ns, the unit of a DateTime", s)
	}
	return t.UTC(), nil
}

func toStatus(v tag.Value) (any, error) {
	if name, ok := v.AsString(); ok {
		c, ok := tag.ParseStatus(name)
		if !ok {
			return nil, fmt.Errorf("%q is not the name of a StatusCode", name)
		}
		return ua.StatusCode(c), nil
	}
	w, err := tag.Coerce(v, tag.TypeUint32)
	if err != nil {
		return nil, err
	}
	n, _ := w.AsUint()
	return ua.StatusCode(n), nil
}

// numericType is the tag type of a Boolean or a number.
func numericType(t ua.TypeID) (tag.Type, bool) {
	switch t {
	case ua.TypeIDBoolean:
		return tag.TypeBool, true
	case ua.TypeIDSByte:
		return tag.TypeInt8, true
	case ua.TypeIDByte:
		return tag.TypeUint8, true
	case ua.TypeIDInt16:
		return tag.TypeInt16, true
	case ua.TypeIDUint16:
		return tag.TypeUint16, true
	case ua.TypeIDInt32:
		return tag.TypeInt32, true
	case ua.TypeIDUint32:
		return tag.TypeUint32, true
	case ua.TypeIDInt64:
		return tag.TypeInt64, true
	case ua.TypeIDUint64:
		return tag.TypeUint64, true
	case ua.TypeIDFloat:
		return tag.TypeFloat32, true
	case ua.TypeIDDouble:
		return tag.TypeFloat64, true
	}
	return 0, false
}

// typeName is a built-in type's name in the standard.
func typeName(t ua.TypeID) string {
	names := [...]string{"Null", "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double",
		"String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId", "ExpandedNodeId", "StatusCode", "QualifiedName",
		"LocalizedText", "Structure", "DataValue", "Variant", "DiagnosticInfo"}
	if int(t) < len(names) {
		return names[t]
	}
	return strconv.Itoa(int(t))
}

package opcua

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// Years between which a DateTime can be told from one that wrapped: the library
// counts nanoseconds from 1970 in 64 bits.
const (
	firstYear = 1900
	lastYear  = 2261
)

// maxNesting bounds variants within variants.
const maxNesting = 16

// fromVariant returns the value that v holds. A code other than Good says why
// there is none: BadNoData for a null, BadNotSupported for a structure,
// BadDecodingError for a DateTime out of the library's range.
//
// Numbers, bools, strings and ByteStrings are what they are. A DateTime is a
// string of RFC 3339; a Guid, NodeId, ExpandedNodeId, QualifiedName ("2:Name"),
// XmlElement and the text of a LocalizedText are strings; a StatusCode is a
// number. An array is a list, one of several dimensions a list of lists.
func fromVariant(v *ua.Variant) (tag.Value, tag.StatusCode) {
	if v == nil || v.Type() == ua.TypeIDNull {
		return tag.None(), tag.BadNoData
	}
	return fromAny(v.Value(), 0)
}

func fromAny(x any, depth int) (tag.Value, tag.StatusCode) {
	if depth > maxNesting {
		return tag.None(), tag.BadNotSupported
	}
	switch x := x.(type) {
	case nil:
		return tag.None(), tag.BadNoData
	case bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64, string, []byte:
		v, err := tag.FromAny(x)
		if err != nil {
			return tag.None(), tag.BadDecodingError
		}
		return v, tag.Good
	case time.Time:
		return fromTime(x)
	case ua.XMLElement:
		return tag.String(string(x)), tag.Good
	case ua.StatusCode:
		return tag.Uint(uint64(x)), tag.Good
	case *ua.GUID:
		return tag.String(x.String()), tag.Good
	case *ua.NodeID:
		return tag.String(x.String()), tag.Good
	case *ua.ExpandedNodeID:
		return tag.String(expandedString(x)), tag.Good
	case *ua.QualifiedName:
		return tag.String(qualifiedString(x)), tag.Good
	case *ua.LocalizedText:
		return tag.String(x.Text), tag.Good
	case *ua.Variant:
		if x == nil || x.Type() == ua.TypeIDNull {
			return tag.None(), tag.BadNoData
		}
		return fromAny(x.Value(), depth+1)
	case *ua.DataValue:
		if x == nil || statusCode(x.Status).IsBad() || x.Value == nil {
			return tag.None(), tag.BadNoData
		}
		return fromAny(x.Value, depth+1)
	}
	if r := reflect.ValueOf(x); r.Kind() == reflect.Slice {
		return fromSlice(r, depth)
	}
	return tag.None(), tag.BadNotSupported // an ExtensionObject, a DiagnosticInfo
}

// fromSlice makes a list. An element without a value spoils it, but for nulls
// in an array of variants, which are None.
func fromSlice(r reflect.Value, depth int) (tag.Value, tag.StatusCode) {
	l := make([]tag.Value, r.Len())
	for i := range l {
		v, code := fromAny(r.Index(i).Interface(), depth+1)
		if code == tag.BadNoData && r.Type().Elem() == reflect.TypeFor[*ua.Variant]() {
			code = tag.Good
		}
		if code != tag.Good {
			return tag.None(), code
		}
		l[i] = v
	}
	return tag.List(l), tag.Good
}

// minDateTime is how the zero of a DateTime is written: 1601-01-01, which
// stands for "none" (OPC 10000-6, 5.2.2.5).
const minDateTime = "1601-01-01T00:00:00Z"

func fromTime(t time.Time) (tag.Value, tag.StatusCode) {
	if t.IsZero() {
		return tag.String(minDateTime), tag.Good
	}
	if plausible(t).IsZero() {
		return tag.None(), tag.BadDecodingError
	}
	return tag.String(t.UTC().Format(time.RFC3339Nano)), tag.Good
}

// plausible returns t, or the zero time where it must have wrapped.
func plausible(t time.Time) time.Time {
	if y := t.Year(); y < firstYear || y > lastYear {
		return time.Time{}
	}
	return t
}

func qualifiedString(q *ua.QualifiedName) string {
	if q.NamespaceIndex == 0 {
		return q.Name
	}
	return fmt.Sprintf("%d:%s", q.NamespaceIndex, q.Name)
}

func expandedString(e *ua.ExpandedNodeID) string {
	var b strings.Builder
	if e.ServerIndex != 0 {
		fmt.Fprintf(&b, "svr=%d;", e.ServerIndex)
	}
	id := e.NodeID.String()
	if e.NamespaceURI == "" {
		return b.String() + id
	}
	if _, after, ok := strings.Cut(id, ";"); ok && strings.HasPrefix(id, "ns=") {
		id = after
	}
	uri := strings.NewReplacer("%", "%25", ";", "%3B").Replace(e.NamespaceURI)
	return b.String() + "nsu=" + uri + ";" + id
}

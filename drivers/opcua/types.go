package opcua

import (
	"context"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// Value ranks (OPC 10000-3, 5.6.2): from 1 on the number of dimensions.
const (
	rankScalarOrOne = -3
	rankAny         = -2
	rankScalar      = -1
	rankOneOrMore   = 0
)

// Bits of AccessLevel (OPC 10000-3, 8.57).
const accessCurrentWrite = 0x02

// nodeType is what a write has to know of a variable. refused says why no write
// to it can be, with code; else base and rank are set.
type nodeType struct {
	base    ua.TypeID // a built-in type
	rank    int32
	refused string
	code    tag.StatusCode
}

func refusedType(code tag.StatusCode, format string, args ...any) nodeType {
	return nodeType{code: code, refused: fmt.Sprintf(format, args...)}
}

// The attributes that make a nodeType, in the order in which they are read.
var typeAttributes = [...]ua.AttributeID{
	ua.AttributeIDDataType, ua.AttributeIDValueRank, ua.AttributeIDAccessLevel, ua.AttributeIDUserAccessLevel, ua.AttributeIDValue,
}

// readTypes fills s.types for the items that may be written.
func (s *session) readTypes(ctx context.Context, items []tag.Item) error {
	s.types = map[int]nodeType{}
	var handles []int
	var ids []*ua.ReadValueID
	for h, it := range items {
		if !it.Write {
			continue
		}
		if s.nodes[h] == nil {
			s.types[h] = refusedType(tag.BadNodeIdUnknown, "the server does not have the namespace of %s", it.Address)
			continue
		}
		handles = append(handles, h)
		for _, a := range typeAttributes {
			ids = append(ids, readID(s.nodes[h], a))
		}
	}
	results, codes, err := s.readAll(ctx, ids)
	if err != nil {
		return err
	}
	for k, i := range codes { // so that each result has its status in one place
		if results[k] == nil {
			results[k] = &ua.DataValue{Status: i, Value: &ua.Variant{}}
		}
	}
	supers := superTypes{}
	n := len(typeAttributes)
	for k, h := range handles {
		if s.types[h], err = s.typeOf(ctx, results[k*n:k*n+n], supers); err != nil {
			return err
		}
	}
	return nil
}

// typeOf makes a nodeType of the results of typeAttributes.
func (s *session) typeOf(ctx context.Context, r []*ua.DataValue, supers superTypes) (nodeType, error) {
	dataType, ok := r[0].Value.Value().(*ua.NodeID)
	if r[0].Status != ua.StatusOK || !ok {
		code := statusCode(r[0].Status)
		if !code.IsBad() {
			code = tag.BadAttributeIdInvalid
		}
		return refusedType(code, "its data type cannot be read: %s", code), nil
	}
	t := nodeType{rank: rankAny}
	if rank, ok := r[1].Value.Value().(int32); ok && r[1].Status == ua.StatusOK {
		t.rank = rank
	}
	for i, what := range []string{"the server lets nobody write it", "the server does not let this user write it"} {
		level, ok := r[2+i].Value.Value().(uint8)
		if ok && r[2+i].Status == ua.StatusOK && level&accessCurrentWrite == 0 {
			return refusedType([]tag.StatusCode{tag.BadNotWritable, tag.BadUserAccessDenied}[i], "%s", what), nil
		}
	}
	base, err := s.baseType(ctx, dataType, supers)
	if err != nil {
		return t, err
	}
	if base == 0 { // abstract, such as Number: what the variable holds at present has to do
		if base = r[4].Value.Type(); base == ua.TypeIDNull {
			return refusedType(tag.BadTypeMismatch, "its data type %s is abstract, and it has no value to take the type from", dataType), nil
		}
	}
	t.base = base
	return t, nil
}

// superTypes caches the type above a data type; nil where there is none.
type superTypes map[string]*ua.NodeID

// baseType returns the built-in type of a data type, which it finds by walking
// up the type tree; 0 for an abstract type, of which values have several.
func (s *session) baseType(ctx context.Context, dataType *ua.NodeID, supers superTypes) (ua.TypeID, error) {
	for range 32 { // deeper than any type tree, should a server's be a circle
		if dataType == nil {
			return 0, nil
		}
		if b, ok := builtinType(dataType); ok {
			return b, nil
		}
		key := dataType.String()
		up, known := supers[key]
		if !known {
			var err error
			if up, err = s.superType(ctx, dataType); err != nil {
				return 0, fmt.Errorf("cannot find the type above %s: %w", key, err)
			}
			supers[key] = up
		}
		dataType = up
	}
	return 0, nil
}

// builtinType tells whether a data type is a built-in one, an enumeration, or
// one of the abstract types at the top (0).
func builtinType(n *ua.NodeID) (ua.TypeID, bool) {
	if n.Namespace() != 0 || n.Type() == ua.NodeIDTypeString || n.Type() == ua.NodeIDTypeGUID || n.Type() == ua.NodeIDTypeByteString {
		return 0, false
	}
	switch i := n.IntID(); {
	case i == id.BaseDataType, i == id.Number, i == id.Integer, i == id.UInteger, i == 0:
		return 0, true
	case i == id.Enumeration:
		return ua.TypeIDInt32, true
	case i >= uint32(ua.TypeIDBoolean) && i <= uint32(ua.TypeIDDiagnosticInfo):
		return ua.TypeID(i), true // the identifiers of the built-in types' nodes are their type ids (OPC 10000-6, 5.1.2)
	}
	return 0, false
}

// superType asks for the one type above a data type; nil where there is none
// or the server does not say.
func (s *session) superType(ctx context.Context, n *ua.NodeID) (*ua.NodeID, error) {
	r, err := call[*ua.BrowseResponse](ctx, s.channel, &ua.BrowseRequest{
		View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)},
		NodesToBrowse: []*ua.BrowseDescription{{
			NodeID: n, BrowseDirection: ua.BrowseDirectionInverse,
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HasSubtype), IncludeSubtypes: true,
		}},
	})
	if err != nil {
		return nil, err
	}
	if len(r.Results) != 1 || r.Results[0].StatusCode != ua.StatusOK || len(r.Results[0].References) == 0 {
		return nil, nil
	}
	if e := r.Results[0].References[0].NodeID; e != nil && e.ServerIndex == 0 {
		return ua.NewNodeIDFromExpandedNodeID(e), nil
	}
	return nil, nil
}

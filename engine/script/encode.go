package script

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"holdfast/engine/value"
)

// encode returns v as the record keeps it. The error is a *value.LimitError
// where v exceeds the bounds of a value.
func encode(v starlark.Value) (value.Raw, error) {
	var g value.Budget
	return appendValue(make([]byte, 0, 64), v, 0, &g)
}

// appendValue appends v, encoded as package value encodes the same value.
func appendValue(b []byte, v starlark.Value, depth int, g *value.Budget) ([]byte, error) {
	if err := g.Take(depth, payload(v)); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return value.AppendNil(b), nil
	case starlark.Bool:
		return value.AppendBool(b, bool(v)), nil
	case starlark.Int:
		if i, ok := v.Int64(); ok {
			return value.AppendInt(b, i), nil
		}
		return value.AppendBig(b, v.BigInt()), nil
	case starlark.Float:
		return value.AppendFloat(b, float64(v)), nil
	case starlark.String:
		return value.AppendString(b, string(v)), nil
	case secret:
		return value.AppendSecret(b, string(v)), nil
	case starlark.Bytes:
		return value.AppendBytes(b, string(v)), nil
	case *starlark.List:
		return appendElements(value.AppendHead(b, value.MajorArray, uint64(v.Len())), v, depth, g)
	case starlark.Tuple:
		b = value.AppendHead(b, value.MajorTag, value.TagTuple)
		return appendElements(value.AppendHead(b, value.MajorArray, uint64(len(v))), v, depth, g)
	case *starlark.Set:
		return appendSet(b, v, depth, g)
	case *starlark.Dict:
		return appendDict(b, v, depth, g)
	case *starlarkstruct.Struct:
		return appendStruct(b, v, depth, g)
	}
	if v.Type() == "range" {
		return nil, errors.New("a range cannot be kept in the record: use list(range(…))")
	}
	return nil, fmt.Errorf("a value of type %s cannot be kept in the record", v.Type())
}

// payload returns how many bytes v's encoding has besides its head, and what it
// holds.
func payload(v starlark.Value) int {
	switch v := v.(type) {
	case starlark.String:
		return len(v)
	case secret:
		return len(v)
	case starlark.Bytes:
		return len(v)
	case starlark.Float:
		return 8
	case starlark.Int:
		if _, ok := v.Int64(); !ok {
			return v.BigInt().BitLen() / 8
		}
	}
	return 0
}

func appendElements(b []byte, l starlark.Indexable, depth int, g *value.Budget) ([]byte, error) {
	var err error
	for i := range l.Len() {
		if b, err = appendValue(b, l.Index(i), depth+1, g); err != nil {
			return nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

func appendSet(b []byte, s *starlark.Set, depth int, g *value.Budget) ([]byte, error) {
	b = value.AppendHead(b, value.MajorTag, value.TagSet)
	b = value.AppendHead(b, value.MajorArray, uint64(s.Len()))
	var err error
	in := *g // so that g itself need not be on the heap
	for e := range s.Elements() {
		if b, err = appendValue(b, e, depth+1, &in); err != nil {
			return nil, err
		}
	}
	*g = in
	return b, nil
}

func appendDict(b []byte, d *starlark.Dict, depth int, g *value.Budget) ([]byte, error) {
	b = value.AppendHead(b, value.MajorMap, uint64(d.Len()))
	var err error
	in := *g // as in appendSet
	for k, e := range d.Entries() {
		if b, err = appendValue(b, k, depth+1, &in); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, e, depth+1, &in); err != nil {
			return nil, within("["+shortText(k)+"]", err)
		}
	}
	*g = in
	return b, nil
}

func appendStruct(b []byte, s *starlarkstruct.Struct, depth int, g *value.Budget) ([]byte, error) {
	b = value.AppendHead(b, value.MajorTag, value.TagStruct)
	b = value.AppendHead(b, value.MajorMap, uint64(s.Len()))
	for i := range s.Len() {
		n, e := s.AttrAt(i) // sorted
		err := g.Take(depth+1, len(n))
		if err != nil {
			return nil, err
		}
		b = value.AppendString(b, n)
		if b, err = appendValue(b, e, depth+1, g); err != nil {
			return nil, within("."+n, err)
		}
	}
	return b, nil
}

// pathError says where in a value the cause lies.
type pathError struct {
	path  string
	cause error
}

func (e *pathError) Error() string { return e.path + ": " + e.cause.Error() }
func (e *pathError) Unwrap() error { return e.cause }

func within(step string, err error) error {
	var in *pathError
	if errors.As(err, new(*value.LimitError)) {
		return err // it is the whole value that exceeds a bound
	}
	if errors.As(err, &in) {
		return &pathError{step + in.path, in.cause}
	}
	return &pathError{step, err}
}

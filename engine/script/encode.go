package script

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"holdfast/engine/value"
)

var errDeep = errors.New("a value that is nested too deeply, or contains itself, cannot be kept in the record")

// encode returns v as the record keeps it.
func encode(v starlark.Value) (value.Raw, error) {
	return appendValue(make([]byte, 0, 64), v, 0)
}

// appendValue appends v, encoded as package value encodes the same value.
func appendValue(b []byte, v starlark.Value, depth int) ([]byte, error) {
	if depth > value.MaxDepth {
		return nil, errDeep
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
	case starlark.Bytes:
		return value.AppendBytes(b, string(v)), nil
	case *starlark.List:
		return appendElements(value.AppendHead(b, value.MajorArray, uint64(v.Len())), v, depth)
	case starlark.Tuple:
		b = value.AppendHead(b, value.MajorTag, value.TagTuple)
		return appendElements(value.AppendHead(b, value.MajorArray, uint64(len(v))), v, depth)
	case *starlark.Set:
		return appendSet(b, v, depth)
	case *starlark.Dict:
		return appendDict(b, v, depth)
	case *starlarkstruct.Struct:
		return appendStruct(b, v, depth)
	}
	if v.Type() == "range" {
		return nil, errors.New("a range cannot be kept in the record: use list(range(…))")
	}
	return nil, fmt.Errorf("a value of type %s cannot be kept in the record", v.Type())
}

func appendElements(b []byte, l starlark.Indexable, depth int) ([]byte, error) {
	var err error
	for i := range l.Len() {
		if b, err = appendValue(b, l.Index(i), depth+1); err != nil {
			return nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

func appendSet(b []byte, s *starlark.Set, depth int) ([]byte, error) {
	b = value.AppendHead(b, value.MajorTag, value.TagSet)
	b = value.AppendHead(b, value.MajorArray, uint64(s.Len()))
	var err error
	for e := range s.Elements() {
		if b, err = appendValue(b, e, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendDict(b []byte, d *starlark.Dict, depth int) ([]byte, error) {
	b = value.AppendHead(b, value.MajorMap, uint64(d.Len()))
	var err error
	for k, e := range d.Entries() {
		if b, err = appendValue(b, k, depth+1); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, e, depth+1); err != nil {
			return nil, within(fmt.Sprintf("[%.40s]", k), err)
		}
	}
	return b, nil
}

func appendStruct(b []byte, s *starlarkstruct.Struct, depth int) ([]byte, error) {
	names := s.AttrNames() // sorted
	b = value.AppendHead(b, value.MajorTag, value.TagStruct)
	b = value.AppendHead(b, value.MajorMap, uint64(len(names)))
	for _, n := range names {
		e, err := s.Attr(n)
		if err != nil {
			return nil, err
		}
		b = value.AppendString(b, n)
		if b, err = appendValue(b, e, depth+1); err != nil {
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
	if errors.Is(err, errDeep) {
		return err
	}
	if errors.As(err, &in) {
		return &pathError{step + in.path, in.cause}
	}
	return &pathError{step, err}
}
